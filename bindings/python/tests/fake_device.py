# SPDX-License-Identifier: MIT
"""A device in this process that speaks the frames of bench/m0/device_frame.h, and a clock that
moves only when somebody waits. Written from the C side, on its own: nothing of picosuit.author
but the errors is used.

A hostile device is one whose `respond`, `on`, `ask_for` or `data_of` was replaced, or whose
answers `spoil` changes on their way to the host.
"""
from __future__ import annotations

import binascii
import contextlib
import os
import socket
import struct
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from picosuit.author.link import Cut

PAGE = 256  # a transfer goes on at the last page that holds anything
OK, MORE, FETCH, E_STATE, UNKNOWN = 0, 1, 3, -1, 0xFFFFFFFF


Answer = tuple[bytes, bytes]  # type and content


def frame(kind: bytes, seq: int, data: bytes = b"") -> bytes:
    body = kind + bytes([seq, len(data)]) + data
    return b"\1" + body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")


class Clock:
    """Seconds; no time passes but by `wait`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []  # of `sleep`

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Device:
    """Takes an envelope of `length` bytes, any bytes, and then the payloads it wants.

    wants   URI and content of each; asked for once the first `ready` bytes are there
    """

    def __init__(
        self, length: int, wants: Sequence[tuple[str, bytes]] = (), ready: int | None = None
    ) -> None:
        self.length, self.wants = length, list(wants)
        self.ready = length if ready is None else ready
        self.flash = {uri: b"" for uri, _ in wants}  # outlives a reset
        self.code = 0  # of the result
        self.reports: dict[bytes, bytes] = {}
        self.log: list[bytes] = []  # kinds of the frames taken
        self.out = b""  # on its way to the host
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer
        self.respond: Callable[[bytes, bytes], Answer | None] = self.answer
        self.ask_for: Callable[[int, int, bytes], Answer] = self.need_of
        self.data_of: Callable[[bytes, int], bytes] = self.query
        self.on: dict[bytes, Callable[[bytes], Answer]] = {
            b"E": self.envelope, b"Z": self.envelope_end, b"P": self.payload,
            b"F": self.payload_end,
        }  # fmt: skip
        self.resets = 0
        self.power_on()

    # -- power -----------------------------------------------------------------------------

    def power_on(self) -> None:
        self.raw = b""
        self.last: tuple[int, bytes] | None = None  # number and answer
        self.is_open = False
        self.out += b"[boot] a fake device\r\n"

    def reset(self) -> None:
        """All but flash is lost, the frame under way included."""
        for uri, content in self.wants:
            data = self.flash[uri]
            self.flash[uri] = data if data == content else data[: len(data) // PAGE * PAGE]
        self.resets += 1
        self.out = self.out[: len(self.out) // 2]
        self.power_on()

    # -- frames ----------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Bytes from the host."""
        for byte in data:
            if not self.raw and byte != 1:
                continue
            self.raw += bytes([byte])
            if len(self.raw) > 3 and self.raw[3] > 64:
                self.raw = b""
                self.send(frame(b"K", 0))
            elif len(self.raw) > 3 and len(self.raw) == self.raw[3] + 6:
                whole, self.raw = self.raw, b""
                if binascii.crc_hqx(whole[1:], 0xFFFF) != 0:
                    self.send(frame(b"K", 0))
                else:
                    self.take_frame(whole[1:2], whole[2], whole[4:-2])

    def take_frame(self, kind: bytes, seq: int, data: bytes) -> None:
        if self.last is None or self.last[0] != seq:
            self.log.append(kind)
            if kind == b"B":
                self.restart(seq)
                return
            answer = self.respond(kind, data)
            if answer is None:
                return  # the device was reset
            self.last = (seq, frame(answer[0], seq, answer[1]))
        self.send(self.last[1])

    def send(self, answer: bytes) -> None:
        self.out += self.spoil(answer)

    def restart(self, seq: int) -> None:
        """The host wants a reset: answered first."""
        self.send(frame(b"A", seq, self.ack(OK)[1]))
        self.resets += 1
        self.power_on()

    # -- the transfer ----------------------------------------------------------------------

    def answer(self, kind: bytes, data: bytes) -> Answer | None:
        """None: there is none, the device was reset."""
        if kind == b"Q":
            return b"D", self.data_of(data[:1], int.from_bytes(data[1:3], "little"))
        if kind == b"S":
            self.is_open, self.at, self.given, self.n = True, 0, 0, 0
            return self.ack(OK)
        if not self.is_open:
            return self.ack(E_STATE)
        return self.on[kind](data)

    def ack(self, status: int) -> Answer:
        received = self.at + self.given if self.is_open else 0
        return b"A", struct.pack("<hI", status, received)

    def envelope(self, data: bytes) -> Answer:
        before = self.at
        self.at += len(data)
        if before < self.ready <= self.at and self.wants:
            self.at = self.ready  # the rest of the frame is not used
            return self.need()
        return self.ack(MORE)

    def need(self) -> Answer:
        uri, content = self.wants[self.n]
        offset = max(0, len(self.flash[uri]) - 1) // PAGE * PAGE
        self.flash[uri] = self.flash[uri][:offset]
        return self.ask_for(offset, len(content), uri.encode())

    def need_of(self, offset: int, size: int, uri: bytes) -> Answer:
        self.uri = uri
        return b"N", struct.pack("<IIHB", offset, size, len(uri), self.n) + uri[:53]

    def payload(self, data: bytes) -> Answer:
        self.flash[self.wants[self.n][0]] += data
        self.given += len(data)
        return self.ack(MORE)

    def payload_end(self, data: bytes) -> Answer:
        uri, content = self.wants[self.n]
        if data != b"\1" or self.flash[uri] != content:
            return self.result(-60)
        self.n += 1
        if self.n < len(self.wants):
            return self.need()
        return self.result(self.code) if self.at == self.length else self.ack(FETCH)

    def envelope_end(self, _: bytes) -> Answer:
        return self.result(self.code if self.at == self.length else -14)

    def result(self, code: int) -> Answer:
        self.is_open = False
        at = (20, 0, 412, 22, 0) if code else (0, 255, 0, 0, 0)
        return b"R", struct.pack("<hBBIii", code, *at)

    def query(self, what: bytes, offset: int) -> bytes:
        if what == b"s":
            return struct.pack("<i8I8H", *range(17))
        if what == b"i":
            return struct.pack("<QIHBB32s", 7, 300, 1, 2, 17, bytes(32))
        if what == b"u":
            return self.uri[offset : offset + 64]
        return self.reports.get(what, b"")[offset : offset + 64]


class Port:
    """Transport to a Device, in this process; waiting moves the clock."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self.device, self.clock = device, clock
        self.is_gone = False

    def read(self, timeout: float) -> bytes:
        if self.is_gone:
            raise Cut("the port has gone")
        data, self.device.out = self.device.out[:40], self.device.out[40:]
        self.clock.now += 0.001 if data else timeout
        return data

    def write(self, data: bytes) -> None:
        if self.is_gone:
            raise Cut("the port has gone")
        self.device.take(data)

    def close(self) -> None:
        self.is_gone = True


def _serve(device: Device, read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
    """Until the host has gone."""
    with contextlib.suppress(OSError):
        while data := read():
            device.take(data)
            answer, device.out = device.out, b""
            write(answer)


@contextlib.contextmanager
def listening(device: Device, family: socket.AddressFamily, where: object) -> Iterator[object]:
    """The device behind a socket that takes one connection after another; gives its address."""
    server = socket.socket(family)
    server.bind(where)  # type: ignore[arg-type]
    server.listen()

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = server.accept()
                with link:
                    _serve(device, partial(link.recv, 4096), link.sendall)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield server.getsockname()
    finally:
        server.shutdown(socket.SHUT_RDWR)  # wakes accept
        server.close()
        thread.join(5)
    assert not thread.is_alive()


@contextlib.contextmanager
def on_terminal(device: Device) -> Iterator[str]:
    """The device behind a pseudo-terminal; gives the name of the serial port."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    thread = threading.Thread(
        target=_serve, daemon=True,
        args=(device, lambda: os.read(ours, 4096), lambda data: os.write(ours, data)),
    )  # fmt: skip
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)  # the last one: the reader gets an error
        thread.join(5)
        os.close(ours)
    assert not thread.is_alive()
