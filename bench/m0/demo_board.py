# SPDX-License-Identifier: MIT
"""What the stories of the demo are told with: a device under QEMU, a model of its flash and of
its boot state, and steps that compare the two.
"""
from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("O") or "build")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cbor2  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: E402

from device_envelope import Update  # noqa: E402
from device_link import Device, LinkError, Qemu, frames  # noqa: E402
from picosuit.author.link import Ack, Need, Result, Status  # noqa: E402

FRAME = 64
E_STATE, E_TRUNCATED, E_TRAILING, E_AUTH, E_DIGEST, E_ROLLBACK = -1, -14, -15, -32, -33, -35
E_REJECTED, E_TRIAL, E_CONDITION, E_FETCH, E_DECRYPT, E_PLATFORM = -37, -38, -50, -60, -62, -70
NAMES = {
    E_TRUNCATED: "E_TRUNCATED", E_TRAILING: "E_TRAILING", E_AUTH: "E_AUTH", E_DIGEST: "E_DIGEST",
    E_ROLLBACK: "E_ROLLBACK", E_REJECTED: "E_REJECTED", E_TRIAL: "E_TRIAL",
    E_CONDITION: "E_CONDITION", E_FETCH: "E_FETCH", E_DECRYPT: "E_DECRYPT",
    E_PLATFORM: "E_PLATFORM",
}  # fmt: skip
REASONS = {0: 0, E_DIGEST: 4, E_CONDITION: 10, E_DECRYPT: 11}  # of a SUIT_Report
TRIES = 3  # times that a candidate is started
RECORD = 112  # bytes of a journal record
NOBODY = 255  # no slot
NONE, IDLE, CAND, TRY, FRESH = range(5)  # phases of the boot state
PHASES = ("no journal", "idle", "candidate", "trial", "fresh")

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console = Console(highlight=False, soft_wrap=True, width=100)


# -- what the C code says about memory ---------------------------------------------------------


def memory_map() -> dict[str, int]:
    text = (ROOT / "bench/m0/device_map.h").read_text()
    found = re.findall(r"#define (MAP_\w+) (0x[0-9A-Fa-f]+|\d+)\b", text)
    return {name: int(value, 0) for name, value in found}


MAP = memory_map()
PAGE = MAP["MAP_PAGE"]
SLOT = (MAP["MAP_SLOT_A"], MAP["MAP_SLOT_B"])
SLOT_PAGES = MAP["MAP_SLOT_SIZE"] // PAGE
FIELDS = struct.Struct("<IIII")  # image length, inverted, envelope length, inverted


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

    def put(self, slot: int, update: Update) -> None:
        """A complete update."""
        image, at = update.images[slot], MAP["MAP_IMAGE_MAX"]
        size = len(image)
        stored = len(update.stored)
        page = update.digest + FIELDS.pack(size, ~size & 0xFFFFFFFF, stored, ~stored & 0xFFFFFFFF)
        page += update.stored
        self.erase(slot)
        self.data[slot][:size] = image
        self.data[slot][at : at + len(page)] = page


class State:
    """The boot state as docs/boot.md has it: what the journal must say, how many records that
    takes, and what starts."""

    def __init__(self) -> None:
        self.phase, self.tries, self.floor, self.epoch, self.code = NONE, 0, 0, 0, 0
        self.candidate = 0  # its sequence number
        self.rejected: int | None = None
        self.running = self.confirmed = self.slot = NOBODY
        self.held: dict[int, Update] = {}  # what was made a candidate, by slot
        self.new_epoch = 0

    def install(self, slot: int, update: Update) -> None:
        self.phase, self.tries, self.slot, self.candidate = CAND, 0, slot, update.sequence
        self.new_epoch = self.epoch
        self.held[slot] = update

    def install_keys(self, update: Update) -> None:
        self.phase, self.tries, self.slot, self.candidate = CAND, 0, self.confirmed, update.sequence
        self.new_epoch = self.epoch + 1

    def reject(self, code: int) -> None:
        self.phase, self.tries, self.code, self.rejected = IDLE, 0, code, self.candidate

    def start(self, is_good: bool) -> int:
        """A reset; firmware that is good confirms itself. Returns the number of records."""
        records = 0
        self.running = self.confirmed
        if self.phase == FRESH:
            self.phase = IDLE
            records = 1
        elif self.phase in (CAND, TRY) and self.tries == TRIES:
            self.reject(E_TRIAL)
            records = 1
        elif self.phase in (CAND, TRY):
            self.phase, self.running = TRY, self.slot
            self.tries += 1
            records = 1
            if is_good:
                self.phase, self.tries, self.code = FRESH, 0, 0
                self.confirmed, self.floor = self.slot, max(self.floor, self.candidate)
                self.epoch = self.new_epoch
                records = 2
        return records

    def report(self) -> dict[int, Any]:
        """The boot report, decoded; without the reason of a failure."""
        claims: list[Any] = []
        digest = b""
        is_tried = self.phase in (CAND, TRY)
        if self.running != NOBODY:
            update = self.held[self.running]
            image = update.images[self.running]
            measured = cbor2.dumps([-16, hashlib.sha256(image).digest()])
            claims = [{0: [b"\0"], 3: measured, 14: len(image)}]
            digest = update.digest
        result: Any = True
        if is_tried or self.code != 0:
            result = {5: 0 if is_tried else self.code, 6: [[], 0, 0, 0, {}]}
        candidate = self.candidate if is_tried else None
        return {
            3: claims, 4: result, 99: ["", [-16, digest]],
            -1: [self.phase, self.running, self.tries, self.floor, self.epoch, candidate,
                 self.rejected],
        }  # fmt: skip


def in_words(report: dict[int, Any]) -> str:
    phase, running, tries, floor, epoch, candidate, rejected = report[-1]
    words = "nothing runs"
    if running != NOBODY:
        size, manifest = report[3][0][14], report[99][1][1].hex()[:8]
        words = f"slot {'AB'[running]} runs ({size} bytes, manifest {manifest})"
    words += f"; {PHASES[phase]}"
    if candidate is not None:
        words += f" {candidate}, started {tries} times"
    if report[4] is not True and report[4][5] != 0:
        code = report[4][5]
        words += f"; rolled back: {NAMES.get(code, code)} ({code})"
    if rejected is not None:
        words += f"; rejected {rejected}"
    return words + f"; floor {floor}, key epoch {epoch}"


def firmware(image: bytes) -> str:
    """Which version it is."""
    return next(name for name, images in IMAGES.items() if image in images)


IMAGES: dict[str, tuple[bytes, bytes]] = {}  # by version, then by slot


def symbol(elf: str, name: str) -> int:
    tool = os.environ.get("CROSS", "arm-none-eabi-") + "nm"
    text = subprocess.run([tool, str(OUT / "m0" / elf)], capture_output=True, text=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {name}$", text, re.M)
    if found is None:
        raise LinkError(f"{elf} has no {name}")
    return int(found[1], 16)


def flash_functions() -> tuple[int, int, int]:
    """Addresses of the driver's functions: erase a page, program bytes, program a word."""
    names = ("nrf51_flash_erase", "nrf51_flash_program", "flash_word")
    erase, program, word = (symbol("boot.elf", name) & ~1 for name in names)
    return erase, program, word


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


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
        self.state = State()
        self.before: Status | None = None  # counters at the last look
        self.lowest = MAP["MAP_STACK_TOP"]
        self.needs: list[Need] = []  # what the last transfer asked for
        self.sent = 0  # bytes of envelope and payload in the last transfer

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

    def boot_report(self) -> dict[int, Any]:
        report: dict[int, Any] = cbor2.loads(self.device.report(frames.Q_BOOT))
        return report

    def check_state(self, what: str) -> None:
        """The boot report against the model, and in words."""
        report = self.boot_report()
        self.demo.says("report: " + in_words(report))
        if isinstance(report[4], dict):
            self.demo.check(report[4].pop(7, 0) > 0, "the report gives a reason")
        self.demo.equal(report, self.state.report(), f"boot report: {what}")

    def check_alive(self, version: str, slot: int) -> None:
        """The firmware answers, and knows the CRC of the image it runs from."""
        image = IMAGES[version][slot]
        name = f"[fw v{version}/{'AB'[slot]}]"
        line = self.device.message("h", f"{name} heartbeat")
        want = f"image {len(image)} bytes, crc {zlib.crc32(image):08x}"
        self.demo.check(want in line, f"heartbeat of v{version} in slot {'AB'[slot]}", line)

    def waits(self, why: str = "no journal") -> None:
        """After a reset: safe mode."""
        self.demo.says(self.device.expect(f"safe mode: {why}, waiting for an update"))
        self.before = self.status()

    def boots(self, version: str, slot: int, sequence: int, is_fallback: bool = False) -> None:
        """After a reset: which slot, its firmware says so, and confirms itself if it is good (a
        fallback is told that it is not the one to confirm); the journal records for that."""
        is_good = version.isdigit()
        device, name = self.device, f"v{version}/{'AB'[slot]}"
        records = self.state.start(is_good)
        if is_fallback:
            self.state.running = slot
            self.demo.says(device.expect("fallback"))
        if self.state.phase in (TRY, FRESH):
            tries = max(1, self.state.tries)
            self.demo.says(device.expect(f"candidate, try {tries} of {TRIES}"))
        self.demo.says(device.expect(f"slot {'AB'[slot]}: starting sequence {sequence}"))
        line = device.expect("running")
        if self.state.phase == FRESH:
            self.demo.says(device.expect("[boot] confirmed: "))
        if is_good:
            device.expect(f"confirm: {E_STATE if is_fallback else 0}")
        self.before = self.status()
        self.demo.equal(
            (line, self.before.programmed, self.before.erased),
            (f"[fw {name}] running", records * RECORD, records),
            f"v{version} runs from slot {'AB'[slot]}, journal records: {records}",
        )  # fmt: skip
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
        self.device.request(frames.RESET)

    def cut(self) -> None:
        """Power off and on."""
        self.status()
        self.device.drain()
        self.qemu.reset()
        self.before = None

    def overwrite(self, addr: int, data: bytes) -> None:
        """Power off, other bytes in flash, power on."""
        self.device.drain()
        self.qemu.overwrite(addr, data)
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
            answer: Ack | Need | Result = device.request(
                frames.NEW, b"\1" if is_measured else b"")

            def pieces(kind: int, source: bytes) -> bool:
                """Until something else than an acknowledgement comes; False: power cut."""
                nonlocal answer, sent
                for off in range(0, len(source), FRAME):
                    answer = device.request(kind, source[off : off + FRAME])
                    sent += len(source[off : off + FRAME])
                    self.sent = sent
                    progress.update(task, completed=sent)
                    if cut_at is not None and sent >= cut_at:
                        return False
                    if at_half is not None and sent - FRAME < total // 2 <= sent:
                        at_half()
                    if not isinstance(answer, Ack):
                        break
                return True

            if not pieces(frames.ENVELOPE, data):
                return None, needs
            if isinstance(answer, Ack):
                answer = device.request(frames.ENVELOPE_END)
            while isinstance(answer, Need):
                needs.append(answer)
                if not pieces(frames.PAYLOAD, update.payloads[answer.uri][answer.offset :]):
                    return None, needs
                if isinstance(answer, Ack):
                    answer = device.request(
                        frames.PAYLOAD_END, b"\0" if source_lost else b"\1")
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
        self.check_installed(update, slot, what)

    def check_installed(
        self, update: Update, slot: int, what: str, have: int = 0, records: int = 0
    ) -> None:
        """Flash after an update: exactly the work that it needs, and both slots as they must be.
        `have`: bytes that were in place before the last attempt; `records`: of the journal, from
        boots since the last look."""
        line = self.device.expect(f"update complete: sequence {update.sequence}")
        self.demo.says(line)
        before = self.before
        now = self.account(what)
        records += 2 if self.state.phase == CAND else 1  # a candidate is withdrawn first
        self.demo.equal(
            (now.programmed - (before.programmed if before else 0),
             now.erased - (before.erased if before else 0), now.refused),
            (words(len(update.images[slot])) - have + 32 + 16 + words(len(update.stored))
             + records * RECORD, SLOT_PAGES - have // PAGE + records, 0),
            f"{what}: flash work, bytes programmed and pages erased",
        )  # fmt: skip
        self.installed(slot, update)
        self.check_slots("slots read back")

    def installed(self, slot: int, update: Update) -> None:
        self.slots.put(slot, update)
        self.state.install(slot, update)

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
            line.startswith(f"[boot] refused: {NAMES[code]} ({code})"
                            + (f" at {offset}" if offset else "")),
            "the printed reason says the same", line,
        )  # fmt: skip
        self.account(what)

    def check_report(self, update: Update, code: int) -> None:
        report = cbor2.loads(self.device.report())
        digest = cbor2.loads(report[99][1]) if isinstance(report[99][1], bytes) else report[99][1]
        reason = 0 if report[4] is True else report[4][7]
        self.demo.equal((digest[1], reason), (update.digest, REASONS[code]),
                        f"SUIT_Report: this manifest, reason {REASONS[code]}")


