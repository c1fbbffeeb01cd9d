# SPDX-License-Identifier: MIT
"""Threads: each its own processor, at the same time; one processor, never.

That the GIL is released is shown without a clock: with a switch interval that never ends, a thread
which does not give it away keeps it until it blocks."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any

import cbor2
import pytest
from smallsuit import KEY, Memory, commands, encode, install, sign, update

import picosuit
from picosuit import OK, Processor, primitives

MANY = 8


def test_eight_threads_each_its_own() -> None:
    start = Barrier(MANY)

    def work(seed: int) -> int:
        done = 0
        start.wait(30)
        for i in range(40):
            image = bytes((seed + i * j) & 0xFF for j in range(700 + seed))
            envelope = update(image)
            device = Memory()
            with Processor(device, [KEY]) as p:
                assert install(p, envelope, image) == OK
            assert device.content == image
            with pytest.raises(picosuit.Error):
                picosuit.verify(envelope[:-1] + b"\xff", [KEY])
            assert primitives.sha256(image) == hashlib.sha256(image).digest()
            done += 1
        return done

    with ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(work, range(MANY))) == [40] * MANY


@pytest.fixture
def no_switches() -> Iterator[None]:
    """Nobody is made to give the GIL away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


def long_envelope(n: int) -> bytes:
    """With a severed text of n bytes, which is hashed."""
    text = bytes(n)
    digest = [-16, hashlib.sha256(encode(text)).digest()]
    shared = commands(20, {1: bytes(16), 2: bytes(16)}, 1, 0, 2, 0)
    manifest = encode({1: 1, 2: 5, 3: encode({2: [[b"\0"]], 4: shared}), 23: digest})
    return encode(cbor2.CBORTag(107, {2: sign(manifest), 3: manifest, 23: text}))


def meanwhile(call: Callable[[], object], look: Callable[[], None]) -> None:
    """Looks while another thread is in a call. On a busy machine this thread may wake up too late,
    so it tries again; had the call kept the GIL, it never would wake up in time."""
    for _ in range(5):
        began, is_over = Event(), False

        def work() -> None:
            nonlocal is_over
            began.set()  # noqa: B023
            call()
            is_over = True  # still without having given the GIL away, had the call kept it

        thread = Thread(target=work)
        thread.start()
        began.wait(30)
        was_over = is_over
        if not was_over:
            look()
        thread.join(60)
        assert is_over
        if not was_over:
            return
    pytest.fail("nobody else runs during the call")


LONG = 48 << 20  # bytes: long enough for another thread to wake up, on any machine
TEXT = long_envelope(LONG)
BLOCK = bytearray(LONG)


def fed(data: Any) -> Any:
    with Processor(keys=[KEY]) as p:
        return p.feed(data)


def opened(data: Any) -> Any:
    with Processor(keys=[KEY]) as p:
        return p.open(data)


@pytest.mark.parametrize(
    "call",
    [
        lambda: primitives.sha256(BLOCK),
        lambda: primitives.sha512(BLOCK),
        lambda: primitives.ed25519_verify(KEY.key, BLOCK, bytes(64)),
        lambda: primitives.chacha20(bytes(32), bytes(12), 0, BLOCK),
        lambda: primitives.poly1305(bytes(32), BLOCK),
        lambda: fed(TEXT),
        lambda: opened(TEXT),
        lambda: picosuit.verify(TEXT, [KEY]),
    ],
    ids=["sha256", "sha512", "ed25519", "chacha20", "poly1305", "feed", "open", "verify"],
)
@pytest.mark.usefixtures("no_switches")
def test_others_run_meanwhile(call: Callable[[], object]) -> None:
    meanwhile(call, lambda: None)


@pytest.mark.usefixtures("no_switches")
def test_a_buffer_cannot_be_resized_meanwhile() -> None:
    data = bytearray(TEXT)

    def resize() -> None:
        with pytest.raises(BufferError):
            data.clear()

    meanwhile(lambda: fed(data), resize)
    data.clear()


def test_what_changes_during_feed_is_authentic_or_refused() -> None:
    """A thread changes the buffer while it is fed. What comes out is either refused, or what was
    signed: nothing is checked in one version and kept in another."""
    manifest = encode({1: 1, 2: 5, 3: encode({2: [[b"\0"]], 4: commands(20, {18: bytes(60000)})})})
    good = encode(cbor2.CBORTag(107, {2: sign(manifest), 3: manifest}))
    at = good.index(bytes(60000))  # hashed first, kept last
    data, is_over = bytearray(good), False

    def change() -> None:
        while not is_over:
            data[at : at + 4] = b"evil"
            data[at : at + 4] = bytes(4)

    thread = Thread(target=change)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    refused = 0
    try:
        for _ in range(300):
            with Processor(keys=[KEY], work=65536) as p:
                try:
                    p.feed(data)
                except picosuit.AuthenticityError as error:
                    assert error.name == "E_DIGEST"
                    refused += 1
                else:
                    assert p.envelope() == good
    finally:
        is_over = True
        thread.join(60)
        sys.setswitchinterval(before)
    assert 0 < refused < 300  # it has seen both


def test_one_processor_in_two_threads() -> None:
    inside, leave = Event(), Event()

    class Slow(Memory):
        def sequence(self) -> tuple[int, bytes] | None:
            inside.set()
            assert leave.wait(30)
            return None

    with Processor(Slow(), [KEY]) as p, ThreadPoolExecutor(1) as pool:
        p.open(update())
        begun = pool.submit(p.begin, picosuit.UPDATE)
        assert inside.wait(30)
        for call in (p.run, p.info, p.close, p.report, lambda: p.feed(b""), lambda: p.error):
            with pytest.raises(picosuit.UsageError, match="in use"):
                call()
        leave.set()
        assert begun.result(30) == OK
        assert p.info().sequence == 5  # and then it is free again


def test_one_flash_in_two_threads() -> None:
    flash = picosuit.Flash(8192)
    with ThreadPoolExecutor(1) as pool, flash.held():
        for call in (lambda: flash.read(0, 1), flash.dump, lambda: flash.counts):
            with pytest.raises(picosuit.UsageError, match="in use by another thread"):
                pool.submit(call).result(30)
        assert flash.read(0, 1) == b"\xff"


@pytest.mark.parametrize("call", ["report", "run", "close", "feed", "error"])
def test_an_interrupt_leaves_no_lock(call: str) -> None:
    """Ctrl-C as soon as the processor is taken, in whatever line that is: it is given back."""
    p = Processor(keys=[KEY])
    calls: dict[str, Callable[[], object]] = {
        "report": p.report, "run": p.run, "close": p.close, "feed": lambda: p.feed(b"x"),
        "error": lambda: p.error,
    }  # fmt: skip
    interrupts = 0

    def trace(*_: Any) -> Any:
        nonlocal interrupts
        if interrupts == 0 and p._lock.locked():
            interrupts += 1
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            calls[call]()
    finally:
        sys.settrace(before)
    assert interrupts == 1
    assert p.report()
    p.close()
