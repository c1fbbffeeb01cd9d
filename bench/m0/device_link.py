# SPDX-License-Identifier: MIT
"""The host's side of the reference device: QEMU, its monitor, and the frames on the UART.

The protocol is described in device_frame.h.
"""
from __future__ import annotations

import atexit
import binascii
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FLASH = 0x40000
RAM = 0x20000000
START, FRAME_MAX = 1, 64
TIMEOUT = 20.0  # seconds of silence after which a device counts as dead


class LinkError(Exception):
    """The device did not answer, or not as the protocol says."""


class PowerCut(Exception):
    """The power cut that was ordered has happened."""


def crc16(data: bytes) -> int:
    return binascii.crc_hqx(data, 0xFFFF)


def connect(path: Path, deadline: float) -> socket.socket:
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(path))
            return link
        except OSError:
            link.close()
            if time.monotonic() > deadline:
                raise LinkError(f"no socket {path.name}") from None
            time.sleep(0.01)


class Qemu:
    """One QEMU with the loader's image; the flash around it as `erased` says."""

    def __init__(self, out: Path, name: str, image: Path, erased: int) -> None:
        self.out = out / name
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        # Paths of sockets are short, so they are given relative to the directory. The clock of
        # the device counts instructions, 64 ns each: so a watchdog, or its absence, does not
        # depend on how busy this machine is, and waiting for it takes no time.
        command = [
            os.environ.get("QEMU", "qemu-system-arm"), "-M", "microbit", "-display", "none",
            "-nodefaults", "-S", "-icount", "shift=6", "-kernel", str(image.resolve()),
            "-chardev", "socket,id=uart,path=uart,server=on,wait=off", "-serial", "chardev:uart",
            "-chardev", "socket,id=mon,path=qmp,server=on,wait=off",
            "-mon", "chardev=mon,mode=control",
            "-chardev", "socket,id=gdb,path=gdb,server=on,wait=off", "-gdb", "chardev:gdb",
        ]
        with open(self.out / "log", "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.out, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        atexit.register(self.process.kill)
        deadline = time.monotonic() + TIMEOUT
        here = os.getcwd()
        os.chdir(self.out)
        try:
            self.uart = connect(Path("uart"), deadline)
            self.monitor = connect(Path("qmp"), deadline).makefile("rwb")
        finally:
            os.chdir(here)
        self.trap: socket.socket | None = None  # debugger, while a power cut is ordered
        self.monitor.readline()  # greeting
        self.command("qmp_capabilities")
        if erased != 0x00:  # what QEMU starts with
            self.fill_flash(erased)

    # -- the debugger --------------------------------------------------------------------------

    def debugger(self) -> socket.socket:
        """A connection to QEMU's debugger; the device stands still from here on."""
        here = os.getcwd()
        os.chdir(self.out)
        try:
            return connect(Path("gdb"), time.monotonic() + TIMEOUT)
        finally:
            os.chdir(here)

    def fill_flash(self, value: int) -> None:
        """Through the debugger: a -device loader image would come back at every reset and
        undo what the device has programmed."""
        step = 0x400
        with self.debugger() as gdb:
            for addr in range(0xA000, FLASH, step):
                self.gdb(gdb, f"M{addr:x},{step:x}:" + f"{value:02x}" * step, b"OK")
            self.gdb(gdb, "D", b"OK")

    @staticmethod
    def gdb(link: socket.socket, body: str, want: bytes | None = None) -> bytes:
        """One command; with `want`, also its answer, which starts so."""
        link.sendall(f"${body}#{sum(body.encode()) & 255:02x}".encode())
        while link.recv(1) != b"+":
            pass
        got = b"" if want is None else Qemu.gdb_answer(link)
        if not got.startswith(want or b""):
            raise LinkError(f"debugger: {got!r} to {body[:20]}")
        return got

    @staticmethod
    def gdb_answer(link: socket.socket) -> bytes:
        data = b""
        while b"#" not in data or len(data) < data.index(b"#") + 3:
            piece = link.recv(4096)
            if not piece:
                raise LinkError("the debugger has gone")
            data += piece
        link.sendall(b"+")
        return data[data.index(b"$") + 1 : data.index(b"#")]

    def overwrite(self, addr: int, data: bytes) -> None:
        """Flash, through the debugger; then a power cut, before the device can notice."""
        step = 0x400
        with self.debugger() as gdb:
            self.gdb_answer(gdb)  # that the device stands still
            for off in range(0, len(data), step):
                piece = data[off : off + step]
                self.gdb(gdb, f"M{addr + off:x},{len(piece):x}:" + piece.hex(), b"OK")
            self.reset()
            self.gdb(gdb, "D", b"OK")

    def cut_at(self, addrs: Sequence[int], count: int) -> None:
        """Orders a power cut just before the count-th entry of a function at one of addrs."""
        self.trap, self.trap_addrs, self.trap_left = self.debugger(), addrs, count
        self.trap_inside = False
        self.gdb_answer(self.trap)  # that the device stands still
        self.breakpoints("Z")
        self.gdb(self.trap, "c")

    def no_cut(self) -> None:
        """Withdraws an order that was not carried out."""
        if self.trap is not None:
            self.trap.sendall(b"\x03")
            self.gdb_answer(self.trap)
            self.breakpoints("z")
            self.gdb(self.trap, "D", b"OK")
            self.trap.close()
            self.trap = None

    def breakpoints(self, command: str) -> None:
        assert self.trap is not None
        for addr in self.trap_addrs:
            self.gdb(self.trap, f"{command}0,{addr:x},2", b"OK")

    def registers(self) -> tuple[int, int]:
        """Program counter and first argument."""
        assert self.trap is not None
        registers = bytes.fromhex(self.gdb(self.trap, "g", b"").decode())
        return int.from_bytes(registers[60:64], "little"), int.from_bytes(registers[:4], "little")

    def trapped(self) -> bool:
        """The debugger has something to say: once more through, or it is time to cut."""
        assert self.trap is not None
        self.gdb_answer(self.trap)
        at, self.trap_argument = self.registers()
        if at in self.trap_addrs and not self.trap_inside:
            self.trap_left -= 1
        self.breakpoints("z")
        if self.trap_left == 0:
            self.trap_at = at
            return True
        self.gdb(self.trap, "s", b"T05")
        # A step may end in an interrupt handler, which comes back here.
        self.trap_inside = self.registers()[0] != at + 2
        self.breakpoints("Z")
        self.gdb(self.trap, "c")
        return False

    def cut_now(self) -> None:
        """The device stands still where `trapped` has stopped it."""
        assert self.trap is not None
        self.command("system_reset")
        self.gdb(self.trap, "D", b"OK")
        self.trap.close()
        self.trap = None

    # -- the monitor ---------------------------------------------------------------------------

    def command(self, name: str, **arguments: object) -> object:
        request = {"execute": name, "arguments": arguments}
        self.monitor.write(json.dumps(request).encode() + b"\n")
        self.monitor.flush()
        while True:
            answer = json.loads(self.monitor.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LinkError(f"monitor: {answer['error']['desc']}")

    def memory(self, addr: int, size: int) -> bytes:
        # memsave, not pmemsave: the part has its own address space beside QEMU's system memory.
        self.command("memsave", val=addr, size=size, filename="memory")
        return (self.out / "memory").read_bytes()

    def run(self) -> None:
        self.command("cont")

    def reset(self) -> None:
        """The power cut."""
        self.command("system_reset")

    def stop(self) -> None:
        if self.process.poll() is None:
            try:
                self.command("quit")
            except (LinkError, OSError, ValueError):
                pass
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        atexit.unregister(self.process.kill)


@dataclass
class Need:
    """The device wants payload bytes from a URI."""

    offset: int
    size: int
    component: int
    uri: str


@dataclass
class Result:
    """A transfer is over."""

    code: int
    section: int
    component: int
    offset: int
    label: int
    platform: int


@dataclass
class Ack:
    status: int
    received: int


@dataclass
class Status:
    status: int
    running: int
    received: int
    programmed: int
    erased: int
    refused: int
    lowest: int  # stack address
    work_used: int
    context: int
    depth: dict[str, int]  # stack by call, if measured


@dataclass
class Device:
    qemu: Qemu
    lines: list[str] = field(default_factory=list)  # text of the device, complete lines
    partial: bytes = b""  # of a line
    raw: bytes = b""  # received, not yet taken apart
    seq: int = 0
    sent: int = 0  # frames
    seen: int = 0  # lines that `expect` has passed
    damaged: int = 0  # frames from the device
    repeated: int = 0  # frames sent again

    def pump(self, timeout: float) -> tuple[int, int, bytes] | None:
        """Takes what has arrived apart; the first frame in it, if any."""
        end = time.monotonic() + timeout
        while True:
            frame = self.split()
            if frame is not None:
                return frame
            left = end - time.monotonic()
            if left <= 0:
                return None
            sources = [self.qemu.uart] + ([self.qemu.trap] if self.qemu.trap else [])
            ready = select.select(sources, [], [], min(left, 0.1))[0]
            if self.qemu.trap in ready:
                if self.qemu.trapped():
                    self.drain()
                    self.qemu.cut_now()
                    raise PowerCut
                continue
            if not ready:
                # QEMU's UART does not tell its main loop that the guest started receiving:
                # anything that wakes the loop makes it look.
                self.qemu.command("query-status")
                continue
            data = self.qemu.uart.recv(65536)
            if not data:
                raise LinkError("QEMU has gone")
            self.raw += data

    def split(self) -> tuple[int, int, bytes] | None:
        while self.raw:
            if self.raw[0] != START:
                cut = self.raw.find(START)
                text, self.raw = (self.raw, b"") if cut < 0 else (self.raw[:cut], self.raw[cut:])
                *whole, self.partial = (self.partial + text).split(b"\n")
                self.lines += [line.decode("ascii", "replace").rstrip() for line in whole]
                continue
            if len(self.raw) < 4 or len(self.raw) < self.raw[3] + 6:
                return None
            end = self.raw[3] + 6
            frame = self.raw[:end]
            if crc16(frame[1:]) == 0:
                self.raw = self.raw[end:]
                return frame[1], frame[2], frame[4:-2]
            self.damaged += 1  # a reset in the middle of an answer
            self.raw = self.raw[1:]
        return None

    def drain(self) -> None:
        """What was sent before a power cut: kept as text, but nobody waits for it any more."""
        while select.select([self.qemu.uart], [], [], 0)[0]:
            self.raw += self.qemu.uart.recv(65536)
        while self.split() is not None:
            pass
        self.raw = b""
        self.lines.append(self.partial.decode("ascii", "replace") + " (power cut)")
        self.partial = b""
        self.seen = len(self.lines)

    def expect(self, text: str, timeout: float = TIMEOUT) -> str:
        """Waits for a line that contains `text`, among those not passed yet."""
        end = time.monotonic() + timeout
        while True:
            for n in range(self.seen, len(self.lines)):
                if text in self.lines[n]:
                    self.seen = n + 1
                    return self.lines[n]
            if time.monotonic() > end:
                raise LinkError(f"no line with {text!r}; last: {self.lines[-3:]}")
            self.pump(0.05)

    def frame(self, kind: str, data: bytes = b"") -> bytes:
        body = bytes([ord(kind), self.seq, len(data)]) + data
        return bytes([START]) + body + struct.pack(">H", crc16(body))

    def ask(self, kind: str, data: bytes = b"") -> tuple[str, bytes]:
        """Sends a frame and waits for its answer; again if it got lost."""
        self.seq = (self.seq + 1) & 255
        self.sent += 1
        frame = self.frame(kind, data)
        for _ in range(3):
            self.qemu.uart.sendall(frame)
            end = time.monotonic() + TIMEOUT / 2
            while (left := end - time.monotonic()) > 0:
                answer = self.pump(left)
                if answer is not None and answer[0] == ord("K"):
                    break
                if answer is not None and answer[1] == self.seq:
                    return chr(answer[0]), answer[2]
            self.repeated += 1
            self.qemu.uart.sendall(bytes(FRAME_MAX + 6))  # ends a frame cut in half
            while self.pump(0.2) is not None:
                pass
        raise LinkError(f"no answer to frame {kind}; last lines: {self.lines[-3:]}")

    # -- requests ------------------------------------------------------------------------------

    def request(self, kind: str, data: bytes = b"") -> Ack | Need | Result:
        answer, body = self.ask(kind, data)
        if answer == "A":
            return Ack(*struct.unpack("<hI", body))
        if answer == "R":
            code, section, component, offset, label, platform = struct.unpack("<hBBIii", body)
            return Result(code, section, component, offset, label, platform)
        if answer == "N":
            offset, size, length, component = struct.unpack("<IIHB", body[:11])
            uri = body[11:]
            while len(uri) < length:
                uri += self.query("u", len(uri))
            return Need(offset, size, component, uri.decode())
        raise LinkError(f"unexpected answer {answer}")

    def query(self, what: str, offset: int = 0) -> bytes:
        answer, body = self.ask("Q", what.encode() + struct.pack("<H", offset))
        if answer != "D":
            raise LinkError(f"unexpected answer {answer}")
        return body

    def status(self) -> Status:
        body = self.query("s")
        names = ("init", "feed", "boot_begin", "run", "payload", "payload_end", "feed_end",
                 "boot_candidate")
        depth = dict(zip(names, struct.unpack("<8H", body[36:])))
        return Status(*struct.unpack("<iIIIIIIII", body[:36]), depth)

    def report(self, what: str = "r") -> bytes:
        """r: of the last transfer; b: of the boot state."""
        data = b""
        while True:
            piece = self.query(what, len(data))
            data += piece
            if len(piece) < FRAME_MAX:
                return data

    def message(self, what: str, answer: str) -> str:
        """To the firmware, which answers with a line."""
        self.request("M", what.encode())
        return self.expect(answer)
