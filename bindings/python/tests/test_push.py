# SPDX-License-Identifier: MIT
"""The link and `picosuit push`, against devices that are good, broken or hostile.

Time is a fake clock wherever no real channel is meant: a test that waits for a time-out takes
no time, and one that waits for ever fails at once (see Bounded).
"""
from __future__ import annotations

import json
import os
import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
from fake_device import (
    E_STATE,
    PAGE,
    UNKNOWN,
    Answer,
    Clock,
    Device,
    Port,
    frame,
    listening,
    on_terminal,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

from picosuit.author import link as frames
from picosuit.author.link import Cut, Frames, Link, LinkError, Need, Result, Transport, open_port
from picosuit.author.problem import Problem
from picosuit.author.push import NEEDS_MAX, Outcome, Payloads, Push, Watcher, file_name
from picosuit.cli import main

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
ENVELOPE = bytes(range(1, 251))  # 250 bytes, a start of a frame among them
URI = "coap://u.example/app.bin"
IMAGE = random.Random(1).randbytes(1000)


class Bounded(Port):
    """Fails after hours of the fake clock, or a million bytes: the host did not give up."""

    read_n, hours = 0, 1

    def read(self, timeout: float) -> bytes:
        data = super().read(timeout)
        self.read_n += len(data)
        assert self.clock.now < 3600 * self.hours and self.read_n < 1_000_000
        return data


class Notes(Watcher):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: int, total: int) -> None:
        self.done.append((done, total))


def link_to(device: Device, clock: Clock, **options: float) -> Link:
    return Link(Bounded(device, clock), clock=clock, **options)  # type: ignore[arg-type]


def push_to(
    device: Device, *, envelope: bytes = ENVELOPE, payloads: Payloads | None = None,
    clock: Clock | None = None, connect: Callable[[], Transport] | None = None,
    retries: int = 5, reset: bool = False, watcher: Watcher | None = None,
) -> Outcome:  # fmt: skip
    clock = clock or Clock()
    if payloads is None:
        payloads = Payloads(dict(device.wants))
    return Push(
        connect or (lambda: Bounded(device, clock)), envelope, payloads, clock=clock,
        sleep=clock.sleep, retries=retries, reset=reset, watcher=watcher,
    ).run()  # fmt: skip


# -- frames ------------------------------------------------------------------------------------


def take_apart(pieces: list[bytes]) -> tuple[list[tuple[int, int, bytes]], list[str]]:
    lines: list[str] = []
    taken = Frames(lines.append)
    found = []
    for piece in pieces:
        taken.push(piece)
        while (got := taken.next()) is not None:
            found.append(got)
    return found, lines


PARTS = st.lists(
    st.one_of(
        st.builds(lambda n, data: frame(b"D", n, data), st.integers(0, 255),
                  st.binary(max_size=64)),
        st.text("abc\x02 \x7f", max_size=20).map(lambda text: text.encode() + b"\n"),
    ),
    max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(PARTS, st.randoms(use_true_random=False))
def test_frames_any_split_gives_the_same(parts: list[bytes], draw: random.Random) -> None:
    data = b"".join(parts)
    cuts = sorted(draw.randint(0, len(data)) for _ in range(5))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]
    found, lines = take_apart(pieces)
    assert [frame(bytes([kind]), seq, body) for kind, seq, body in found] == [
        part for part in parts if part[0] == 1]  # fmt: skip
    assert lines == [part.decode().rstrip() for part in parts if part[0] != 1]
    assert (found, lines) == take_apart([data])


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_frames_garbage_never_keeps_more_than_a_frame(data: bytes) -> None:
    taken = Frames(lambda line: None)
    taken.push(data)
    while taken.next() is not None:
        pass
    assert len(taken._raw) < 64 + frames.OVERHEAD and len(taken._text) <= frames.LINE_MAX


def test_frames_damaged_one_hides_nothing() -> None:
    good = frame(b"A", 3, bytes(6))
    bad = good[:-1] + bytes([good[-1] ^ 1])
    assert take_apart([bad + good])[0] == [(ord("A"), 3, bytes(6))]
    assert take_apart([good[:4] + good + good])[0] == 2 * [(ord("A"), 3, bytes(6))]
    assert take_apart([b"\1A\3\xff" + good])[0] == [(ord("A"), 3, bytes(6))]  # too long to be one


def test_frames_text_without_an_end_is_cut() -> None:
    lines: list[str] = []
    taken = Frames(lines.append)
    for _ in range(50):
        taken.push(b"x" * 100)
        assert taken.next() is None
    assert "".join(lines) == "x" * sum(map(len, lines)) and sum(map(len, lines)) >= 4000


def test_frames_more_than_fits_is_our_mistake() -> None:
    with pytest.raises(ValueError):
        frames.encode(frames.ENVELOPE, 0, bytes(65))


# -- the link ----------------------------------------------------------------------------------


def test_link_lost_answer_is_asked_for_again_and_taken_once() -> None:
    device, clock = Device(250), Clock()
    link = link_to(device, clock)
    lost = iter([True])
    device.spoil = lambda answer: b"" if next(lost, False) else answer
    link.request(frames.NEW)
    assert (device.log, link.repeated) == ([b"S"], 1)
    assert 5 <= clock.now < 6


@pytest.mark.parametrize("spoil", [
    lambda answer: answer[:-1] + bytes([answer[-1] ^ 0x80]),  # CRC
    lambda answer: answer[: len(answer) // 2],  # half of it
    lambda answer: b"",
])  # fmt: skip
def test_link_every_second_answer_is_damaged(spoil: Callable[[bytes], bytes]) -> None:
    device = Device(250, [(URI, IMAGE)])
    turn = iter(range(1000))
    device.spoil = lambda answer: spoil(answer) if next(turn) % 2 else answer
    assert push_to(device).is_installed
    assert device.flash[URI] == IMAGE


def test_link_a_refused_frame_is_sent_again_at_once() -> None:
    device, clock = Device(250), Clock()
    link = link_to(device, clock)
    device.take(b"\1S\1")  # what comes next is taken for the rest of this frame
    link.request(frames.NEW)
    assert device.log == [b"S"] and link.repeated == 1 and clock.now < 1


@pytest.mark.parametrize("spoil", [
    lambda answer: b"",
    lambda answer: frame(b"A", (answer[2] + 1) & 255, bytes(6)),  # to another question
    lambda answer: frame(b"K", 0),  # never taken
    lambda answer: answer[:-1] + b"?",
    lambda answer: b"\1" * 500,
    lambda answer: random.Random(answer).randbytes(5000).replace(b"\n", b""),
])  # fmt: skip
def test_link_device_that_does_not_answer_is_given_up(spoil: Callable[[bytes], bytes]) -> None:
    device, clock = Device(250), Clock()
    device.spoil = spoil
    with pytest.raises(Cut, match="no answer to new transfer"):
        link_to(device, clock).request(frames.NEW)
    assert clock.now < 3 * (5 + 5 + 1)


def test_link_talk_without_end_is_given_up() -> None:
    class Talker(Port):
        def read(self, timeout: float) -> bytes:
            self.clock.now += 0.01
            return b"blah blah\n" + frame(b"A", 77)

    clock = Clock()
    with pytest.raises(Cut):
        Link(Talker(Device(1), clock), clock=clock).sync()
    assert clock.now < 60


def test_link_two_programs_in_turn_with_the_same_numbers() -> None:
    device, clock = Device(250), Clock()
    first = link_to(device, clock)
    first.sync()
    first.request(frames.NEW)  # number 2
    second = link_to(device, clock)
    second.sync()
    assert second.request(frames.ENVELOPE, b"x") == frames.Ack(1, 1)  # number 2, and it is taken
    assert device.log[-1] == b"E"


@pytest.mark.parametrize("cut", range(1, 20))
def test_link_half_a_frame_from_before(cut: int) -> None:
    device, clock = Device(250), Clock()
    device.take(frame(b"E", 9, bytes(14))[:cut])
    link = link_to(device, clock)
    link.sync()
    assert link.request(frames.NEW) == frames.Ack(0, 0)
    assert clock.now < 5


ANSWERS = {b"A": bytes(6), b"R": bytes(16), b"N": bytes(11)}


@pytest.mark.parametrize("kind", [b"A", b"R", b"N", b"D", b"X"])
@pytest.mark.parametrize("change", [-1, 1])
def test_link_answer_of_another_length_or_type(kind: bytes, change: int) -> None:
    device = Device(250)
    body = ANSWERS.get(kind, bytes(5))
    # Behind the fixed part of a request for payload the URI begins: more is not wrong there.
    body = body[:-1] if change < 0 else body + b"?"
    device.respond = lambda *_: (kind, body)
    with pytest.raises(LinkError) as error:
        link_to(device, Clock()).request(frames.NEW)
    assert not isinstance(error.value, Cut)


def asking(uri: bytes, length: int, rest: Callable[[int], bytes]) -> Device:
    """A device that asks for a URI of `length` bytes, beginning with `uri`."""
    device = Device(250)
    device.respond = lambda kind, data: (
        (b"D", rest(int.from_bytes(data[1:3], "little"))) if kind == b"Q" else
        (b"N", struct.pack("<IIHB", 0, 10, length, 0) + uri[:53]))  # fmt: skip
    return device


def test_link_long_uri_comes_in_pieces() -> None:
    uri = b"coap://" + b"a" * 248
    got = link_to(asking(uri, 255, lambda at: uri[at : at + 64]), Clock()).request(frames.NEW)
    assert got == Need(0, 10, 0, uri.decode())


@pytest.mark.parametrize("uri, length, rest, what", [
    (b"a" * 300, 300, lambda at: b"a" * 64, "URI of 300 bytes"),
    (b"", 0, lambda at: b"", "URI of 0 bytes"),
    (b"a" * 53, 200, lambda at: b"", "53 bytes of a URI of 200"),
    (b"a" * 53, 60, lambda at: b"a" * 64, "117 bytes of a URI of 60"),
    (b"a" * 53, 20, lambda at: b"", "53 bytes of a URI of 20"),
    (b"\xff\xfe", 2, lambda at: b"", "not UTF-8"),
])  # fmt: skip
def test_link_uri_that_cannot_be(
    uri: bytes, length: int, rest: Callable[[int], bytes], what: str
) -> None:
    with pytest.raises(LinkError, match=what):
        link_to(asking(uri, length, rest), Clock()).request(frames.NEW)


def test_link_report_comes_in_pieces_and_ends() -> None:
    device = Device(250)
    link = link_to(device, Clock())
    for size in (0, 63, 64, 65, 200):
        device.reports[b"r"] = IMAGE[:size]
        assert link.report() == IMAGE[:size]
    device.data_of = lambda what, offset: bytes(64)
    with pytest.raises(LinkError, match="more than 4096 bytes"):
        link.report()


def test_link_status_and_info() -> None:
    link = link_to(Device(250), Clock())
    status = link.status()
    assert (status.status, status.running, status.context) == (0, 1, 8)
    assert status.depth["init"] == 9 and status.depth["boot_candidate"] == 16
    info = link.info()
    assert info is not None
    assert (info.sequence, info.envelope_len, info.signer, info.sections) == (7, 300, 1, 17)


# -- pushing -----------------------------------------------------------------------------------


def test_push_envelope_alone() -> None:
    device, notes = Device(250), Notes()
    outcome = push_to(device, watcher=notes)
    assert outcome.result == Result(0, 0, 255, 0, 0, 0)
    assert (outcome.sent, outcome.attempts, outcome.needs) == (250, 1, [])
    assert device.log[1:7] == [b"S", b"E", b"E", b"E", b"E", b"Z"]
    assert notes.done == [(64, 250), (128, 250), (192, 250), (250, 250)]


@pytest.mark.parametrize("ready", [1, 63, 64, 65, 100, 249, 250])
def test_push_payload_asked_for_in_the_middle_of_a_frame(ready: int) -> None:
    wants = [(URI, IMAGE), ("coap://u.example/b", b"b"), ("coap://u.example/c", b"")]
    device, notes = Device(250, wants, ready), Notes()
    outcome = push_to(device, watcher=notes)
    assert outcome.is_installed and device.flash == dict(wants)
    assert [need.uri for need in outcome.needs] == [uri for uri, _ in wants]
    assert device.at == 250
    assert notes.done[-1][0] <= notes.done[-1][1] and notes.notes == []


def test_push_unknown_size() -> None:
    device = Device(250, [(URI, IMAGE)])
    device.ask_for = lambda offset, _, uri: device.need_of(offset, UNKNOWN, uri)
    assert push_to(device).is_installed


def frames_of(device: Device) -> int:
    """Frames in a push without a cut."""
    push_to(device)
    return len(device.log)


FRAMES = frames_of(Device(250, [(URI, IMAGE)], 100))


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("n", range(FRAMES))
def test_push_survives_a_reset_at_every_frame(n: int, is_gone: bool) -> None:
    """Before the n-th frame; the port stays, or goes and comes back at the third attempt."""
    device, clock = Device(250, [(URI, IMAGE)], 100), Clock()
    ports: list[Bounded] = []

    def connect() -> Transport:
        if is_gone and device.resets and len(ports) < 3:
            ports.append(ports[0])
            raise Cut("no such port")
        ports.append(Bounded(device, clock))
        return ports[-1]

    def fragile(kind: bytes, data: bytes) -> Answer | None:
        if len(device.log) == n + 1 and not device.resets:
            device.reset()
            ports[-1].is_gone = is_gone
            return None
        return device.answer(kind, data)

    device.respond = fragile
    notes = Notes()
    if n == 0 and is_gone:
        with pytest.raises(Cut):  # nobody was met yet
            push_to(device, connect=connect, clock=clock)
        return
    outcome = push_to(device, connect=connect, clock=clock, watcher=notes)
    assert outcome.is_installed and device.flash[URI] == IMAGE and device.resets == 1
    assert outcome.sent <= 250 + 250 + 1000 + 2 * PAGE
    # The first is a query, the last three are: nothing is started again for these, nor for a
    # new transfer that the device has not heard of.
    assert (outcome.attempts > 1) == (2 - is_gone <= n < FRAMES - 3)
    assert len(notes.notes) == outcome.attempts - 1


def test_push_goes_on_in_another_run() -> None:
    device = Device(250, [(URI, IMAGE)])
    first = Push(lambda: Bounded(device, clock), ENVELOPE, Payloads({URI: IMAGE}), retries=0,
                 clock=(clock := Clock()))  # fmt: skip
    device.spoil = lambda answer: b"" if len(device.flash[URI]) >= 700 else answer
    with pytest.raises(Cut, match="given up after 1 attempts: no answer to payload bytes"):
        first.run()
    device.spoil = lambda answer: answer
    outcome = push_to(device)
    assert outcome.is_installed and outcome.needs[0].offset == 2 * PAGE
    assert outcome.sent == 250 + 1000 - 2 * PAGE


def test_push_gives_up_after_so_many_retries() -> None:
    device, clock, notes = Device(250), Clock(), Notes()
    device.on[b"Z"] = lambda data: device.ack(E_STATE)  # forgets, but is there
    with pytest.raises(Cut, match="given up after 4 attempts: the device has started anew"):
        push_to(device, clock=clock, retries=3, watcher=notes)
    assert clock.waits == [] and len(notes.notes) == 3


def test_push_waits_longer_and_longer() -> None:
    device, clock, notes = Device(250), Clock(), Notes()
    is_met = iter([True])

    def connect() -> Transport:
        if next(is_met, False):
            return Bounded(device, clock)
        raise Cut("no such port")

    device.spoil = lambda answer: b"" if b"E" in device.log else answer
    with pytest.raises(Cut, match="given up after 7 attempts: no such port"):
        push_to(device, connect=connect, clock=clock, retries=6, watcher=notes)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert notes.notes[1] == "no such port; again in 1 s (2 of 6 retries)"


def test_push_nobody_there() -> None:
    clock = Clock()

    def connect() -> Transport:
        raise Cut("no such port")

    with pytest.raises(Cut, match="^no such port"):
        push_to(Device(250), connect=connect, clock=clock)
    device = Device(250)
    device.spoil = lambda answer: b""
    with pytest.raises(Cut, match="no answer to query"):
        push_to(device, clock=clock)
    assert clock.waits == [] and clock.now < 25


def test_push_refused() -> None:
    device = Device(250)
    device.code = -62
    outcome = push_to(device)
    assert not outcome.is_installed
    assert outcome.result == Result(-62, 20, 0, 412, 22, 0)


def needing(*needs: tuple[int, int, bytes]) -> Device:
    """A device that wants these: offset, size, URI; the last again and again."""
    device = Device(250)
    turn = [*needs]

    def answer(kind: bytes, data: bytes) -> Answer:
        if kind == b"Q":
            return b"D", device.query(data[:1], 0)
        if kind == b"P":
            device.given += len(data)
            return device.ack(1)
        device.is_open, device.at, device.n = True, 0, 0
        device.given = 0 if kind == b"S" else device.given
        return device.need_of(*(turn.pop(0) if len(turn) > 1 else turn[0]))

    device.respond = answer
    return device


@pytest.mark.parametrize("device, what", [
    (needing((1001, UNKNOWN, URI.encode())), "from byte 1001, and it has 1000 bytes"),
    (needing((0xFFFFFFFF, 1000, URI.encode())), "from byte 4294967295"),
    (needing((0, 999, URI.encode())), "has 1000 bytes, and the device wants 999"),
    (needing((0, 10, b"coap://u.example/../../etc/passwd")), "the device asks for"),
    (needing((900, 1000, URI.encode())), f"more than {NEEDS_MAX} times"),
    (needing((1000, 1000, URI.encode())), f"more than {NEEDS_MAX} times"),
])  # fmt: skip
def test_push_request_that_cannot_be_served(device: Device, what: str) -> None:
    with pytest.raises(Problem, match=what) as error:
        push_to(device, payloads=Payloads({URI: IMAGE}))
    assert not isinstance(error.value, Cut)
    assert device.log.count(b"P") <= 2 * NEEDS_MAX


def test_push_device_that_takes_nothing() -> None:
    device = Device(250)
    device.on[b"E"] = lambda data: device.ack(1)
    with pytest.raises(LinkError, match="takes no more bytes of the envelope after byte 0"):
        push_to(device)


def test_push_device_that_wants_more_than_there_is() -> None:
    device = Device(250)
    device.on[b"Z"] = lambda data: device.ack(1)
    with pytest.raises(LinkError, match="has the whole envelope"):
        push_to(device)


@pytest.mark.parametrize("received", [65, 0xFFFFFFFF])
def test_push_device_that_counts_wrong(received: int) -> None:
    device = Device(250)
    device.on[b"E"] = lambda data: (b"A", struct.pack("<hI", 1, received))
    with pytest.raises(Cut, match="given up"):
        push_to(device, retries=2)
    assert device.log.count(b"S") == 3


REPORT = cbor2.dumps({3: [], 4: {5: -62, 6: [[], 20, 34, 0, {}], 7: 11},
                      99: ["coap://u.example/2", [-16, bytes(32)]]})  # fmt: skip


def boot_report(phase: int) -> bytes:
    return cbor2.dumps({3: [], 4: True, 99: ["", [-16, b""]], -1: [phase, 0, 1, 7, 0, None, None]})


def test_push_reads_reports() -> None:
    device = Device(250)
    device.code = -62
    device.reports = {b"r": REPORT, b"b": boot_report(1)}
    outcome = push_to(device)
    assert outcome.report is not None and outcome.report.failure is not None
    assert (outcome.report.failure.code, outcome.report.failure.reason) == (-62, 11)
    assert outcome.boot is not None and outcome.boot.boot is not None
    assert outcome.boot.boot.floor == 7 and outcome.faults == []


@pytest.mark.parametrize("data", [b"\xff", b"\xa0", b"\x81" * 64, REPORT[:-1], bytes(5000)])
def test_push_result_stands_whatever_the_report_is(data: bytes) -> None:
    device = Device(250)
    device.reports = {b"r": data}
    outcome = push_to(device)
    assert outcome.is_installed and outcome.report is None
    assert len(outcome.faults) == 1 and "\n" not in outcome.faults[0]


def test_push_silence_after_the_result() -> None:
    device = Device(250)
    device.spoil = lambda answer: b"" if b"Z" in device.log and answer[1:2] == b"D" else answer
    outcome = push_to(device)
    assert outcome.is_installed and outcome.attempts == 1
    assert "no answer to query" in outcome.faults[0]


def test_push_reset_waits_until_the_image_is_confirmed() -> None:
    device, clock = Device(250), Clock()
    phases = iter([3, 3, 4, 4])

    def on_trial(what: bytes, offset: int) -> bytes:
        if what == b"b":
            device.reports[b"b"] = boot_report(next(phases))
        return device.query(what, offset)

    device.data_of = on_trial
    outcome = push_to(device, reset=True, clock=clock)
    assert device.resets == 1 and clock.waits == [frames.QUIET] * 2
    assert outcome.boot is not None and outcome.boot.boot is not None
    assert outcome.boot.boot.phase == 4 and outcome.faults == []


@pytest.mark.parametrize("uri, name", [
    (URI, "app.bin"), ("app.bin", "app.bin"), ("coap://h/a/b?c=d/e#f", "b"), ("http://[", ""),
    ("coap://h/", ""), ("coap://h/..", ""), ("coap://h/.ssh", ""), ("coap://h/a\\b", ""),
    ("coap://h/a\0b", ""), ("", ""),
])  # fmt: skip
def test_push_folder_gives_files_of_itself_only(uri: str, name: str, tmp_path: Path) -> None:
    assert file_name(uri) == name
    (tmp_path / "app.bin").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / ".ssh").write_bytes(b"3")
    source = Payloads({}, tmp_path)
    if name:
        assert source.find(uri) == (tmp_path / name).read_bytes()
    else:
        with pytest.raises(Problem, match="the device asks for"):
            source.find(uri)


def test_push_folder_without_the_file(tmp_path: Path) -> None:
    source = Payloads({}, tmp_path)
    path = tmp_path / "app.bin"
    want = f"{path}: the device asks for {URI!r}, but this is no file (--payload {URI}=FILE)"
    for kind in ("nothing", "folder", "pipe"):
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            path.rmdir()
            os.mkfifo(path)
        with pytest.raises(Problem) as error:
            source.find(URI)
        assert str(error.value) == want


def test_push_device_that_talks_all_the_time() -> None:
    device, clock = Device(250, [(URI, IMAGE)]), Clock()
    device.spoil = lambda answer: b"temperature 21\r\n" + answer + b"humidity "
    outcome = push_to(device, clock=clock)
    assert outcome.is_installed and outcome.attempts == 1 and clock.now < 60
    assert outcome.lines[-1] == "humidity temperature 21"


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_push_whatever_the_device_answers_it_ends(draw: random.Random) -> None:
    device, clock = Device(250, [(URI, IMAGE)]), Clock()

    def spoil(answer: bytes) -> bytes:
        kind = draw.randbytes(1) if draw.random() < 0.2 else bytes([draw.choice(b"ANRDK")])
        made_up = frame(kind, answer[2], draw.randbytes(draw.choice((0, 6, 11, 16, 20, 64))))
        return draw.choice([answer] * 20 + [b"", draw.randbytes(30), made_up, made_up])

    def connect() -> Transport:
        port = Bounded(device, clock)
        port.hours = 1000
        return port

    device.spoil = spoil
    try:
        outcome = push_to(device, connect=connect, clock=clock, retries=2)
    except Problem as problem:
        assert "\n" not in str(problem)
    else:
        assert outcome.attempts <= 3


# -- real channels, and the command --------------------------------------------------------------


def test_transport_tcp() -> None:
    device = Device(250, [(URI, IMAGE)])
    with listening(device, socket.AF_INET, ("127.0.0.1", 0)) as address:
        assert isinstance(address, tuple)
        port = open_port(f"tcp:127.0.0.1:{address[1]}")
        outcome = Push(lambda: port, ENVELOPE, Payloads({URI: IMAGE})).run()
    assert outcome.is_installed and device.flash[URI] == IMAGE


def test_transport_serial_port() -> None:
    device = Device(250, [(URI, IMAGE)])
    with on_terminal(device) as name:
        outcome = Push(lambda: open_port(name), ENVELOPE, Payloads({URI: IMAGE})).run()
    assert outcome.is_installed and device.flash[URI] == IMAGE


@pytest.mark.parametrize("name, what", [
    ("unix:/nowhere/at/all", "unix:/nowhere/at/all: No such file or directory"),
    ("/dev/nowhere", "/dev/nowhere: "),
    ("tcp:localhost", "not tcp:HOST:PORT"),
    ("tcp:localhost:99999", "not tcp:HOST:PORT"),
    ("unix:" + "x" * 200, "path too long"),
])  # fmt: skip
def test_transport_port_that_is_not_there(name: str, what: str) -> None:
    with pytest.raises(Problem) as error:
        open_port(name, timeout=1)
    assert what in str(error.value)


def test_transport_socket_that_is_closed_is_cut() -> None:
    ours, theirs = socket.socketpair()
    port = frames.SocketTransport(ours)
    assert port.read(0) == b""
    theirs.close()
    with pytest.raises(Cut):
        port.read(1)
    with pytest.raises(Cut):
        for _ in range(2):
            port.write(b"x")
    port.close()
    with pytest.raises(Cut):
        port.read(1)


def run(
    *arguments: str | Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard output, standard error of `picosuit ...`."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


@pytest.fixture
def envelope(tmp_path: Path) -> Path:
    path = tmp_path / "update.suit"
    path.write_bytes((VECTORS / "suit/demo_encrypted_ab.suit").read_bytes())
    return path


def test_command_installs(
    envelope: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device(len(envelope.read_bytes()), [(URI, IMAGE), (URI + "?a=b", b"2")])
    device.reports = {b"r": REPORT, b"b": boot_report(2)}
    (tmp_path / "app.bin").write_bytes(IMAGE)
    (tmp_path / "2").write_bytes(b"2")
    device.out += b"\x1b[31mred\x07\r\n"
    with listening(device, socket.AF_UNIX, str(tmp_path / "port")):
        status, out, err = run(
            "push", envelope, "--port", f"unix:{tmp_path / 'port'}", "--payload",
            f"{URI}?a=b={tmp_path / '2'}", "--payload-dir", tmp_path, capsys=capsys,
        )  # fmt: skip
    assert status == 0 and device.flash == {URI: IMAGE, URI + "?a=b": b"2"}
    assert "installed" in out and "candidate waits" in out and "by key 1" in out
    assert "device: ?[31mred?" in err and "\x1b" not in out + err


def test_command_refused_as_data(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device = Device(len(envelope.read_bytes()))
    device.code = -62
    device.reports = {b"r": REPORT}
    port = str(envelope.parent / "port")
    with listening(device, socket.AF_UNIX, port):
        status, out, err = run("--json", "push", envelope, "--port", f"unix:{port}", capsys=capsys)
    data = json.loads(out)
    assert (status, err, data["installed"]) == (1, "", False)
    assert data["result"]["name"] == "E_DECRYPT (-62)" and data["result"]["offset"] == 412
    assert data["result"]["there"].startswith("install, command")
    assert data["report"]["result"]["reason_text"] == "operation failed"
    assert data["boot_report"] is None


def test_command_says_where_and_why(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device = Device(len(envelope.read_bytes()))
    device.code = -62
    device.reports = {b"r": REPORT}
    port = str(envelope.parent / "port")
    with listening(device, socket.AF_UNIX, port):
        status, out, _ = run("push", envelope, "--port", f"unix:{port}", capsys=capsys)
    assert status == 1
    for words in ("refused: E_DECRYPT (-62), payload cannot be decrypted", "byte 412 of the env",
                  "install, component 0", "22 (directive-copy)", "byte 34 of install"):  # fmt: skip
        assert words in out


@pytest.mark.parametrize("arguments, what", [
    (["nofile", "--port", "unix:x"], "nofile: No such file or directory"),
    (["bad", "--port", "unix:x"], "bad: byte 0: "),
    (["update.suit", "--port", "unix:x"], "unix:x: No such file or directory"),
    (["update.suit", "--port", "unix:x", "--payload", "a"], "--payload a: not URI=FILE"),
    (["update.suit", "--port", "unix:x", "--payload", "a=no"], "no: No such file or directory"),
    (["update.suit"], "Missing option '--port'"),
    (["bad", "--unchecked", "--port", "unix:x"], "unix:x: No such file or directory"),
])  # fmt: skip
def test_command_bad_input_is_one_line(
    arguments: list[str], what: str, envelope: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(envelope.parent)
    Path("bad").write_bytes(b"\xff" * 100)
    status, out, err = run("push", *arguments, capsys=capsys)
    assert (status, out) == (2, "")
    assert err.startswith(f"picosuit: {what}") and err.count("\n") == 1


def test_command_names_the_port_of_a_hostile_device(
    envelope: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = f"unix:{envelope.parent / 'port'}"
    device = needing((0, 10, b"\x1b[2Jx"))
    with listening(device, socket.AF_UNIX, port[5:]):
        status, out, err = run("push", envelope, "--port", port, capsys=capsys)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"picosuit: {port}: the device asks for")
    assert "\x1b" not in err
