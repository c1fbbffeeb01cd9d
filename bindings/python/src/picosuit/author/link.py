# SPDX-License-Identifier: MIT
"""Frames between an author's machine and a device, over a serial port or a socket.

bench/m0/device_frame.h describes the protocol: the host sends one frame and waits for its one
answer; whatever stands between frames is text for people. `open_port` gives a `Transport`,
`Link` speaks frames over it, picosuit.author.push sends an update with them.

A device is not trusted: every length is checked, every wait ends, and what it says beyond the
protocol is a `LinkError`. `Cut` is the one error after which trying again makes sense.
"""
from __future__ import annotations

import binascii
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from picosuit.author.problem import Problem

START, FRAME_MAX = 0x01, 64  # first byte of a frame; most bytes that one carries
OVERHEAD = 6  # start, type, seq, length, CRC
# from the host
NEW, ENVELOPE, ENVELOPE_END, PAYLOAD, PAYLOAD_END, QUERY, APP, RESET = b"SEZPFQMB"
# from the device
ACK, NEED, RESULT, DATA, NAK = b"ANRDK"
# queries
Q_STATUS, Q_INFO, Q_REPORT, Q_BOOT, Q_CAPS, Q_URI = b"sirbcu"

URI_MAX = 255  # PICOSUIT_MAX_URI: the core asks for none that is longer
REPORT_MAX = 4096  # bytes of a report; picosuit's own take 200 and a reference URI
LINE_MAX = 1000  # bytes of text without a line feed
QUIET = 0.2  # seconds without a byte after which nothing more is under way
UNKNOWN = 0xFFFFFFFF  # PICOSUIT_UNKNOWN: size of a payload

_NAMES = {
    NEW: "new transfer", ENVELOPE: "envelope bytes", ENVELOPE_END: "end of the envelope",
    PAYLOAD: "payload bytes", PAYLOAD_END: "end of the payload", QUERY: "query",
    APP: "message", RESET: "reset",
}  # fmt: skip


class LinkError(Problem):
    """The device answers, but not as the protocol says."""


class Cut(LinkError):
    """Silence, a port that has gone, or a device that has started anew."""


# -- transports --------------------------------------------------------------------------------


class Transport(Protocol):
    """Bytes to and from a device. Raises `Cut` when the other end has gone."""

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits at most `timeout` seconds for it, b"" if nothing came."""

    def write(self, data: bytes) -> None:
        """All of it, or Cut."""

    def close(self) -> None: ...


class SocketTransport:
    """A connected stream socket, which this object owns from now on."""

    def __init__(self, link: socket.socket, timeout: float = 5.0) -> None:
        self.socket = link
        link.settimeout(timeout)  # of a write: a peer that does not read

    def read(self, timeout: float) -> bytes:
        try:
            if not select.select([self.socket], [], [], max(timeout, 0))[0]:
                return b""
            data = self.socket.recv(65536)
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            raise Cut(f"the connection broke: {error}") from error
        if not data:
            raise Cut("the other end has closed the connection")
        return data

    def write(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Cut(f"the connection broke: {error}") from error

    def close(self) -> None:
        self.socket.close()


class SerialTransport:
    """A serial port, 8N1, not shared with another program."""

    def __init__(self, name: str, baud: int, timeout: float = 5.0) -> None:
        try:
            import serial
        except ImportError as error:
            raise Problem(
                "serial ports need pyserial", hint="pip install 'picosuit[author]'"
            ) from error
        try:
            self._port = serial.Serial(name, baud, write_timeout=timeout, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise Cut(_reason(error), file=name) from error

    def read(self, timeout: float) -> bytes:
        try:
            self._port.timeout = max(timeout, 0)
            first: bytes = self._port.read(1)
            rest: bytes = self._port.read(self._port.in_waiting) if first else b""
        except (OSError, TypeError) as error:  # TypeError: pyserial, port closed meanwhile
            raise Cut(f"the port has gone: {_reason(error)}") from error
        return first + rest

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise Cut(f"the port has gone: {_reason(error)}") from error

    def close(self) -> None:
        self._port.close()


def _reason(error: BaseException) -> str:
    """The system's own words: pyserial puts number and path beside them, or keeps the number
    in the error below (termios)."""
    for known in (error, error.__context__):
        number = known.args[0] if known is not None and known.args else None
        if isinstance(number, int):
            return os.strerror(number)
    return str(error)


def open_port(name: str, baud: int = 115200, timeout: float = 5.0) -> Transport:
    """The device at `name`: unix:PATH, tcp:HOST:PORT (tcp:[::1]:4000), or a serial port.

    timeout: seconds for connecting, and for a write. Raises Cut if nobody is there, Problem if
    the name makes no sense.
    """
    scheme, colon, where = name.partition(":")
    try:
        if colon and scheme == "unix":
            link = socket.socket(socket.AF_UNIX)
            try:
                link.settimeout(timeout)
                link.connect(where)
            except BaseException:
                link.close()
                raise
            return SocketTransport(link, timeout)
        if colon and scheme == "tcp":
            host, _, port = where.rpartition(":")
            if not host or not port.isdecimal() or int(port) > 65535:
                raise Problem("not tcp:HOST:PORT", file=name)
            link = socket.create_connection((host.strip("[]"), int(port)), timeout)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return SocketTransport(link, timeout)
    except OSError as error:
        raise Cut(_reason(error), file=name) from error
    return SerialTransport(name, baud, timeout)


# -- answers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ack:
    """Go on."""

    status: int  # PICOSUIT_* of the last call; negative: no transfer is under way
    received: int  # bytes of envelope and payload taken in this transfer


@dataclass(frozen=True)
class Need:
    """The device wants payload bytes."""

    offset: int  # first byte wanted
    size: int  # of the whole payload, or UNKNOWN
    component: int  # index in the manifest
    uri: str


@dataclass(frozen=True)
class Result:
    """A transfer is over. The fields of picosuit_error."""

    code: int  # 0 installed, else PICOSUIT_E_*
    section: int  # manifest key, 0 none
    component: int  # index, 255 none
    offset: int  # in the envelope
    label: int
    platform: int


@dataclass(frozen=True)
class Info:
    """What the device has authenticated last."""

    sequence: int
    envelope_len: int  # bytes that it stores
    signer: int  # number of the key
    components: int
    sections: int  # bits: validate, load, invoke, payload-fetch, install
    digest: bytes  # of the manifest, 32 bytes


@dataclass(frozen=True)
class Status:
    """Counters of the reference device."""

    status: int  # of the last call
    running: int  # slot, 255 none
    received: int  # bytes in this transfer
    programmed: int  # bytes of flash since the reset
    erased: int  # pages since the reset
    refused: int  # flash operations that the driver refused
    lowest: int  # stack address
    work_used: int  # bytes
    context: int  # bytes
    depth: dict[str, int]  # bytes of stack by call, if the transfer measures it


_CALLS = ("init", "feed", "boot_begin", "run", "payload", "payload_end", "feed_end",
          "boot_candidate")  # fmt: skip


# -- frames ------------------------------------------------------------------------------------


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE; 0 over data that its own CRC follows, high byte first."""
    return binascii.crc_hqx(data, 0xFFFF)


def encode(kind: int, seq: int, data: bytes = b"") -> bytes:
    """A frame. data: at most FRAME_MAX bytes."""
    if len(data) > FRAME_MAX:
        raise ValueError(f"{len(data)} bytes in a frame")
    body = bytes([kind, seq, len(data)]) + data
    return bytes([START]) + body + struct.pack(">H", crc16(body))


class Frames:
    """Takes a stream of bytes apart into frames and lines of text.

    Text and frames share the line, and a device may be reset in the middle of either: a frame
    whose CRC is wrong was text from its first byte on.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.damaged = 0  # what began like a frame and was none
        self._on_line = on_line
        self._raw = b""  # not yet taken apart: less than one frame after `next`
        self._text = b""  # of the line under way

    def push(self, data: bytes) -> None:
        self._raw += data

    def next(self) -> tuple[int, int, bytes] | None:
        """Type, sequence number and content of the next whole frame."""
        while self._raw:
            cut = self._raw.find(START)
            if cut != 0:
                cut = len(self._raw) if cut < 0 else cut
                self._take_text(self._raw[:cut])
                self._raw = self._raw[cut:]
                continue
            length = self._raw[3] if len(self._raw) > 3 else 0
            end = length + OVERHEAD
            if length <= FRAME_MAX:
                if len(self._raw) < end:
                    return None
                frame = self._raw[:end]
                if crc16(frame[1:]) == 0:
                    self._raw = self._raw[end:]
                    return frame[1], frame[2], frame[4:-2]
            self.skip()
        return None

    def _take_text(self, data: bytes) -> None:
        *lines, self._text = (self._text + data).split(b"\n")
        if len(self._text) > LINE_MAX:
            lines.append(self._text)
            self._text = b""
        for line in lines:
            self._on_line(line.decode("ascii", "replace").rstrip())

    def skip(self) -> bool:
        """After a silence: what looks like the beginning of a frame is none. False if there was
        nothing of the kind."""
        if not self._raw:
            return False
        self.damaged += 1
        self._raw = self._raw[1:]
        return True

    def forget(self, why: str) -> None:
        """What has begun does not go on; `why` ends the line."""
        self._raw = b""
        self._take_text(f" {why}\n".encode())


def printable(text: str) -> str:
    """Text of a device, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


class Link:
    """Asks a device and waits for its answers.

    timeout: seconds of silence after which a frame is sent again, or given up after `tries`.
    on_line: gets each line of text of the device.
    """

    def __init__(
        self, transport: Transport, *, timeout: float = 5.0, tries: int = 3,
        clock: Callable[[], float] = time.monotonic,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        self.transport = transport
        self.timeout, self.tries = timeout, tries
        self.frames = Frames(on_line)
        self.repeated = 0  # frames sent again
        self._clock = clock
        self._seq = 0

    def receive(self, timeout: float) -> tuple[int, int, bytes] | None:
        """The next frame: type, sequence number, content; None after `timeout` seconds."""
        end = self._clock() + timeout
        while True:
            frame = self.frames.next()
            if frame is not None:
                return frame
            left = end - self._clock()
            if left <= 0:
                return None
            self.frames.push(self.transport.read(left))

    def settle(self) -> None:
        """Ends a frame that was cut in half, and lets pass what is still under way."""
        self.transport.write(bytes(FRAME_MAX + OVERHEAD))
        end = self._clock() + self.timeout
        while self._clock() < end:
            if self.receive(QUIET) is None and not self.frames.skip():
                return

    def sync(self) -> None:
        """First words to a device that may have talked to another program.

        A frame with the number that the device answered last is answered again, not taken:
        after one exchange, whatever came of it, the numbers of the two are in step.
        """
        self.settle()
        self.ask(QUERY, bytes([Q_STATUS, 0, 0]))

    def ask(self, kind: int, data: bytes = b"") -> tuple[int, bytes]:
        """Sends a frame and waits for its answer, type and content; again if it got lost."""
        self._seq = (self._seq + 1) & 255
        frame = encode(kind, self._seq, data)
        for attempt in range(self.tries):
            if attempt:
                self.repeated += 1
                self.settle()
            self.transport.write(frame)
            answer = self._answer()
            if answer is not None:
                return answer
        raise Cut(
            f"no answer to {_NAMES[kind]} ({self.tries} attempts, {self.timeout:g} s each)",
            hint="is it the right port and baud rate, and is the device on?",
        )

    def _answer(self) -> tuple[int, bytes] | None:
        """None: not taken, or nothing came. Answers to frames before this one are passed."""
        end = self._clock() + self.timeout
        while (left := end - self._clock()) > 0:
            frame = self.receive(left)
            if frame is None or frame[0] == NAK:
                return None
            if frame[1] == self._seq:
                return frame[0], frame[2]
        return None

    # -- requests ------------------------------------------------------------------------------

    def request(self, kind: int, data: bytes = b"") -> Ack | Need | Result:
        """A step of a transfer."""
        answer, body = self.ask(kind, data)
        if answer == ACK:
            return Ack(*_unpack("<hI", body, "acknowledgement"))
        if answer == RESULT:
            code, section, component, offset, label, platform = _unpack("<hBBIii", body, "result")
            return Result(code, section, component, offset, label, platform)
        if answer == NEED:
            offset, size, length, component = _unpack("<IIHB", body[:11], "request for payload")
            return Need(offset, size, component, self._uri(body[11:], length))
        raise LinkError(f"answers {_NAMES[kind]} with a frame of type {answer:#04x}")

    def _uri(self, uri: bytes, length: int) -> str:
        """The whole URI of a request for payload, of which `uri` is the beginning."""
        if not 0 < length <= URI_MAX:
            raise LinkError(f"asks for a URI of {length} bytes, and 1 to {URI_MAX} can be")
        while len(uri) < length:
            piece = self.query(Q_URI, len(uri))
            if not piece:
                raise LinkError(f"gives {len(uri)} bytes of a URI of {length}")
            uri += piece
        if len(uri) > length:
            raise LinkError(f"gives {len(uri)} bytes of a URI of {length}")
        try:
            return uri.decode()
        except UnicodeDecodeError:
            raise LinkError(f"asks for a URI that is not UTF-8: {uri!r}") from None

    def query(self, what: int, offset: int = 0) -> bytes:
        """One piece of an answer, from an offset on; at most FRAME_MAX bytes."""
        answer, body = self.ask(QUERY, struct.pack("<BH", what, offset))
        if answer != DATA:
            raise LinkError(f"answers a query with a frame of type {answer:#04x}")
        return body

    def report(self, what: int = Q_REPORT) -> bytes:
        """Q_REPORT: of the last transfer; Q_BOOT: of the boot state; Q_CAPS: capabilities.
        Empty if the device has none."""
        data = b""
        while True:
            piece = self.query(what, len(data))
            data += piece
            if len(piece) < FRAME_MAX:
                return data
            if len(data) > REPORT_MAX:
                raise LinkError(f"gives a report of more than {REPORT_MAX} bytes")

    def info(self) -> Info | None:
        """None: nothing was authenticated since the reset."""
        body = self.query(Q_INFO)
        if not body:
            return None
        sequence, length, signer, components, sections, digest = _unpack(
            "<QIHBB32s", body, "information"
        )
        return Info(sequence, length, signer, components, sections, digest)

    def status(self) -> Status:
        fields = _unpack("<i8I8H", self.query(Q_STATUS), "status")
        depth = dict(zip(_CALLS, fields[9:], strict=True))
        return Status(*[*fields[:9], depth])


def _unpack(layout: str, body: bytes, what: str) -> tuple[Any, ...]:
    if len(body) != struct.calcsize(layout):
        raise LinkError(f"{what} of {len(body)} bytes, not {struct.calcsize(layout)}")
    return struct.unpack(layout, body)
