# SPDX-License-Identifier: MIT
"""Sends an update to a device, and goes on after the connection or the device was cut.

The device says what it wants: bytes of the envelope, then payloads by URI from an offset on.
After a cut the envelope is sent again from its first byte; how much of a payload is in place only
the device knows, and says in its next request. So the host keeps no state, and the same call
made tomorrow goes on where today's was cut.
"""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from . import link as frames
from . import report as reports
from .link import FRAME_MAX, Ack, Cut, Info, Link, LinkError, Need, Result, Transport, printable
from .problem import Problem
from .report import Report

NEEDS_MAX = 64  # requests for payload in one transfer: 32 components, two sections that fetch
SYNC_TIMEOUT = 3.0  # seconds; the first question is answered at once, or by nobody
BACK_OFF = (0.5, 8.0)  # seconds before the first retry, doubled for each more; at most
LINES_KEPT = 200  # lines of text of the device
_TRIED = (2, 3)  # phases of the boot state: a candidate waits, or is on trial


class Anew(Cut):
    """The device answers, but knows nothing of the transfer: it was reset."""


class Payloads:
    """Where payloads come from, by URI.

    files   contents by URI
    folder  for other URIs: the file in it that is called as the last part of the URI's path
    """

    def __init__(self, files: Mapping[str, bytes], folder: Path | None = None) -> None:
        self._files, self._folder = dict(files), folder

    def find(self, uri: str) -> bytes:
        """Raises Problem if there is none. The URI is the device's: it names no other folder."""
        if uri in self._files:
            return self._files[uri]
        name = file_name(uri)
        if self._folder is None or not name:
            raise Problem(f"the device asks for {uri!r}", hint=f"--payload {uri}=FILE")
        path = self._folder / name
        if not path.is_file():  # a pipe, say, would never end
            raise Problem(f"the device asks for {uri!r}, but this is no file", file=str(path),
                          hint=f"--payload {uri}=FILE")  # fmt: skip
        try:
            return self._files.setdefault(uri, path.read_bytes())
        except OSError as error:
            raise Problem(f"the device asks for {uri!r}: {error.strerror}",
                          file=str(path)) from error  # fmt: skip


def file_name(uri: str) -> str:
    """Name of the file that holds the payload of a URI; empty if the URI suggests none."""
    try:
        name = urlsplit(uri).path.rpartition("/")[2]
    except ValueError:
        return ""
    is_safe = name.isprintable() and "\\" not in name and not name.startswith(".")
    return name if is_safe else ""


class Watcher:
    """What happens meanwhile. Made to be overridden."""

    def progress(self, done: int, total: int) -> None:
        """Bytes of envelope and payloads that the device has, in this attempt."""

    def line(self, text: str) -> None:
        """Text of the device, without control characters."""

    def note(self, text: str) -> None:
        """The transfer was cut, and what is done about it."""


@dataclass
class Outcome:
    """The device has answered: `result` is its last word."""

    result: Result
    sent: int  # bytes of envelope and payloads, in all attempts
    attempts: int
    needs: list[Need]  # what the device has asked for, in all attempts
    lines: list[str]  # the last of its text
    report: Report | None = None  # of this transfer
    boot: Report | None = None  # of the boot state
    info: Info | None = None  # what the device has authenticated
    faults: list[str] = field(default_factory=list)  # why one of these is missing

    @property
    def is_installed(self) -> bool:
        return self.result.code == 0


class Push:
    """One update on its way.

    connect   opens the port; raises Cut if nobody is there
    timeout   seconds of silence after which a frame is sent again, three times in all
    retries   times that a cut transfer is started again
    reset     an update that was installed is started, and the boot state read after that
    """

    def __init__(
        self, connect: Callable[[], Transport], envelope: bytes, payloads: Payloads, *,
        timeout: float = 10.0, retries: int = 5, reset: bool = False,
        watcher: Watcher | None = None, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._connect, self._envelope, self._payloads = connect, envelope, payloads
        self._timeout, self._retries, self._reset = timeout, retries, reset
        self._watcher, self._clock, self._sleep = watcher or Watcher(), clock, sleep
        self._attempts = self._sent = 0
        self._needs: list[Need] = []
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    def run(self) -> Outcome:
        """Until the device has answered. Raises Cut if none is there, or it stays away; LinkError
        if it breaks the protocol; Problem if it wants a payload that is not given."""
        wait, longest = BACK_OFF
        is_met = False
        while True:
            self._attempts += 1
            try:
                transport = self._connect()
                try:
                    link = self._meet(transport)
                    is_met = True
                    return self._look(link, Transfer(self, link).run())
                finally:
                    transport.close()
            except Cut as cut:
                if not is_met:
                    raise
                if self._attempts > self._retries:
                    raise Cut(
                        f"given up after {self._attempts} attempts: {cut.what}", file=cut.file,
                        hint="the same command goes on where this one stopped",
                    ) from cut  # fmt: skip
                when = "at once" if isinstance(cut, Anew) else f"in {wait:g} s"
                self._watcher.note(f"{cut.what}; again {when} ({self._attempts} of "
                                   f"{self._retries} retries)")  # fmt: skip
                if not isinstance(cut, Anew):
                    self._sleep(wait)
                    wait = min(2 * wait, longest)

    def _meet(self, transport: Transport) -> Link:
        link = Link(
            transport, timeout=min(self._timeout, SYNC_TIMEOUT), clock=self._clock,
            on_line=self._line,
        )  # fmt: skip
        link.sync()
        link.timeout = self._timeout
        return link

    def _line(self, text: str) -> None:
        text = printable(text)
        self._lines.append(text)
        self._watcher.line(text)

    def _look(self, link: Link, result: Result) -> Outcome:
        """What the device says about it. Whatever is wrong with that, the result stands."""
        outcome = Outcome(result, self._sent, self._attempts, self._needs, [])
        try:
            outcome.info = link.info()
            if data := link.report():
                outcome.report = reports.read_report(data, "report of the transfer")
            if self._reset and outcome.is_installed:
                link.ask(frames.RESET)
                self._wait(link)
            if data := link.report(frames.Q_BOOT):
                outcome.boot = reports.read_report(data, "report of the boot state")
        except Problem as problem:
            outcome.faults.append(str(problem))
        outcome.lines = list(self._lines)
        return outcome

    def _wait(self, link: Link) -> None:
        """After a reset: until the new image has confirmed itself, or time is up."""
        end = self._clock() + link.timeout
        while True:
            link.sync()
            data = link.report(frames.Q_BOOT)
            boot = reports.read_report(data).boot if data else None
            if boot is None or boot.phase not in _TRIED or self._clock() > end:
                return
            self._sleep(frames.QUIET)

    # -- for Transfer --------------------------------------------------------------------------

    @property
    def envelope(self) -> bytes:
        return self._envelope

    def payload(self, need: Need) -> bytes:
        self._needs.append(need)
        return self._payloads.find(need.uri)

    def count(self, size: int, done: int, total: int) -> None:
        self._sent += size
        self._watcher.progress(done, total)


class Transfer:
    """One attempt, from the first byte of the envelope on."""

    def __init__(self, push: Push, link: Link) -> None:
        self.push, self.link = push, link
        self.taken = 0  # bytes of the envelope that the device has surely used
        self.sent = 0  # where in it the last frame ended
        self.given = 0  # bytes of payloads
        self.total = len(push.envelope)  # of all that is to be sent, as far as known
        self.is_fed = False  # the last frame had bytes of the envelope
        self.is_ended = False  # the device knows that the envelope has no more
        self.needs = 0

    def run(self) -> Result:
        answer = self.link.request(frames.NEW)
        while not isinstance(answer, Result):
            answer = self.serve(answer) if isinstance(answer, Need) else self.feed(answer)
        return answer

    def feed(self, ack: Ack) -> Ack | Need | Result:
        """The next bytes of the envelope. When a payload is asked for, the rest of the frame is
        still unused: the device's count says from where to go on."""
        taken = self.check(ack)
        if self.is_ended:
            raise LinkError("wants more bytes, but has the whole envelope")
        if self.is_fed and taken == self.taken:
            raise LinkError(f"takes no more bytes of the envelope after byte {taken}")
        self.taken = taken
        piece = self.push.envelope[taken : taken + FRAME_MAX]
        if not piece:
            self.is_ended = True
            return self.link.request(frames.ENVELOPE_END)
        self.is_fed = True
        self.sent = taken + len(piece)
        return self.transmit(frames.ENVELOPE, piece)

    def serve(self, need: Need) -> Ack | Need | Result:
        """A payload, from where the device wants it to its end."""
        self.is_fed = False
        self.needs += 1
        if self.needs > NEEDS_MAX:
            raise LinkError(f"asks for payload more than {NEEDS_MAX} times")
        data = self.push.payload(need)
        if need.size not in (frames.UNKNOWN, len(data)):
            raise Problem(
                f"{need.uri!r} has {len(data)} bytes, and the device wants {need.size}",
                hint="is this the payload that the envelope was made for?",
            )
        if need.offset > len(data):
            raise LinkError(f"asks for {need.uri!r} from byte {need.offset}, and it has "
                            f"{len(data)} bytes")  # fmt: skip
        self.total = len(self.push.envelope) + self.given + len(data) - need.offset
        for offset in range(need.offset, len(data), FRAME_MAX):
            piece = data[offset : offset + FRAME_MAX]
            self.given += len(piece)
            answer = self.transmit(frames.PAYLOAD, piece)
            if not isinstance(answer, Ack):
                return answer
            self.check(answer)
        return self.link.request(frames.PAYLOAD_END, b"\1")

    def transmit(self, kind: int, piece: bytes) -> Ack | Need | Result:
        answer = self.link.request(kind, piece)
        self.push.count(len(piece), self.sent + self.given, self.total)
        return answer

    def check(self, ack: Ack) -> int:
        """Bytes of the envelope that were used, if that can be; else the device forgot us."""
        taken = ack.received - self.given
        if ack.status < 0 or not self.taken <= taken <= self.sent:
            raise Anew("the device has started anew")
        return taken
