#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo: a Cortex-M0 under QEMU takes real updates, refuses bad ones, and comes back from
whatever happens in between.

Each story starts from an empty flash. Every step says ok or FAIL; what a step expects (codes,
offsets, flash contents, journal) is computed from the envelope's structure and a model of slots
and boot state. Exit status 1 on any difference. README.md tells the stories.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rich.table import Table  # noqa: E402

import demo_boot  # noqa: E402
import demo_tool  # noqa: E402
import device_envelope as build  # noqa: E402
from demo_board import (  # noqa: E402
    E_AUTH, E_CONDITION, E_DECRYPT, E_DIGEST, E_FETCH, E_PLATFORM, E_ROLLBACK, E_TRUNCATED, FRAME,
    IMAGES, MAP, OUT, PAGE, RECORD, ROOT, SLOT_PAGES, Board, Demo, console, flash_functions, flip,
    pages, symbol, words,
)  # fmt: skip
from device_envelope import Update  # noqa: E402
from device_link import LinkError, PowerCut, frames  # noqa: E402

SHARED, INSTALL = 3, 20  # sections
WRONG_TAGS = -3  # the port's answer after three wrong tags
VERSIONS = ("1", "2", "3n", "3h", "4")


# -- the stories -------------------------------------------------------------------------------


def make_device(demo: Demo) -> None:
    console.print("[bold]Building[/]")
    started = time.monotonic()
    command = ["make", "-s", "-f", "bench/m0/device.mk", "device", f"O={OUT}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if not demo.check(made.returncode == 0, "boot loader and firmware, each for both slots",
                      made.stdout + made.stderr):
        raise LinkError("nothing to run")
    for version in VERSIONS:
        a, b = ((OUT / f"m0/fw-{version}{s}.bin").read_bytes() for s in "ab")
        IMAGES[version] = (a, b)
    demo.static = tuple(
        symbol(f"{n}.elf", "__bss_end") - MAP[base]
        for n, base in (("boot", "MAP_RAM"), ("fw-2b", "MAP_RAM_FW"))
    )
    loader = symbol("boot.elf", "__data_load") + symbol("boot.elf", "__data_end") - symbol(
        "boot.elf", "__data_start"
    )
    console.print(
        f"       loader {loader} of {MAP['MAP_LOADER_SIZE']} bytes of flash, static RAM "
        f"{demo.static[0]} + {demo.static[1]} (firmware); v1 {len(IMAGES['1'][0])} bytes, "
        f"v2 {len(IMAGES['2'][0])} bytes ({time.monotonic() - started:.1f} s)"
    )


def story_inside(demo: Demo, _seed: int) -> None:
    """Payloads inside the envelopes, flash all 0x00 at first; then the refusals."""
    v1 = build.plain(IMAGES["1"], 1)
    v2 = build.encrypted(IMAGES["2"], 2, "v2")
    v3 = build.encrypted(IMAGES["2"], 3, "v3")
    with Board(demo, "inside: payloads in the envelope, flash all 0x00", 0x00) as board:
        device = board.device
        board.waits()
        board.install(v1, 0, "v1, plain")
        board.reset()
        board.boots("1", 0, 1)
        board.install(v2, 1, "v2, encrypted, while v1 runs",
                      at_half=lambda: board.check_alive("1", 0))
        board.check_report(v2, 0)
        board.check_ram()
        board.reset()
        board.boots("2", 1, 2)
        board.check_state("v2 is confirmed")

        console.print("  offered to the running v2:")
        old = board.status()
        result, _ = board.send(v2)
        now = board.account("v2 once more")
        demo.says(device.expect("update complete"))
        demo.equal((result and result.code, now.programmed - old.programmed, now.erased),
                   (0, 0, old.erased), "v2 once more: nothing is done")
        middle = v3.at_manifest() + len(v3.manifest) // 2

        def after(what: str) -> None:
            board.check_alive("2", 1)
            board.check_slots(what)

        board.refuse("flipped bit in the manifest", v3, E_DIGEST, v3.at_manifest(),
                     envelope=flip(v3.envelope, middle))
        after("nothing touched")
        board.refuse("older sequence number", v1, E_ROLLBACK, v1.at_sequence())
        after("nothing touched")
        other = build.encrypted(IMAGES["2"], 3, "class", class_id=hashlib.md5(b"other").digest())
        board.refuse("wrong class id", other, E_CONDITION, other.at_shared(build.CLASS_CHECK),
                     section=SHARED, label=build.CLASS_CHECK)
        board.check_report(other, E_CONDITION)
        after("nothing touched")
        unknown = build.encrypted(IMAGES["2"], 3, "v3", signer=build.suit.STRANGER)
        board.refuse("signed by a stranger", unknown, E_AUTH, unknown.at_wrapper())
        after("nothing touched")
        board.refuse("truncated in the manifest", v3, E_TRUNCATED, middle, length=middle)
        after("nothing touched")
        stranger = build.encrypted(IMAGES["2"], 3, "other", key=build.suit.OTHER_DEVICE)
        board.refuse("payload for another device", stranger, E_DECRYPT,
                     stranger.at_install(build.COPY), section=INSTALL, label=build.COPY)
        after("nothing touched")

        inside = v3.payload_at(0) + len(IMAGES["2"][0]) // 2
        board.refuse("truncated in the payload", v3, E_TRUNCATED, inside, length=inside)
        board.slots.erase(0)
        after("slot A erased")
        for _ in range(3):
            board.refuse("flipped bit in the payload", v3, E_DECRYPT, v3.at_install(build.COPY),
                         envelope=flip(v3.envelope, inside), section=INSTALL, label=build.COPY)
            after("slot A erased")
        board.check_report(v3, E_DECRYPT)
        board.refuse("the same manifest after three wrong tags", v3, E_PLATFORM,
                     v3.at_install(build.COPY), section=INSTALL, platform=WRONG_TAGS)
        after("nothing touched")

        console.print("  a damaged frame, a newer manifest, a hanging firmware:")
        repeated = device.repeated
        device.transport.write(flip(frames.encode(frames.QUERY, 0, b"s"), 4))
        got = device.receive(10)
        demo.equal(got and got[0], frames.NAK, "a frame with a wrong CRC is not taken")
        demo.equal(device.repeated, repeated, "no frame had to be repeated")
        v4 = build.encrypted(IMAGES["2"], 4, "v4")
        board.install(v4, 0, "v2 again under a newer manifest")
        board.check_ram()
        board.reset()
        board.boots("2", 0, 4)
        demo.says(device.message("x", "hanging"))
        board.boots("2", 0, 4)
        board.check_state("a confirmed image that hangs is started again")
        demo.equal(device.frames.damaged, 0, "no damaged frame from the device")


def story_uri(demo: Demo, _seed: int) -> None:
    """Payloads by URI, flash all 0xFF at first, with power cuts."""
    v1 = build.plain(IMAGES["1"], 1)
    v2 = build.encrypted(IMAGES["2"], 2, "v2 uri", is_inside=False)
    with Board(demo, "uri: payloads fetched, flash all 0xFF, power cuts", 0xFF) as board:
        device = board.device
        board.waits()

        # In the loader, plain: after the reset only the page in progress is asked for again.
        payload_at = v1.payload_at(0)
        board.send(v1, cut_at=payload_at + 2 * PAGE + 500, title="v1, plain")
        board.cut()
        board.waits()
        old = board.status()
        result, _ = board.send(v1, title="v1, again")
        now = board.account("v1, resumed")
        assert result is not None
        size = len(IMAGES["1"][0])
        demo.equal(
            (result.code, now.programmed - old.programmed, now.erased - old.erased),
            (0, words(size) - 2 * PAGE + 32 + 16 + words(len(v1.stored)) + RECORD,
             SLOT_PAGES - 2 + 1),
            "power cut in the third page of v1: goes on there",
        )
        demo.says(device.expect("update complete"))
        board.installed(0, v1)
        board.check_slots("slots read back")
        board.reset()
        board.boots("1", 0, 1)

        # In the firmware, encrypted, served by the host; two cuts.
        size = len(IMAGES["2"][1])
        asked = 0
        for cut_at in (len(v2.envelope) + 3 * PAGE + 300, len(v2.envelope) + 2 * PAGE):
            _, needs = board.send(v2, cut_at=cut_at, title="v2, encrypted, from the server")
            sent = -(-(cut_at - len(v2.envelope)) // FRAME) * FRAME
            demo.check(len(needs) == 1 and needs[0].uri == "coap://u.example/2b"
                       and needs[0].size == size + 16 and needs[0].offset % PAGE == 0,
                       f"asks for {needs[0].uri} from {needs[0].offset}", str(needs))
            asked += sent
            board.cut()
            board.boots("1", 0, 1)
        result, needs = board.send(v2, title="v2, encrypted, resumed")
        assert result is not None
        asked += size + 16 - needs[0].offset
        board.account("v2, resumed twice")
        demo.equal(result.code, 0, "v2 by URI: installed in slot B after two power cuts")
        demo.says(device.expect("update complete"))
        demo.check(size + 16 <= asked <= size + 16 + 2 * PAGE,
                   f"{asked} bytes asked for of {size + 16}: at most a page twice per cut")
        board.installed(1, v2)
        board.check_slots("slots read back")
        board.check_ram()
        board.reset()
        board.boots("2", 1, 2)
        board.check_state("v2 is confirmed")

        console.print("  offered to the running v2:")
        v3 = build.encrypted(IMAGES["2"], 3, "v3 uri", is_inside=False)
        lost = Update(**{**vars(v3), "payloads": {u: p[:1000] for u, p in v3.payloads.items()}})
        board.refuse("source lost", lost, E_FETCH, v3.at_install(build.COPY), section=INSTALL,
                     label=build.COPY, source_lost=True)
        board.slots.erase(0)
        board.check_alive("2", 1)
        board.check_slots("slot A erased")
        bad = {u: flip(p, len(p) - 3) for u, p in v3.payloads.items()}
        broken = Update(**{**vars(v3), "payloads": bad})
        board.refuse("flipped bit in the tag", broken, E_DECRYPT, v3.at_install(build.COPY),
                     section=INSTALL, label=build.COPY)
        board.check_alive("2", 1)
        board.check_slots("slot A erased")
        demo.equal(device.repeated, 0, "no frame had to be repeated")


def story_cuts(demo: Demo, _seed: int) -> None:
    """Power cuts counted in flash operations, while v1 runs and v2 is being installed."""
    v1 = build.plain(IMAGES["1"], 1)
    v2 = build.encrypted(IMAGES["2"], 2, "v2 cut", is_inside=False)
    v3 = build.encrypted(IMAGES["2"], 3, "v3 cut", is_inside=False)
    erase, program, _ = flash_functions()
    size = len(IMAGES["2"][1])
    with Board(demo, "cuts: power cut at flash operations", 0xFF) as board:
        device = board.device
        board.waits()
        board.install(v1, 0, "v1, plain")
        board.reset()
        board.boots("1", 0, 1)

        def offer(update: Update, addr: int, count: int) -> None:
            """An update that is cut; v1 must run again, from an untouched slot."""
            board.qemu.cut_at([addr], count)
            try:
                board.send(update)
                raise LinkError("the power cut did not happen")
            except PowerCut:
                board.before = None
            board.state.start(True)
            device.expect("slot A: starting sequence 1")
            device.expect("[fw v1/A] confirm: 0")

        # The manifest area, the image's pages, the rest of the slot, the candidate's record.
        cuts = [*range(1, pages(size) + 2), SLOT_PAGES // 2, SLOT_PAGES, SLOT_PAGES + 1]
        for count in cuts:
            offer(v2, erase, count)
        board.check_slots(f"{len(cuts)} cuts, one before each erase: v1 runs", "A")
        board.check_alive("1", 0)
        # Before the n-th call that programs a block; the very first one programs the identity.
        have, want, got = 0, [], []
        for count in (1, 2, 18, 18, 5, 30, 40):
            want.append(have)
            offer(v2, program, count)
            got += [need.offset for need in board.needs]
            written = have + (count - 1) * FRAME if count > 2 else 0
            have = max(0, written - 1) // PAGE * PAGE
        demo.equal(got, want[1:], "cuts between blocks: goes on at the last page in use")
        board.check_slots(f"{len(want)} cuts: v1 runs", "A")
        board.check_alive("1", 0)
        # Part of v2 is in slot B now. An attempt with v3 that is cut while it erases must not
        # make v2 believe that its part is still there.
        offer(v3, erase, 4)
        result, needs = board.send(v2, title="v2")
        assert result is not None
        demo.equal((result.code, needs[0].offset), (0, 0),
                   "v2 after v3's erasing was cut: from the start, first attempt succeeds")
        device.expect("update complete")
        board.installed(1, v2)
        board.check_slots("slots read back")
        board.reset()
        board.boots("2", 1, 2)
        board.check_state("v2 is confirmed")


def measure(demo: Demo) -> dict[str, int]:
    """Stack of each call while the loader alone takes an update, and the work buffer."""
    figures: dict[str, int] = {}
    painted: dict[str, int] = {}
    cases = {
        "encrypted_ab": build.encrypted(IMAGES["2"], 2, "v2"),
        "encrypted_uri": build.encrypted(IMAGES["2"], 2, "v2 uri", is_inside=False),
        "plain": build.plain_one(IMAGES["1"][0], 1, 320),
    }
    for name, update in cases.items():
        title = f"measure-{name}: manifest of {len(update.manifest)} bytes, loader alone"
        with Board(demo, title, 0xFF) as board:
            board.waits()
            result, _ = board.send(update, is_measured=True)
            status = board.account(f"measured, {name}")
            assert result is not None
            demo.equal(result.code, 0, f"installed; work used {status.work_used} bytes")
            deepest = max(status.depth, key=lambda call: status.depth[call])
            stack = status.depth[deepest]
            context = status.context
            total = context + status.work_used + stack
            console.print(f"       deepest call picosuit_{deepest}: {stack} bytes of stack")
            console.print(f"       context {context} + work {status.work_used} + stack {stack} = "
                          f"{total}")
            figures |= {
                "sizeof_picosuit": context,
                f"manifest_{name}": len(update.manifest),
                f"wrapper_{name}": update.wrapper_len,
                f"work_used_{name}": status.work_used,
                f"painted_stack_{name}": stack,
                f"total_{name}": total,
                f"ram_high_water_{name}": sum(demo.static[:1]) + MAP["MAP_STACK_TOP"]
                - status.lowest,
            }
            for call, depth in status.depth.items():
                key = f"picosuit_{call}"
                painted[key] = max(painted.get(key, 0), depth)
    figures["painted_stack"] = max(painted.values())
    (OUT / "painted").mkdir(exist_ok=True)
    (OUT / "painted/device.csv").write_text(
        "".join(f"{k},{v}\n" for k, v in painted.items() if v)
    )
    return figures


def table(demo: Demo) -> None:
    view = Table(title="What it cost, in bytes and pages")
    view.add_column("transfer", no_wrap=True)
    for title in ("received", "flash written", "erased", "stack", "work used"):
        view.add_column(title, justify="right")
    for row in demo.traffic:
        view.add_row(row.what, str(row.received), str(row.programmed), str(row.erased),
                     str(row.stack), str(row.work))
    console.print()
    console.print(view)
    console.print(f"RAM high-water mark: {demo.high} of 8192 bytes (static {demo.static[0]} + "
                  f"{demo.static[1]}, stack {demo.high - sum(demo.static)}); work buffer 832")


def main() -> int:
    options = argparse.ArgumentParser(description="Real updates on an emulated Cortex-M0")
    options.add_argument("--seed", type=int, default=1, help="of the power cuts and of garbage")
    options.add_argument("--only", help="name of the one story to tell, for debugging")
    given = options.parse_args()
    os.chdir(ROOT)
    started = time.monotonic()
    demo = Demo()
    figures: dict[str, int] = {}
    try:
        make_device(demo)
        for story in (demo_tool.story_tool, story_inside, story_uri, story_cuts,
                      *demo_boot.STORIES):
            if given.only in (None, story.__name__.removeprefix("story_")):
                begun = time.monotonic()
                story(demo, given.seed)
                console.print(f"       ({time.monotonic() - begun:.1f} s)")
        if given.only is None:
            figures = measure(demo)
            table(demo)
    except (LinkError, OSError) as error:
        demo.check(False, "the demo goes on", f"{type(error).__name__}: {error}")
    (OUT / "m0").mkdir(parents=True, exist_ok=True)
    (OUT / "m0/demo.log").write_text("\n".join(demo.log) + "\n")
    if figures and demo.failed == 0:
        figures |= {"ram_high_water": demo.high, "static_loader": demo.static[0],
                    "static_firmware": demo.static[1]}
        (OUT / "m0/measured.json").write_text(json.dumps(figures, indent=2) + "\n")
        (OUT / "now").mkdir(exist_ok=True)
        (OUT / "now/demo.csv").write_text(
            f"work_demo_ab,{figures['work_used_encrypted_ab']}\n"
            f"work_plain,{figures['work_used_plain']}\n"
        )
    seconds = time.monotonic() - started
    colour = "red" if demo.failed else "green"
    verdict = f"demo: {demo.passed} passed, {demo.failed} failed"
    console.print(f"[{colour}]{verdict}[/] in {seconds:.0f} s")
    return 1 if demo.failed else 0


if __name__ == "__main__":
    sys.exit(main())
