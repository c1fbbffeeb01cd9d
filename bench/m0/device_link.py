# SPDX-License-Identifier: MIT
"""The reference device under QEMU: monitor, debugger, power, and the UART as a transport of
picosuit.author.link, which speaks the frames. The package has to be built: make python-dev.
"""
from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "bindings/python/src"
sys.path.insert(0, str(PACKAGE))

from picosuit.author import link as frames  # noqa: E402
from picosuit.author.link import Frames, Link, LinkError  # noqa: E402

FLASH = 0x40000
RAM = 0x20000000
TIMEOUT = 20.0  # seconds of silence after which a device counts as dead
POKE = 0.1  # seconds, see Qemu.wait


class PowerCut(Exception):
    """The power cut that was ordered has happened."""


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
        with self.directory():
            self.uart = connect(Path("uart"), deadline)
            self.monitor = connect(Path("qmp"), deadline).makefile("rwb")
        self.trap: socket.socket | None = None  # debugger, while a power cut is ordered
        self.is_trapped = False  # it is time for that power cut
        self.monitor.readline()  # greeting
        self.command("qmp_capabilities")
        if erased != 0x00:  # what QEMU starts with
            self.fill_flash(erased)

    @contextlib.contextmanager
    def directory(self) -> Iterator[None]:
        """Its directory as the current one: paths of sockets must be short."""
        here = os.getcwd()
        os.chdir(self.out)
        try:
            yield
        finally:
            os.chdir(here)

    # -- the UART ------------------------------------------------------------------------------

    def wait(self, others: Sequence[socket.socket], timeout: float) -> list[socket.socket]:
        """What there is to read of the UART and `others`; nothing after POKE or `timeout`
        seconds, or when the debugger had something to say."""
        sources = [self.uart, *others] + ([self.trap] if self.trap else [])
        ready = select.select(sources, [], [], min(timeout, POKE))[0]
        if not ready:
            # QEMU's UART does not tell its main loop that the guest started receiving:
            # anything that wakes the loop makes it look.
            self.command("query-status")
        if self.trap in ready:
            self.is_trapped = self.trapped()
            return []
        return ready

    def receive(self) -> bytes:
        """What the UART has."""
        data = self.uart.recv(65536)
        if not data:
            raise LinkError("QEMU has gone")
        return data

    # -- the debugger --------------------------------------------------------------------------

    def debugger(self) -> socket.socket:
        """A connection to QEMU's debugger; the device stands still from here on."""
        with self.directory():
            return connect(Path("gdb"), time.monotonic() + TIMEOUT)

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
        self.trap, self.is_trapped = None, False

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


# -- the UART ----------------------------------------------------------------------------------


class Uart:
    """The UART as a transport. A power cut that was ordered happens while somebody waits."""

    def __init__(self, qemu: Qemu, before_cut: Callable[[], None]) -> None:
        self.qemu, self.before_cut = qemu, before_cut

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if self.qemu.wait([], left):
                return self.qemu.receive()
            if self.qemu.is_trapped:
                self.before_cut()
                self.qemu.cut_now()
                raise PowerCut
        return b""

    def write(self, data: bytes) -> None:
        self.qemu.uart.sendall(data)

    def close(self) -> None:
        self.qemu.uart.close()


@dataclass(frozen=True)
class Cut:
    """A power cut after so many bytes of envelope and payload in an attempt.

    hangs_up: the port goes with the power, as a USB serial port on the board does.
    """

    after: int
    hangs_up: bool


class Device(Link):
    """The link, and all the text that the device has written."""

    def __init__(self, qemu: Qemu) -> None:
        self.qemu = qemu
        self.lines: list[str] = []
        self.seen = 0  # lines that `expect` has passed
        super().__init__(Uart(qemu, self.drain), timeout=TIMEOUT / 2, on_line=self.lines.append)

    def drain(self) -> None:
        """What was sent before a power cut: kept as text, but nobody waits for it any more."""
        while select.select([self.qemu.uart], [], [], 0)[0]:
            self.take(self.qemu.receive())
        self.frames.forget("(power cut)")
        self.seen = len(self.lines)

    def take(self, data: bytes) -> None:
        """Bytes of which only the text counts: the frames are for somebody else."""
        self.frames.push(data)
        while self.frames.next() is not None:
            pass

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
            self.receive(0.05)

    def message(self, what: str, answer: str) -> str:
        """To the firmware, which answers with a line."""
        self.request(frames.APP, what.encode())
        return self.expect(answer)

    def lend(
        self, command: Sequence[str], cuts: Sequence[Cut], timeout: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program that has the UART as unix:port, in the directory of QEMU."""
        relay = Relay(self, cuts)
        try:
            done = relay.run(command, timeout)
        finally:
            relay.close()
        self.sync()
        return done


class Relay:
    """Stands between QEMU's UART and another program: keeps the monitor, counts, cuts the power."""

    def __init__(self, device: Device, cuts: Sequence[Cut]) -> None:
        self.device, self.qemu = device, device.qemu
        self.cuts = list(cuts)
        self.server = socket.socket(socket.AF_UNIX)
        with self.qemu.directory():
            Path("port").unlink(missing_ok=True)
            self.server.bind("port")
        self.server.listen()
        self.client: socket.socket | None = None
        self.meet()

    def meet(self) -> None:
        """A new connection, or a new attempt: counting starts anew."""
        self.requests = Frames(lambda line: None)
        self.passed = 0  # bytes of envelope and payload

    def run(self, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        end = time.monotonic() + timeout
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
            program = subprocess.Popen(
                command, cwd=self.qemu.out, env=environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err,
            )  # fmt: skip
            try:
                while program.poll() is None:
                    if time.monotonic() > end:
                        raise LinkError(f"{command[-1]}: not done after {timeout:g} s")
                    self.step()
            finally:
                program.kill()
                program.wait()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(
                command, program.returncode, out.read(), err.read()
            )

    def step(self) -> None:
        side: socket.socket = self.server if self.client is None else self.client
        ready = self.qemu.wait([side], POKE)
        if self.server in ready:
            self.client, _ = self.server.accept()
            self.meet()
        elif self.client is not None and self.client in ready:
            try:
                self.from_program(self.client.recv(65536))
            except ConnectionError:
                self.hang_up()
        if self.qemu.uart in ready:
            self.from_device(self.qemu.receive())

    def from_program(self, data: bytes) -> None:
        if not data:
            self.hang_up()
            return
        self.requests.push(data)
        while (frame := self.requests.next()) is not None:
            if frame[0] == frames.NEW:
                self.passed = 0
            if frame[0] in (frames.ENVELOPE, frames.PAYLOAD):
                self.passed += len(frame[2])
        self.qemu.uart.sendall(data)

    def from_device(self, data: bytes) -> None:
        self.device.take(data)
        if self.cuts and self.passed >= self.cuts[0].after:
            self.device.drain()
            self.qemu.reset()
            if self.cuts.pop(0).hangs_up:
                self.hang_up()
            self.meet()
        elif self.client is not None:
            with contextlib.suppress(ConnectionError):  # it has gone, as the next recv will say
                self.client.sendall(data)

    def hang_up(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def close(self) -> None:
        self.hang_up()
        self.server.close()
