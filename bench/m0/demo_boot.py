# SPDX-License-Identifier: MIT
"""Stories of the boot state: images that do not confirm, that hang, power cuts everywhere, a
flash of which nothing is left, new keys. docs/boot.md has the rules they are held against."""
from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import device_envelope as build
from demo_board import (
    E_AUTH, E_REJECTED, E_ROLLBACK, E_TRAILING, E_TRIAL, FRESH, IDLE, IMAGES, MAP, NOBODY, PAGE,
    SLOT, SLOT_PAGES, TRIES, TRY, Board, Demo, console, firmware, flash_functions, flip, in_words,
)  # fmt: skip
from device_envelope import Update
from device_link import LinkError, PowerCut


def start_with(board: Board, *versions: str) -> dict[str, Update]:
    """From safe mode on: these versions are installed one after another, and confirm."""
    updates = {}
    board.waits()
    for n, version in enumerate(versions):
        updates[version] = build.plain(IMAGES[version], n + 1)
        board.install(updates[version], n % 2, f"v{version}, plain")
        board.reset()
        board.boots(version, n % 2, n + 1)
    return updates


def refuse_unheard(board: Board, what: str, update: Update, code: int, offset: int) -> None:
    """Refused before anything is touched."""
    before = board.status()
    board.refuse(what, update, code, offset)
    now = board.status()
    board.demo.equal((now.programmed, now.erased), (before.programmed, before.erased),
                     "no flash work")


# -- bad images --------------------------------------------------------------------------------


def story_trial(demo: Demo, _seed: int) -> None:
    """v3n never confirms, v3h hangs; v2 comes back each time. Then v4, which is good, and
    whose flash goes bad later."""
    with Board(demo, "trial: images that do not confirm, or hang", 0xFF) as board:
        device = board.device
        start_with(board, "1", "2")

        console.print("  v3n runs, but never confirms itself:")
        v3n = build.plain(IMAGES["3n"], 3)
        v4 = build.plain(IMAGES["4"], 5)
        board.install(v3n, 0, "v3n")
        board.check_state("v3n waits for its first start")
        for n in range(TRIES):
            if n % 2 == 0:
                board.reset()
            else:
                board.cut()
            board.boots("3n", 0, 3)
        board.check_state(f"v3n was started {TRIES} times")
        refuse_unheard(board, "v4 offered to a firmware on trial", v4, E_TRIAL, v4.at_sequence())
        board.reset()
        demo.says(device.expect("rolled back: sequence 3, never confirmed"))
        board.boots("2", 1, 2)
        board.check_state("v3n was rolled back, v2 runs")
        demo.equal(sum("[fw v3n/A] running" in line for line in device.lines), TRIES,
                   f"v3n was started exactly {TRIES} times")
        refuse_unheard(board, "v3n once more", v3n, E_REJECTED, v3n.at_sequence())
        board.check_slots("slots read back")

        console.print("  v3h hangs at once, nobody but the watchdog helps:")
        board.install(build.plain(IMAGES["3h"], 4), 0, "v3h")
        board.reset()
        for _ in range(TRIES):
            board.state.start(False)
            device.expect("[fw v3h/A] hanging")
        demo.says(device.expect("rolled back: sequence 4, never confirmed"))
        board.boots("2", 1, 2)
        board.check_state("v3h was rolled back, v2 runs")
        demo.equal(sum("[fw v3h/A] running" in line for line in device.lines), TRIES,
                   f"v3h was started exactly {TRIES} times")

        console.print("  v4 is good:")
        board.install(v4, 0, "v4")
        board.reset()
        board.boots("4", 0, 5)
        board.check_state("v4 is confirmed")
        line = device.message("b", "boot report: ")
        demo.equal(line.split()[-1], device.report("b").hex(), "the firmware has the same report")

        console.print("  a byte of v4's image goes bad, then v4 comes once more:")
        at = len(IMAGES["4"][0]) // 2
        board.qemu.write_flash(SLOT[0] + at, flip(IMAGES["4"][0], at)[at : at + 1])
        board.cut()
        demo.says(device.expect("fallback"))
        board.state.confirmed = 1  # what `start` takes for the running one
        board.boots("2", 1, 2)
        board.check_state("v2 runs in place of v4, the floor stays")
        refuse_unheard(board, "v2 again", build.plain(IMAGES["2"], 3), E_ROLLBACK,
                       v3n.at_sequence())
        board.install(v4, 0, "v4 again")
        board.reset()
        board.boots("4", 0, 5)
        board.check_state("v4 is back")


STORIES = (story_trial,)
