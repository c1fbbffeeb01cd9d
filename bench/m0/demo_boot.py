# SPDX-License-Identifier: MIT
"""Stories of the boot state: images that do not confirm, that hang, power cuts everywhere, a
flash of which nothing is left, new keys. docs/boot.md has the rules they are held against."""
from __future__ import annotations

import dataclasses
import random
import re
import zlib
from dataclasses import dataclass
from typing import Any

import device_envelope as build
from demo_board import (
    E_AUTH, E_REJECTED, E_ROLLBACK, E_TRAILING, E_TRIAL, FRESH, IDLE, IMAGES, MAP, NOBODY, PAGE,
    PHASES, SLOT, TRIES, Board, Demo, State, console, flash_functions, flip, in_words,
)  # fmt: skip
from device_envelope import Update
from device_link import LinkError, PowerCut, frames


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
        demo.equal(line.split()[-1], device.report(frames.Q_BOOT).hex(),
                   "the firmware has the same report")

        console.print("  a byte of v4's image goes bad, then v4 comes once more:")
        at = len(IMAGES["4"][0]) // 2
        board.overwrite(SLOT[0] + at, flip(IMAGES["4"][0], at)[at : at + 1])
        board.boots("2", 1, 2, is_fallback=True)
        board.check_state("v2 runs in place of v4, the floor stays")
        refuse_unheard(board, "v2 again", build.plain(IMAGES["2"], 3), E_ROLLBACK,
                       v3n.at_sequence())
        board.install(v4, 0, "v4 again")
        board.reset()
        board.boots("4", 0, 5)
        board.check_state("v4 is back")

        console.print("  a byte appears behind v4's image:")
        board.overwrite(SLOT[0] + len(IMAGES["4"][0]) + PAGE, b"\x55")
        board.boots("2", 1, 2, is_fallback=True)
        result, _ = board.send(v4)
        demo.equal(result and result.code, E_TRAILING,
                   "v4 again: its image is in place, but not alone")
        demo.says(device.expect("refused"))
        board.before = board.status()
        board.install(v4, 0, "v4 again")
        board.reset()
        board.boots("4", 0, 5)
        board.check_state("v4 is back")


# -- power cuts --------------------------------------------------------------------------------

CUTS = 20


@dataclass(frozen=True)
class Cut:
    """A power cut, counted from where the last one left the device."""

    kind: str
    count: int

    def __str__(self) -> str:
        return f"{self.kind} {self.count}"


BYTE, TRANSFER, BOOT = "byte", "flash call", "word of a boot"


def cut_points(seed: int) -> list[Cut]:
    """Half of them in the flash work of a transfer (about 240 calls that erase a page or
    program a block), the rest among the bytes received, and among the pages and words of the
    journal records in the boot that follows (two records of 28 words, or one)."""
    draw = random.Random(seed)
    most = {BYTE: 7000, TRANSFER: 240, BOOT: 58}
    kinds = [draw.choice((BYTE, TRANSFER, TRANSFER, BOOT)) for _ in range(CUTS)]
    return [Cut(kind, draw.randint(1, most[kind])) for kind in kinds]


class Power:
    """Updates one after another while the power fails."""

    def __init__(self, board: Board) -> None:
        self.board, self.demo = board, board.demo
        self.erase, self.program, self.word = flash_functions()
        self.sequence = self.floor = 1  # of what runs; highest confirmed
        self.slot = 0
        self.completed = self.rolled_back = 0
        self.next_update(2)

    @staticmethod
    def images(sequence: int) -> tuple[bytes, bytes]:
        """v1, v2 and v4 in turn: no slot is offered what it holds, which would need no work."""
        return IMAGES["412"[sequence % 3]]

    def next_update(self, sequence: int) -> None:
        self.update = build.encrypted(
            self.images(sequence), sequence, f"power {sequence}", is_inside=False)

    def live(self, cut: Cut) -> str:
        """Goes on until the power is cut; says where that was."""
        qemu, left = self.board.qemu, cut.count
        if cut.kind == TRANSFER:
            qemu.cut_at((self.erase, self.program), left)
        try:
            while True:
                result, _ = self.board.send(
                    self.update, cut_at=left if cut.kind == BYTE else None, title=str(cut))
                if result is None:
                    self.board.cut()
                    return f"after byte {self.board.sent}"
                if result.code != 0:
                    raise LinkError(f"update {self.update.sequence} refused: {result}")
                if cut.kind == BYTE:
                    left -= self.board.sent
                elif cut.kind == BOOT and qemu.trap is None:
                    qemu.cut_at((self.erase, self.word), left)
                self.board.reset()
                self.come_up()
        except PowerCut:
            what = "erasing" if qemu.trap_at == self.erase else "programming"
            return f"before {what} {place(qemu.trap_argument)}"

    def come_up(self) -> dict[int, Any]:
        """After a reset: an image that is good starts, none older than what was confirmed."""
        device = self.board.device
        start = device.expect(": starting sequence ")
        found = re.search(r"slot (.): starting sequence (\d+)", start)
        assert found is not None
        slot, sequence = "AB".index(found[1]), int(found[2])
        device.expect("confirm: 0")
        report = self.board.boot_report()
        phase, running, tries, floor, epoch, candidate, rejected = report[-1]
        is_good = (
            phase in (IDLE, FRESH) and running == slot and floor == sequence and epoch == 0
            and candidate is None and sequence >= self.floor
            and self.board.status().refused == 0  # no programming of what is not erased
        )
        if sequence == self.update.sequence:
            self.completed += 1
            self.next_update(sequence + 1)
        elif rejected == self.update.sequence:  # cut in each of its starts
            self.rolled_back += 1
            self.next_update(rejected + 1)
        else:
            is_good = is_good and (slot, sequence) == (self.slot, self.sequence)
        if not is_good:
            raise LinkError(f"{start}, running before {self.sequence}: {report}")
        self.slot, self.sequence, self.floor = slot, sequence, floor
        return report

    def check(self, number: int, cut: Cut, where: str) -> None:
        report = self.come_up()
        image = self.images(self.sequence)[self.slot]
        line = self.board.device.message("h", "heartbeat")
        crc = f"image {len(image)} bytes, crc {zlib.crc32(image):08x}"
        phase = PHASES[report[-1][0]]
        self.demo.check(
            crc in line, f"cut {number:2}: {cut}, {where}: sequence {self.sequence} runs from "
            f"slot {'AB'[self.slot]}, {phase}, floor {self.floor}", line,
        )


def place(addr: int) -> str:
    for n, base in enumerate(SLOT):
        if base <= addr < base + MAP["MAP_IMAGE_MAX"]:
            return f"slot {'AB'[n]}, page {(addr - base) // PAGE}"
        if base <= addr < base + MAP["MAP_SLOT_SIZE"]:
            return f"slot {'AB'[n]}, manifest"
    if MAP["MAP_JOURNAL"] <= addr < MAP["MAP_KEYS"]:
        page, word = divmod(addr - MAP["MAP_JOURNAL"], PAGE)
        return f"journal, page {page}, word {word // 4}"
    return f"{addr:05x}"


def story_power(demo: Demo, seed: int) -> None:
    """The power fails at seeded points of updates that follow one another."""
    cuts = cut_points(seed)
    with Board(demo, f"power: {CUTS} power cuts, seed {seed}", 0xFF) as board:
        console.print("       " + ", ".join(map(str, cuts)))
        start_with(board, "1")
        power = Power(board)
        for number, cut in enumerate(cuts, 1):
            power.check(number, cut, power.live(cut))
        update = power.update
        result, _ = board.send(update, title="without a cut")
        assert result is not None
        demo.equal(result.code, 0, f"update {update.sequence} without a cut: installed")
        board.reset()
        report = power.come_up()
        demo.says("report: " + in_words(report))
        demo.equal(
            (power.sequence, report[99][1][1], report[4]), (update.sequence, update.digest, True),
            f"it is confirmed; {power.completed} updates completed, {power.rolled_back} were cut "
            "in each of their starts",
        )  # fmt: skip
        board.slots.put(power.slot, update)
        board.check_slots("slot read back", "AB"[power.slot])
        board.check_ram()


# -- nothing left ------------------------------------------------------------------------------


def story_safe(demo: Demo, seed: int) -> None:
    """Journal and slots are overwritten: the device answers, and takes a signed image."""
    draw = random.Random(seed)
    with Board(demo, f"safe: flash is destroyed, seed {seed}", 0x00) as board:
        v2 = start_with(board, "1", "2")["2"]
        board.check_state("v2 is confirmed")

        console.print("  both slots are destroyed, the journal is not:")
        board.overwrite(SLOT[0], draw.randbytes(MAP["MAP_JOURNAL"] - SLOT[0]))
        board.waits("no slot passes its check")
        board.state.start(True)
        board.state.running = NOBODY
        board.check_state("nothing runs, the floor stands")
        old = build.plain(IMAGES["1"], 1)
        refuse_unheard(board, "v1", old, E_ROLLBACK, old.at_sequence())
        v4 = build.plain(IMAGES["4"], 3)
        board.slots.data[1][:] = board.qemu.memory(SLOT[1], MAP["MAP_SLOT_SIZE"])
        board.install(v4, 0, "v4")
        board.reset()
        board.boots("4", 0, 3)
        board.check_state("v4 is confirmed")

        console.print("  slots, journal and key sets are destroyed:")
        board.overwrite(SLOT[0], draw.randbytes(MAP["MAP_PORT"] - SLOT[0]))
        board.waits()
        board.state = State()
        board.check_state("nothing runs, nothing is known")
        strange = build.plain(IMAGES["2"], 9, [build.suit.STRANGER])
        refuse_unheard(board, "signed by a stranger", strange, E_AUTH, strange.at_wrapper())
        board.slots.data[1][:] = board.qemu.memory(SLOT[1], MAP["MAP_SLOT_SIZE"])
        board.install(v2, 0, "v2")
        board.check_state("v2 waits for its first start")
        board.reset()
        board.boots("2", 0, 2)
        board.check_state("v2 is confirmed")
        board.check_ram()


# -- keys --------------------------------------------------------------------------------------


def story_keys(demo: Demo, _seed: int) -> None:
    """The key set is changed over the UART; the old signer is refused from then on."""
    root = dataclasses.replace(build.ROOT, kid=b"root")
    other = build.suit.BOOT_B
    with Board(demo, "keys: another signer", 0xFF) as board:
        device = board.device
        start_with(board, "1")
        console.print("  keys that would lock out what is installed:")
        lock = build.keys_only([other], 2, root)
        result, _ = board.send(lock, title="keys")
        demo.equal(result and result.code, E_AUTH,
                   "a set under which the confirmed image is not authentic")
        demo.says(device.expect("refused"))
        board.before = board.status()
        board.check_state("as before")

        console.print("  v2, signed by both; then the set without the old signer:")
        board.install(build.plain(IMAGES["2"], 3, [root, other]), 1, "v2")
        board.reset()
        board.boots("2", 1, 3)
        keys = build.keys_only([other], 4, root)
        result, _ = board.send(keys, title="keys")
        demo.equal(result and result.code, 0, "keys: installed")
        demo.says(device.expect("update complete: sequence 4"))
        board.state.install_keys(keys)
        board.check_state("the keys wait for their first start")
        board.reset()
        board.boots("2", 1, 3)
        board.check_state("the keys are confirmed")
        v4 = build.plain(IMAGES["4"], 5, [root])
        refuse_unheard(board, "v4 signed by the old key", v4, E_AUTH, v4.at_wrapper())
        board.install(build.plain(IMAGES["4"], 5, [other]), 0, "v4 signed by the new key")
        board.reset()
        board.boots("4", 0, 5)
        board.check_state("v4 is confirmed under the new key set")


STORIES = (story_trial, story_power, story_safe, story_keys)
