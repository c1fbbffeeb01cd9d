#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo: a Cortex-M0 under QEMU takes real updates, and refuses bad ones.

Three stories, each from an empty flash, and a measurement. Every step says ok or FAIL; what a
step expects (codes, offsets, flash contents) is computed here from the envelope's structure and
a model of the slots. Exit status 1 on any difference. README.md tells the stories.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("O") or "build")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cbor2  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: E402
from rich.table import Table  # noqa: E402

import device_envelope as build  # noqa: E402
from device_envelope import Update  # noqa: E402
from device_link import Ack, Device, LinkError, Need, PowerCut, Qemu, Result, Status  # noqa: E402

FRAME = 64
E_TRUNCATED, E_AUTH, E_DIGEST, E_ROLLBACK, E_CONDITION = -14, -32, -33, -35, -50
E_FETCH, E_DECRYPT, E_PLATFORM = -60, -62, -70
NAMES = {
    E_TRUNCATED: "E_TRUNCATED", E_AUTH: "E_AUTH", E_DIGEST: "E_DIGEST", E_ROLLBACK: "E_ROLLBACK",
    E_CONDITION: "E_CONDITION", E_FETCH: "E_FETCH", E_DECRYPT: "E_DECRYPT",
    E_PLATFORM: "E_PLATFORM",
}  # fmt: skip
SHARED, INSTALL = 3, 20  # sections
TRIES = -3  # the port's answer after three wrong tags
REASONS = {0: 0, E_DIGEST: 4, E_CONDITION: 10, E_DECRYPT: 11}  # of a SUIT_Report

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console = Console(highlight=False, soft_wrap=True, width=100)


# -- what the C code says about memory ---------------------------------------------------------


def memory_map() -> dict[str, int]:
    text = (ROOT / "bench/m0/device_map.h").read_text()
    found = re.findall(r"#define ((?:MAP|MAN)_\w+) (0x[0-9A-Fa-f]+|\d+)\b", text)
    return {name: int(value, 0) for name, value in found}


MAP = memory_map()
PAGE = MAP["MAP_PAGE"]
SLOT = (MAP["MAP_SLOT_A"], MAP["MAP_SLOT_B"])
FIELDS = struct.Struct("<III")  # length, inverted length, envelope length


def fill(start: int, end: int) -> bytes:
    """What the reset handler leaves in RAM."""
    words = (
        ((a ^ MAP["MAP_FILL_SEED"]) * MAP["MAP_FILL_MUL"]) & 0xFFFFFFFF
        for a in range(start, end, 4)
    )
    return b"".join(w.to_bytes(4, "little") for w in words)


def pages(size: int) -> int:
    return -(-size // PAGE)


def words(size: int) -> int:
    """Bytes of flash that `size` bytes take."""
    return -(-size // 4) * 4


class Slots:
    """What both slots must hold, byte by byte."""

    def __init__(self, erased: int) -> None:
        self.data = [bytearray([erased]) * MAP["MAP_SLOT_SIZE"] for _ in SLOT]

    def erase(self, slot: int) -> None:
        self.data[slot][:] = b"\xff" * MAP["MAP_SLOT_SIZE"]

    def to_erase(self, slot: int, size: int) -> int:
        """Pages to erase for an image of this size: its own, what else is not blank, and the
        manifest page."""
        behind = range(pages(size) * PAGE, MAP["MAP_IMAGE_MAX"], PAGE)
        blank = b"\xff" * PAGE
        return pages(size) + sum(self.data[slot][p : p + PAGE] != blank for p in behind) + 1

    def put(self, slot: int, update: Update) -> None:
        """A complete update."""
        image, at = update.images[slot], MAP["MAP_IMAGE_MAX"]
        size = len(image)
        page = update.digest + FIELDS.pack(size, size ^ 0xFFFFFFFF, len(update.stored))
        page += update.stored
        self.erase(slot)
        self.data[slot][:size] = image
        self.data[slot][at : at + len(page)] = page


# -- steps -------------------------------------------------------------------------------------


@dataclass
class Traffic:
    """A row of the table at the end."""

    what: str
    received: int
    programmed: int
    erased: int
    stack: int
    work: int


@dataclass
class Demo:
    passed: int = 0
    failed: int = 0
    traffic: list[Traffic] = field(default_factory=list)
    high: int = 0  # RAM high-water mark
    static: tuple[int, int] = (0, 0)  # static bytes of loader and firmware
    log: list[str] = field(default_factory=list)

    def check(self, is_ok: bool, what: str, detail: str = "") -> bool:
        if is_ok:
            self.passed += 1
            console.print(f"  [green]ok[/]   {what}")
        else:
            self.failed += 1
            console.print(f"  [red]FAIL[/] {what}", markup=True)
        if detail and not is_ok:
            console.print(f"       {detail}", markup=False, style="red")
        return is_ok

    def equal(self, got: object, want: object, what: str) -> bool:
        return self.check(got == want, what, f"got {got}, want {want}")

    def says(self, line: str) -> None:
        console.print(f"       {line}", markup=False, style="cyan")


class Board:
    """One device from the first start on: QEMU, the UART, and what its flash must hold."""

    def __init__(self, demo: Demo, name: str, erased: int) -> None:
        self.demo, self.name = demo, name
        console.print(f"\n[bold]{name}[/]")
        self.qemu = Qemu(OUT / "m0" / "qemu", name.split(":")[0], OUT / "m0/boot.elf", erased)
        self.device = Device(self.qemu)
        self.slots = Slots(erased)
        self.before: Status | None = None  # counters at the last look
        self.lowest = MAP["MAP_STACK_TOP"]
        self.needs: list[Need] = []  # what the last transfer asked for

    def __enter__(self) -> Board:
        self.qemu.run()
        return self

    def __exit__(self, *_: object) -> None:
        story = self.name.split(":")[0]
        self.demo.log += [f"{story} | {line}" for line in self.device.lines]
        self.qemu.stop()

    # -- looking ---------------------------------------------------------------------------------

    def status(self) -> Status:
        status = self.device.status()
        self.lowest = min(self.lowest, status.lowest)
        return status

    def check_slots(self, what: str, which: str = "AB") -> None:
        """Reads slots back through the monitor and compares them with the model."""
        detail, digests = "", ""
        for n, name in enumerate("AB"):
            if name in which:
                want = bytes(self.slots.data[n])
                got = self.qemu.memory(SLOT[n], MAP["MAP_SLOT_SIZE"])
                digests += f" {name} {hashlib.sha256(got).hexdigest()[:16]}"
                if hashlib.sha256(got).digest() != hashlib.sha256(want).digest():
                    at = next(i for i in range(len(want)) if got[i] != want[i])
                    detail += f"slot {name} differs at {at}: {got[at]:02x}, not {want[at]:02x}; "
        self.demo.check(not detail, f"{what}:{digests}", detail)

    def check_alive(self, version: int, slot: int) -> None:
        """The firmware answers, and knows the CRC of the image it runs from."""
        image = IMAGES[version][slot]
        name = f"[fw v{version}/{'AB'[slot]}]"
        line = self.device.message("h", f"{name} heartbeat")
        want = f"image {len(image)} bytes, crc {zlib.crc32(image):08x}"
        self.demo.check(want in line, f"heartbeat of v{version} in slot {'AB'[slot]}", line)

    def boots(self, version: int, slot: int, sequence: int) -> None:
        """After a reset: which slot, and its firmware says so."""
        start = self.device.expect(f"slot {'AB'[slot]}: starting sequence {sequence}")
        line = self.device.expect("running")
        self.demo.says(start)
        self.status()
        self.demo.equal(line, f"[fw v{version}/{'AB'[slot]}] running",
                        f"v{version} runs from slot {'AB'[slot]}")
        self.before = None
        self.check_alive(version, slot)

    def check_ram(self) -> None:
        """Nothing above 8 KiB was ever touched since the last reset."""
        top = MAP["MAP_STACK_TOP"]
        upper = self.qemu.memory(top, MAP["MAP_RAM_REAL"] - top)
        self.demo.check(upper == fill(top, MAP["MAP_RAM_REAL"]), "RAM above 8 KiB is untouched")
        used = sum(self.demo.static) + top - self.lowest
        self.demo.high = max(self.demo.high, used)
        self.demo.check(self.lowest > MAP["MAP_STACK_LOW"], f"RAM high-water mark {used} of 8192")

    # -- transfers -------------------------------------------------------------------------------

    def reset(self) -> None:
        self.device.request("B")

    def cut(self) -> None:
        """Power off and on."""
        self.status()
        self.qemu.reset()
        self.before = None

    def send(
        self, update: Update, envelope: bytes | None = None, *, length: int | None = None,
        cut_at: int | None = None, is_measured: bool = False, source_lost: bool = False,
        at_half: Callable[[], None] | None = None, title: str = "",
    ) -> tuple[Result | None, list[Need]]:  # fmt: skip
        """Feeds an envelope in frames of 64 bytes and serves what it fetches. Result: None if
        the power was cut at byte `cut_at`. `envelope` replaces the update's (damaged), of
        which `length` bytes are sent."""
        device = self.device
        needs = self.needs = []
        data = (update.envelope if envelope is None else envelope)[:length]
        total = len(data) + sum(len(p) for p in list(update.payloads.values())[:1])
        sent = 0
        with Progress(
            TextColumn("       {task.description}"), BarColumn(), DownloadColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        ) as progress:  # fmt: skip
            task = progress.add_task(title or "sending", total=total)
            answer: Ack | Need | Result = device.request("S", b"\1" if is_measured else b"")

            def pieces(kind: str, source: bytes) -> bool:
                """Until something else than an acknowledgement comes; False: power cut."""
                nonlocal answer, sent
                for off in range(0, len(source), FRAME):
                    answer = device.request(kind, source[off : off + FRAME])
                    sent += len(source[off : off + FRAME])
                    progress.update(task, completed=sent)
                    if cut_at is not None and sent >= cut_at:
                        return False
                    if at_half is not None and sent - FRAME < total // 2 <= sent:
                        at_half()
                    if not isinstance(answer, Ack):
                        break
                return True

            if not pieces("E", data):
                return None, needs
            if isinstance(answer, Ack):
                answer = device.request("Z")
            while isinstance(answer, Need):
                needs.append(answer)
                if not pieces("P", update.payloads[answer.uri][answer.offset :]):
                    return None, needs
                if isinstance(answer, Ack):
                    answer = device.request("F", b"\0" if source_lost else b"\1")
        if not isinstance(answer, Result):
            raise LinkError(f"transfer ended with {answer}")
        return answer, needs

    def account(self, what: str) -> Status:
        """Adds the last transfer to the table; counters start anew at a reset."""
        now, old = self.status(), self.before
        self.before = now
        programmed = now.programmed - (old.programmed if old else 0)
        erased = now.erased - (old.erased if old else 0)
        stack = MAP["MAP_STACK_TOP"] - now.lowest
        self.demo.traffic.append(
            Traffic(what, now.received, programmed, erased, stack, now.work_used)
        )
        return now

    def install(
        self, update: Update, slot: int, what: str, *, cut_at: int | None = None,
        at_half: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """An update that must succeed, and do exactly the flash work it needs."""
        result, _ = self.send(update, at_half=at_half, title=what)
        assert result is not None
        self.demo.equal(result.code, 0, f"{what}: installed in slot {'AB'[slot]}")
        if result.code != 0:
            self.demo.says(self.device.lines[-1])
            raise LinkError("cannot go on")
        line = self.device.expect(f"update complete: sequence {update.sequence}")
        self.demo.says(line)
        before = self.before
        now = self.account(what)
        size = len(update.images[slot])
        self.demo.equal(
            (now.programmed - (before.programmed if before else 0),
             now.erased - (before.erased if before else 0), now.refused),
            (words(size) + 32 + 12 + words(len(update.stored)),
             self.slots.to_erase(slot, size), 0),
            f"{what}: flash work, bytes programmed and pages erased",
        )  # fmt: skip
        self.slots.put(slot, update)
        self.check_slots("slots read back")

    def refuse(
        self, what: str, update: Update, code: int, offset: int, *,
        envelope: bytes | None = None, length: int | None = None, section: int | None = None,
        label: int | None = None, platform: int | None = None, source_lost: bool = False,
    ) -> None:  # fmt: skip
        """An update that must be refused with this code at this offset, and say so."""
        result, _ = self.send(
            update, envelope, length=length, source_lost=source_lost, title=what
        )  # fmt: skip
        assert result is not None
        got, want = [result.code, result.offset], [code, offset]
        for given, value in ((section, result.section), (label, result.label),
                             (platform, result.platform)):
            if given is not None:
                got.append(value)
                want.append(given)
        self.demo.equal(got, want, f"{what}: {NAMES[code]} ({code}) at {offset}")
        line = self.device.expect("refused: ")
        self.demo.says(line)
        self.demo.check(
            line.startswith(f"[boot] refused: {NAMES[code]} ({code}) at {offset}: "),
            "the printed reason says the same", line,
        )  # fmt: skip
        self.account(what)

    def check_report(self, update: Update, code: int) -> None:
        report = cbor2.loads(self.device.report())
        digest = cbor2.loads(report[99][1]) if isinstance(report[99][1], bytes) else report[99][1]
        reason = 0 if report[4] is True else report[4][7]
        self.demo.equal((digest[1], reason), (update.digest, REASONS[code]),
                        f"SUIT_Report: this manifest, reason {REASONS[code]}")


# -- the stories -------------------------------------------------------------------------------

IMAGES: dict[int, tuple[bytes, bytes]] = {}


def make_device(demo: Demo) -> None:
    console.print("[bold]Building[/]")
    started = time.monotonic()
    command = ["make", "-s", "-f", "bench/m0/device.mk", "device", f"O={OUT}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if not demo.check(made.returncode == 0, "boot loader and firmware, each for both slots",
                      made.stdout + made.stderr):
        raise LinkError("nothing to run")
    for version in (1, 2):
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
        f"{demo.static[0]} + {demo.static[1]} (firmware); v1 {len(IMAGES[1][0])} bytes, "
        f"v2 {len(IMAGES[2][0])} bytes ({time.monotonic() - started:.1f} s)"
    )


def symbol(elf: str, name: str) -> int:
    tool = os.environ.get("CROSS", "arm-none-eabi-") + "nm"
    text = subprocess.run([tool, str(OUT / "m0" / elf)], capture_output=True, text=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {name}$", text, re.M)
    if found is None:
        raise LinkError(f"{elf} has no {name}")
    return int(found[1], 16)


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def story_inside(demo: Demo) -> None:
    """Payloads inside the envelopes, flash all 0x00 at first; then the refusals."""
    v1 = build.plain(IMAGES[1], 1)
    v2 = build.encrypted(IMAGES[2], 2, "v2")
    v3 = build.encrypted(IMAGES[2], 3, "v3")
    with Board(demo, "inside: payloads in the envelope, flash all 0x00", 0x00) as board:
        device = board.device
        demo.says(device.expect("waiting for an update"))
        board.install(v1, 0, "v1, plain")
        board.reset()
        board.boots(1, 0, 1)
        board.install(v2, 1, "v2, encrypted, while v1 runs",
                      at_half=lambda: board.check_alive(1, 0))
        board.check_report(v2, 0)
        board.check_ram()
        board.reset()
        board.boots(2, 1, 2)

        console.print("  offered to the running v2:")
        middle = v3.at_manifest() + len(v3.manifest) // 2

        def after(what: str) -> None:
            board.check_alive(2, 1)
            board.check_slots(what)

        board.refuse("flipped bit in the manifest", v3, E_DIGEST, v3.at_manifest(),
                     envelope=flip(v3.envelope, middle))
        after("nothing touched")
        board.refuse("older sequence number", v1, E_ROLLBACK, v1.at_sequence())
        after("nothing touched")
        other = build.encrypted(IMAGES[2], 3, "class", class_id=hashlib.md5(b"other").digest())
        board.refuse("wrong class id", other, E_CONDITION, other.at_shared(build.CLASS_CHECK),
                     section=SHARED, label=build.CLASS_CHECK)
        board.check_report(other, E_CONDITION)
        after("nothing touched")
        unknown = build.encrypted(IMAGES[2], 3, "v3", signer=build.suit.STRANGER)
        board.refuse("signed by a stranger", unknown, E_AUTH, unknown.at_wrapper())
        after("nothing touched")
        board.refuse("truncated in the manifest", v3, E_TRUNCATED, middle, length=middle)
        after("nothing touched")
        stranger = build.encrypted(IMAGES[2], 3, "other", key=build.suit.OTHER_DEVICE)
        board.refuse("payload for another device", stranger, E_DECRYPT,
                     stranger.at_install(build.COPY), section=INSTALL, label=build.COPY)
        after("nothing touched")

        inside = v3.payload_at(0) + len(IMAGES[2][0]) // 2
        board.refuse("truncated in the payload", v3, E_TRUNCATED, inside, length=inside)
        board.slots.erase(0)
        after("slot A erased")
        for _ in range(3):
            board.refuse("flipped bit in the payload", v3, E_DECRYPT, v3.at_install(build.COPY),
                         envelope=flip(v3.envelope, inside), section=INSTALL, label=build.COPY)
            after("slot A erased")
        board.check_report(v3, E_DECRYPT)
        board.refuse("the same manifest after three wrong tags", v3, E_PLATFORM,
                     v3.at_install(build.COPY), section=INSTALL, platform=TRIES)
        after("nothing touched")

        console.print("  a damaged frame, a newer manifest, a hanging firmware:")
        repeated = device.repeated
        device.qemu.uart.sendall(flip(device.frame("Q", b"s"), 4))
        got = device.pump(10)
        demo.equal(got and chr(got[0]), "K", "a frame with a wrong CRC is not taken")
        demo.equal(device.repeated, repeated, "no frame had to be repeated")
        v4 = build.encrypted(IMAGES[2], 4, "v4")
        board.install(v4, 0, "v2 again under a newer manifest")
        board.check_ram()
        board.reset()
        board.boots(2, 0, 4)
        demo.says(device.message("x", "hanging"))
        board.boots(2, 0, 4)
        demo.equal(device.damaged, 0, "no damaged frame from the device")


def story_uri(demo: Demo) -> None:
    """Payloads by URI, flash all 0xFF at first, with power cuts."""
    v1 = build.plain(IMAGES[1], 1)
    v2 = build.encrypted(IMAGES[2], 2, "v2 uri", is_inside=False)
    with Board(demo, "uri: payloads fetched, flash all 0xFF, power cuts", 0xFF) as board:
        device = board.device
        demo.says(device.expect("waiting for an update"))

        # In the loader, plain: after the reset only the page in progress is asked for again.
        payload_at = v1.payload_at(0)
        board.send(v1, cut_at=payload_at + 2 * PAGE + 500, title="v1, plain")
        board.cut()
        demo.check("waiting" in device.expect("waiting for an update"),
                   "power cut in the third page of v1: the loader waits again")
        result, _ = board.send(v1, title="v1, again")
        now = board.account("v1, resumed")
        assert result is not None
        size = len(IMAGES[1][0])
        demo.equal(
            (result.code, now.programmed, now.erased),
            (0, words(size) - 2 * PAGE + 12 + words(len(v1.stored)), pages(size) - 2),
            "v1 goes on at its third page",
        )
        demo.says(device.expect("update complete"))
        board.slots.put(0, v1)
        board.check_slots("slots read back")
        board.reset()
        board.boots(1, 0, 1)

        # In the firmware, encrypted, served by the host; two cuts.
        size = len(IMAGES[2][1])
        asked = 0
        for cut_at in (len(v2.envelope) + 3 * PAGE + 300, len(v2.envelope) + 2 * PAGE):
            _, needs = board.send(v2, cut_at=cut_at, title="v2, encrypted, from the server")
            sent = -(-(cut_at - len(v2.envelope)) // FRAME) * FRAME
            demo.check(len(needs) == 1 and needs[0].uri == "coap://u.example/2b"
                       and needs[0].size == size + 16 and needs[0].offset % PAGE == 0,
                       f"asks for {needs[0].uri} from {needs[0].offset}", str(needs))
            asked += sent
            board.cut()
            board.boots(1, 0, 1)
        result, needs = board.send(v2, title="v2, encrypted, resumed")
        assert result is not None
        asked += size + 16 - needs[0].offset
        board.account("v2, resumed twice")
        demo.equal(result.code, 0, "v2 by URI: installed in slot B after two power cuts")
        demo.says(device.expect("update complete"))
        demo.check(size + 16 <= asked <= size + 16 + 2 * PAGE,
                   f"{asked} bytes asked for of {size + 16}: at most a page twice per cut")
        board.slots.put(1, v2)
        board.check_slots("slots read back")
        board.check_ram()
        board.reset()
        board.boots(2, 1, 2)

        console.print("  offered to the running v2:")
        v3 = build.encrypted(IMAGES[2], 3, "v3 uri", is_inside=False)
        lost = Update(**{**vars(v3), "payloads": {u: p[:1000] for u, p in v3.payloads.items()}})
        board.refuse("source lost", lost, E_FETCH, v3.at_install(build.COPY), section=INSTALL,
                     label=build.COPY, source_lost=True)
        board.slots.erase(0)
        board.check_alive(2, 1)
        board.check_slots("slot A erased")
        bad = {u: flip(p, len(p) - 3) for u, p in v3.payloads.items()}
        broken = Update(**{**vars(v3), "payloads": bad})
        board.refuse("flipped bit in the tag", broken, E_DECRYPT, v3.at_install(build.COPY),
                     section=INSTALL, label=build.COPY)
        board.check_alive(2, 1)
        board.check_slots("slot A erased")
        demo.equal(device.repeated, 0, "no frame had to be repeated")


def story_cuts(demo: Demo) -> None:
    """Power cuts counted in flash operations, while v1 runs and v2 is being installed."""
    v1 = build.plain(IMAGES[1], 1)
    v2 = build.encrypted(IMAGES[2], 2, "v2 cut", is_inside=False)
    v3 = build.encrypted(IMAGES[2], 3, "v3 cut", is_inside=False)
    erase = symbol("boot.elf", "nrf51_flash_erase") & ~1
    program = symbol("boot.elf", "nrf51_flash_program") & ~1
    size = len(IMAGES[2][1])
    with Board(demo, "cuts: power cut at flash operations", 0xFF) as board:
        device = board.device
        device.expect("waiting for an update")
        board.install(v1, 0, "v1, plain")
        board.reset()
        board.boots(1, 0, 1)

        def offer(update: Update, addr: int, count: int) -> None:
            """An update that is cut; v1 must run again, from an untouched slot."""
            board.qemu.cut_at(addr, count)
            try:
                board.send(update)
                raise LinkError("the power cut did not happen")
            except PowerCut:
                board.before = None
            device.expect("slot A: starting sequence 1")
            device.expect("[fw v1/A] running")

        cuts = list(range(1, pages(size) + 2))
        for count in cuts:
            offer(v2, erase, count)
        board.check_slots(f"{len(cuts)} cuts, one before each erase: v1 runs", "A")
        board.check_alive(1, 0)
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
        board.check_alive(1, 0)
        # Part of v2 is in slot B now. An attempt with v3 that is cut while it erases must not
        # make v2 believe that its part is still there.
        offer(v3, erase, 4)
        result, needs = board.send(v2, title="v2")
        assert result is not None
        demo.equal((result.code, needs[0].offset), (0, 0),
                   "v2 after v3's erasing was cut: from the start, first attempt succeeds")
        board.slots.put(1, v2)
        board.check_slots("slots read back")
        board.reset()
        board.boots(2, 1, 2)


def measure(demo: Demo) -> dict[str, int]:
    """Stack of each call while the loader alone takes an update, and the work buffer."""
    figures: dict[str, int] = {}
    painted: dict[str, int] = {}
    cases = {
        "encrypted_ab": build.encrypted(IMAGES[2], 2, "v2"),
        "encrypted_uri": build.encrypted(IMAGES[2], 2, "v2 uri", is_inside=False),
        "plain": build.plain_one(IMAGES[1][0], 1, 320),
    }
    for name, update in cases.items():
        title = f"measure-{name}: manifest of {len(update.manifest)} bytes, loader alone"
        with Board(demo, title, 0xFF) as board:
            board.device.expect("waiting for an update")
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
    argparse.ArgumentParser(description="Real updates on an emulated Cortex-M0").parse_args()
    os.chdir(ROOT)
    started = time.monotonic()
    demo = Demo()
    figures: dict[str, int] = {}
    try:
        make_device(demo)
        story_inside(demo)
        story_uri(demo)
        story_cuts(demo)
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
