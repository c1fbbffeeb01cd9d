# SPDX-License-Identifier: MIT
"""The processor of the facade: what goes in, what comes out, what a device may do wrong. That it
does what the core does is shown by the vectors (test_vectors.py)."""

from __future__ import annotations

import array
import gc
import mmap
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from smallsuit import IMAGE, KEY, URI, Memory, commands, encode, install, sign, update

import picosuit
from picosuit import AGAIN, FETCH, MORE, OK, READY, Code, Processor, codes
from picosuit import _raw as raw

HEADER = Path(__file__).parents[3] / "core" / "picosuit.h"
ENVELOPE = update()


def processor(device: picosuit.Device | None = None, **more: Any) -> Processor:
    return Processor(Memory() if device is None else device, [KEY], **more)


# -- numbers ---------------------------------------------------------------------------------------


def test_codes_are_those_of_the_header() -> None:
    text = HEADER.read_text()
    found = {
        name: int(number, 0)
        for name, number in re.findall(
            r"#define PICOSUIT_(\w+)\s+(?:\\\s+)?\(?(-?(?:0x)?[0-9a-f]+)u?\)?\s", text
        )
        if not name.startswith(("WITH_", "EXPOSE_", "VERSION", "ED25519_"))
    }
    ours: dict[str, int] = {name: getattr(codes, name) for name in codes.__all__ if name.isupper()}
    ours |= {code.name: code for code in Code}
    ours |= {f"BOOT_{phase.name}": phase for phase in codes.Phase}
    ours |= {f"RESULT_{result.name}": result for result in codes.Result}
    assert len(found) > 100
    assert ours == found
    assert "PICOSUIT_VERSION 0x000100u" in text
    assert picosuit.version == "0.1.0"
    assert picosuit.features == codes.Features(511)
    assert f'version = "{picosuit.version}"' in Path(__file__).parents[1].joinpath(
        "pyproject.toml"
    ).read_text("utf-8")


def test_every_code_has_a_layer_and_a_text() -> None:
    for code in Code:
        error = picosuit.errors.error_of(code, 12)
        assert type(error) is not picosuit.Error
        assert error.code is code and error.name == code.name
        assert picosuit.strerror(code) in str(error) != ""
    assert picosuit.capabilities()[0] >> 5 == 5  # a map


# -- bytes in --------------------------------------------------------------------------------------


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[mmap.mmap]:
    tmp_path.joinpath("envelope").write_bytes(ENVELOPE)
    with tmp_path.joinpath("envelope").open("rb") as file:
        found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    yield found
    found.close()


def test_feed_takes_any_bytes_like(mapped: mmap.mmap) -> None:
    padded = b"<" + ENVELOPE + b">"
    for data in (
        ENVELOPE,
        bytearray(ENVELOPE),
        memoryview(padded)[1:-1],
        memoryview(bytearray(ENVELOPE)).toreadonly(),
        array.array("B", ENVELOPE),
        mapped,
    ):
        with processor() as p:
            assert p.feed(data) == (READY, len(ENVELOPE))
    wide = array.array("H", ENVELOPE[:-2] if len(ENVELOPE) % 2 == 0 else ENVELOPE[:-1])
    with processor() as p:
        assert p.feed(wide) == (MORE, 2 * len(wide))  # bytes, not elements


@pytest.mark.parametrize("data", ["text", 5, None, [1], memoryview(ENVELOPE)[::2]])
def test_feed_refuses_what_is_no_bytes(data: Any) -> None:
    with processor() as p:
        with pytest.raises((TypeError, BufferError)):
            p.feed(data)
        assert p.feed(ENVELOPE)[0] == READY  # nothing has happened


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: array.array("B", data)])
def test_open_takes_bytes_only(kind: Callable[[bytes], Any]) -> None:
    with processor() as p, pytest.raises(TypeError, match="which nobody can change"):
        p.open(kind(ENVELOPE))
    with pytest.raises(TypeError, match="which nobody can change"):
        picosuit.verify(kind(ENVELOPE), [KEY])


def test_what_is_fed_is_copied() -> None:
    data = bytearray(ENVELOPE)
    with processor() as p:
        assert p.feed(data) == (READY, len(data))
        data[:] = bytes(len(data))
        data.clear()  # and it is exported no more
        assert p.begin(picosuit.UPDATE) == OK
        assert p.run() == FETCH


def test_open_does_not_take_another_envelope() -> None:
    device = Memory()
    with processor(device) as p:
        assert p.open(ENVELOPE) == READY
        for other in (update(b"other"), ENVELOPE):
            with pytest.raises(picosuit.UsageError, match="E_STATE"):
                p.open(other)
        assert p.begin(picosuit.UPDATE) == OK
        assert p.run() == FETCH and p.payload(IMAGE)[0] == MORE and p.payload_end() == OK
    assert device.content == IMAGE
    with processor() as p:
        assert p.feed(ENVELOPE[:9]) == (MORE, 9)
        with pytest.raises(picosuit.UsageError):
            p.open(ENVELOPE)
        assert p.feed(ENVELOPE[9:])[0] == READY
    with processor() as p, pytest.raises(picosuit.EncodingError, match="E_TRUNCATED at byte 0"):
        p.open(b"")


# -- the loop of a device --------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 64, 100000])
def test_update_then_invoke(step: int) -> None:
    device = Memory()
    with processor(device) as p:
        pos, st = 0, MORE
        while st == MORE:
            st, used = p.feed(ENVELOPE[pos : pos + step])
            pos += used
        assert st == READY and pos == len(ENVELOPE)
        assert p.feed_end() == READY
        info = p.info()
        assert (info.sequence, info.components, info.signer, info.rights) == (5, 1, 7, 3)
        assert info.envelope_len == len(ENVELOPE) == len(p.envelope())
        assert p.envelope() == ENVELOPE
        assert p.begin(picosuit.UPDATE) == OK
        assert p.run() == FETCH
        wanted = p.fetch()
        assert (wanted.uri, wanted.where, wanted.offset) == (URI, picosuit.WHERE_URI, 0)
        assert (wanted.size, wanted.component, wanted.args) == (len(IMAGE), 0, None)
        for at in range(0, len(IMAGE), step):
            part = memoryview(IMAGE)[at : at + step]
            assert p.payload(part) == (MORE, len(part))
        assert p.payload_end() == OK
        with pytest.raises(picosuit.UsageError):
            p.fetch()
        assert device.content == IMAGE
        assert p.begin(picosuit.INVOKE) == OK
        assert p.run() == OK
        assert device.args is None
        assert p.report()[0] >> 5 == 5  # a map
        assert p.error is None
    assert device.log == ["component 7", "begin 1000", "end True", "component 7", "invoke"]


def test_payload_in_the_envelope() -> None:
    device = Memory()
    envelope = update(integrated=True)
    with processor(device) as p:
        st, used = p.feed(envelope)
        assert st == READY and p.begin(picosuit.UPDATE) == OK
        assert p.run() == FETCH and p.fetch().where == picosuit.WHERE_ENVELOPE
        assert p.feed(envelope[used:]) == (OK, len(envelope) - used)
        assert device.content == IMAGE
    device = Memory()
    with processor(device) as p:
        assert p.open(envelope) == READY and p.begin(picosuit.UPDATE) == OK and p.run() == OK
    assert device.content == IMAGE


def test_rewind() -> None:
    envelope = update(integrated=True)
    device = Memory()
    with processor(device) as p:
        with pytest.raises(picosuit.UsageError):
            p.rewind()
        assert p.feed(envelope)[0] == READY
        assert (p.begin(picosuit.UPDATE), p.run()) == (OK, FETCH)
        p.rewind()
        assert p.feed(envelope) == (OK, len(envelope))
    assert device.content == IMAGE


def test_reset_is_the_way_out() -> None:
    with processor() as p:
        with pytest.raises(picosuit.EnvelopeError, match="E_TAG at byte 0"):
            p.feed(b"\x00")
        with pytest.raises(picosuit.EnvelopeError, match="E_TAG at byte 0"):
            p.feed(ENVELOPE)
        assert str(p.error) == f"E_TAG at byte 0: {picosuit.strerror(Code.E_TAG)}"
        assert p.reset() == OK
        assert p.error is None
        assert p.open(ENVELOPE) == READY
        assert p.reset() == OK
        assert p.open(update(b"other")) == READY


def test_reset_closes_what_is_open() -> None:
    device = Memory()
    with processor(device) as p:
        assert p.open(ENVELOPE) == READY and p.begin(picosuit.UPDATE) == OK and p.run() == FETCH
        p.payload(IMAGE[:100])
        assert p.reset() == OK
    assert device.log[-1] == "end False"


# -- errors ----------------------------------------------------------------------------------------


def test_error_fields() -> None:
    device = Memory()
    with processor(device) as p:
        assert p.open(ENVELOPE) == READY and p.begin(picosuit.UPDATE) == OK and p.run() == FETCH
        p.payload(IMAGE[:100])
        with pytest.raises(picosuit.PayloadError) as caught:
            p.payload_end(good=False)
        error = caught.value
        assert (error.code, error.name, error.section, error.label) == (-60, "E_FETCH", 20, 21)
        assert (error.component, error.platform) == (0, 100)
        place = ENVELOPE.index(encode({21: URI})) + len(encode({21: URI}))
        assert error.offset == place and ENVELOPE[place] == 21
        assert str(error) == (
            f"E_FETCH at byte {place}, section 20, label 21, component 0, position 100: "
            + picosuit.strerror(-60)
        )
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.args, str(copy)) == (type(error), error.args, str(error))
    assert device.log[-1] == "end False"
    with pytest.raises(picosuit.AuthenticityError, match="E_AUTH at byte 4, label 2: not signed"):
        picosuit.verify(ENVELOPE, [])


@pytest.mark.parametrize("at", range(0, len(ENVELOPE), 5))
def test_verify(at: int) -> None:
    assert picosuit.verify(ENVELOPE, [KEY]).sequence == 5
    changed = bytearray(ENVELOPE)
    changed[at] ^= 1
    with pytest.raises(picosuit.Error):
        picosuit.verify(bytes(changed), [KEY])
    with pytest.raises(picosuit.EncodingError) as caught:
        picosuit.verify(ENVELOPE[:at], [KEY])
    assert (caught.value.name, caught.value.offset) == ("E_TRUNCATED", at)


def test_keys() -> None:
    other = picosuit.Key(bytes(31) + b"\x05", picosuit.ALG_ED25519, id=1)
    assert picosuit.verify(ENVELOPE, [other, KEY]).signer == 7
    named = picosuit.Key(KEY.key, KEY.alg, picosuit.RIGHT_UPDATE, 9, kid=b"name")
    info = picosuit.verify(ENVELOPE, [named])  # the sender names no key
    assert (info.signer, info.rights) == (9, picosuit.RIGHT_UPDATE)
    assert KEY.key.hex() not in repr(KEY) and repr(KEY.key) not in repr(KEY)
    for bad in (picosuit.Key(b"", -19), picosuit.Key(KEY.key, -19, id=65536)):
        with pytest.raises(ValueError, match="a key has"):
            Processor(keys=[bad])
    for wrong in (picosuit.Key("key", -19), picosuit.Key(b"k", 1 << 31)):  # type: ignore[arg-type]
        with pytest.raises((TypeError, OverflowError)):
            Processor(keys=[wrong])


def test_work_used_is_what_it_needs() -> None:
    def fed(work: int) -> int:
        with processor(work=work) as p:
            assert p.feed(ENVELOPE)[0] == READY
            assert p.begin(picosuit.UPDATE) == OK
            return p.work_used

    needed = fed(4096)
    assert len(ENVELOPE) - 20 < needed < len(ENVELOPE) + 100
    assert fed(needed) == needed
    with pytest.raises(picosuit.UsageError) as caught:
        fed(needed - 1)
    assert (caught.value.name, caught.value.label) == ("E_ROOM", needed)
    assert f"label {needed}" in str(caught.value)


# -- what a device may do --------------------------------------------------------------------------


def swap_update() -> bytes:
    """Fetches into one component, exchanges it with another one."""
    parameters = {1: bytes(range(16)), 2: bytes(range(16, 32))}
    shared = commands(12, True, 20, parameters, 1, 0, 2, 0)
    manifest = encode(
        {
            1: 1,
            2: 5,
            3: encode({2: [[b"\0"], [b"\1"]], 4: shared}),
            20: commands(12, 0, 20, {21: URI, 22: 1}, 21, 0, 31, 0),
        }
    )
    return encode(cbor2.CBORTag(107, {2: sign(manifest, -9), 3: manifest}))


class Every(Memory):
    """Has every method; one algorithm of its own."""

    def key(self, purpose: int, n: int, kid: bytes | None) -> picosuit.Key | None:
        assert purpose == picosuit.PURPOSE_VERIFY and kid is None
        keys = [KEY, picosuit.Key(b"wrong", -9, id=1), picosuit.Key(b"right", -9, id=2)]
        return keys[n] if n < len(keys) else None

    def verify(self, key: picosuit.Key, data: bytes, sig: bytes) -> bool:
        assert key.alg == -9 and key.id in (1, 2) and key.rights == 3
        return key.key == b"right" and sig == data[::-1]

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        assert signer == 2
        return {b"\x81\x41\x00": (3, picosuit.STORED), b"\x81\x41\x01": (4, 0)}.get(id)

    def identity(self, component: int, what: int, n: int) -> bytes | None:
        return super().identity(3, what, n)

    def slot(self, component: int, procedure: int) -> int:
        return 0

    def sequence(self) -> tuple[int, bytes] | None:
        return 4, bytes(32)

    def swap(self, component: int, source: int) -> None:
        self.log.append(f"swap {component} {source}")


METHODS = [name for name in vars(picosuit.Device) if name[0] != "_"]


def run_all(p: Processor) -> None:
    """The update of `swap_update` with an image; repeats what says AGAIN."""

    def wait(call: Callable[..., Any], *args: Any) -> Any:
        while (st := call(*args)) == AGAIN:
            pass
        return st

    assert wait(p.open, SWAP) == READY
    assert wait(p.begin, picosuit.UPDATE) == OK
    assert wait(p.run) == FETCH
    pos, st = 0, AGAIN
    while pos < len(IMAGE) or st == AGAIN:
        st, used = p.payload(IMAGE[pos:])
        pos += used
    assert st == MORE
    assert wait(p.payload_end) == OK


SWAP = swap_update()


def test_every_method_is_asked() -> None:
    asked: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        def method(self: Every, *args: Any) -> Any:
            asked.append(name)
            return getattr(Every, name)(self, *args)

        return method

    device = type("Noted", (Every,), {name: noted(name) for name in METHODS})()
    with Processor(device) as p:
        run_all(p)
    assert device.content == IMAGE and device.log[-1] == "swap 3 4"
    assert set(METHODS) - set(asked) == {"slot", "read", "invoke", "record"}
    # verify follows its key: the key was asked for once each, not again after the answer
    assert asked.count("verify") == 2 and asked.count("key") == 3


@pytest.mark.parametrize("times", [1, 3])
def test_again_at_every_question(times: int) -> None:
    agains: dict[Any, int] = {}

    def waiting(name: str) -> Callable[..., Any]:
        def method(self: Every, *args: Any) -> Any:
            agains[name, args] = agains.get((name, args), 0) + 1
            if agains[name, args] <= times:
                raise picosuit.Again
            return getattr(Every, name)(self, *args)

        return method

    device = type("Waiting", (Every,), {name: waiting(name) for name in METHODS})()
    with Processor(device) as p:
        run_all(p)
    assert device.content == IMAGE and device.log[-1] == "swap 3 4"
    assert {name for name, _ in agains} == set(METHODS) - {"slot", "read", "invoke", "record"}
    assert min(agains.values()) > times


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("record", "slot", "read")])
def test_refuse_is_a_platform_error(name: str) -> None:
    def refuse(self: Every, *args: Any) -> Any:
        raise picosuit.Refuse(-77)

    device = type("Refusing", (Every,), {name: refuse})()
    if name == "invoke":
        device = type("Refusing", (Memory,), {name: refuse})(IMAGE)
    with Processor(device, [KEY] if name == "invoke" else []) as p:
        with pytest.raises(picosuit.PlatformError, match="answer -77") as caught:
            if name == "invoke":
                p.open(ENVELOPE)
                p.begin(picosuit.INVOKE)
                p.run()
            run_all(p)
        assert caught.value.platform == -77
    assert ("end False" in device.log) == (name == "write")


class Broken(Exception):
    pass


@pytest.mark.parametrize("first", [Broken, KeyboardInterrupt, picosuit.UsageError])
@pytest.mark.parametrize(
    "name", ["key", "verify", "component", "sequence", "begin", "write", "end"]
)
def test_exceptions_come_out_unchanged(name: str, first: type[BaseException]) -> None:
    raised = first(-1) if first is picosuit.UsageError else first("text", 5)

    def fail(self: Every, *args: Any) -> Any:
        self.log.append(f"failed {name}")
        raise raised

    device = type("Failing", (Every,), {name: fail})()
    with Processor(device) as p:
        with pytest.raises(first) as caught:
            run_all(p)
        assert caught.value is raised and caught.value.__context__ is None
        error = p.error
        assert isinstance(error, picosuit.PlatformError) and error.platform == -1001
        with pytest.raises(picosuit.PlatformError):
            p.run()
    if name == "write":  # what was open is closed, and then it came out
        assert device.log[-2:] == ["failed write", "end False"]
    assert device.log.count(f"failed {name}") == 1


def test_exception_while_closing_after_an_exception() -> None:
    class Failing(Memory):
        waits = 2

        def write(self, component: int, off: int, data: bytes) -> None:
            raise Broken("first")

        def end(self, component: int, good: bool) -> None:
            assert not good
            self.waits -= 1
            if self.waits >= 0:
                raise picosuit.Again
            raise OSError("second")

    with processor(Failing()) as p:
        p.open(ENVELOPE)
        p.begin(picosuit.UPDATE)
        p.run()
        assert p.payload(IMAGE) == (AGAIN, 64)
        assert p.payload(IMAGE[64:]) == (AGAIN, 0)
        with pytest.raises(Broken, match="first"):
            p.payload(IMAGE[64:])
        with pytest.raises(picosuit.PlatformError):
            p.payload(IMAGE[64:])


@pytest.mark.parametrize(
    "name, answer",
    [
        ("identity", b"short"),
        ("identity", "text of 16 bytes"),
        ("identity", 5),
        ("component", (255, 0)),
        ("component", (3, 256)),
        ("component", (-1, 0)),
        ("component", 3),
        ("component", ("3", 0)),
        ("size", None),
        ("size", (-1, 5)),
        ("size", (1 << 32, 5)),
        ("begin", None),
        ("begin", 1 << 32),
        ("begin", "0"),
        ("sequence", (1 << 64, bytes(32))),
        ("sequence", (-1, bytes(32))),
        ("sequence", (5, bytes(31))),
        ("sequence", 5),
        ("key", b"key"),
        ("key", picosuit.Key(b"", -9)),
        ("key", picosuit.Key(bytes(65536), -9)),
        ("key", picosuit.Key(b"key", -9, id=65536)),
        ("key", picosuit.Key(b"key", -9, rights=-1)),
    ],
)
def test_answers_of_a_wrong_shape(name: str, answer: Any) -> None:
    device = type("Odd", (Every,), {name: lambda *_: answer})()
    with Processor(device) as p:
        with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
            run_all(p)
        assert name in str(caught.value) or isinstance(caught.value, (TypeError, AttributeError))
        assert isinstance(p.error, picosuit.PlatformError)


@pytest.mark.parametrize("answer", [b"", bytes(63), bytes(65), None])
def test_reads_of_a_wrong_length(answer: Any) -> None:
    class Odd(Memory):
        def read(self, component: int, off: int, n: int) -> bytes:
            assert isinstance(answer, bytes) or answer is None
            return answer  # type: ignore[return-value]

    with (
        processor(Odd()) as p,
        pytest.raises((TypeError, ValueError), match=r"Odd.read\(\) answered"),
    ):
        install(p, ENVELOPE)


@pytest.mark.parametrize("answer", [1, "yes", picosuit.VERIFIED, [True], False, None])
def test_only_true_verifies(answer: Any) -> None:
    device = type("Odd", (Every,), {"verify": lambda *_: answer})()
    with Processor(device) as p, pytest.raises(picosuit.AuthenticityError, match="E_AUTH"):
        p.open(SWAP)


def test_not_allowed() -> None:
    class Denying(Memory):
        def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
            raise picosuit.NotAllowed

    with processor(Denying()) as p:
        p.open(ENVELOPE)
        with pytest.raises(picosuit.AuthenticityError, match="E_RIGHTS"):
            p.begin(picosuit.UPDATE)


@pytest.mark.parametrize("n", [0, 1, -(1 << 31) - 1])
def test_refuse_takes_negative_answers(n: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        picosuit.Refuse(n)


@pytest.mark.parametrize(
    "missing, name",
    [
        ("component", "E_COMPONENT"),
        ("identity", "E_CONDITION"),
        ("size", "E_UNSUPPORTED"),
        ("begin", "E_UNSUPPORTED"),
        ("write", "E_UNSUPPORTED"),
        ("end", "E_UNSUPPORTED"),
        ("sequence", "E_UNSUPPORTED"),
        ("swap", "E_UNSUPPORTED"),
        ("verify", "E_ALG"),
        ("key", "E_AUTH"),
    ],
)
def test_missing_methods(missing: str, name: str) -> None:
    device = type("Without", (Every,), {missing: getattr(picosuit.Device, missing)})()
    with Processor(device) as p:
        with pytest.raises(picosuit.Error) as caught:
            run_all(p)
        assert caught.value.name == name


def test_no_device_at_all() -> None:
    with Processor(keys=[KEY]) as p:
        assert p.open(ENVELOPE) == READY
        with pytest.raises(picosuit.ManifestError, match="E_COMPONENT"):
            p.begin(picosuit.UPDATE)


def test_records() -> None:
    device = Memory()
    with processor(device) as p:
        assert install(p, update(policy=5)) == OK
        assert [(r.section, r.label, r.code) for r in device.records] == [
            (3, 1, 0), (3, 2, 0), (20, 21, 0), (3, 1, 0), (3, 2, 0), (7, 3, 0),
        ]  # fmt: skip
        assert {(r.policy, r.component) for r in device.records} == {(5, 0)}
        assert all(0 < r.offset < 200 for r in device.records)

    class Full(Memory):
        def record(self, record: picosuit.Record) -> None:
            raise OSError("log is full")

    full = Full()
    with processor(full) as p:
        p.open(update(policy=5))
        p.begin(picosuit.UPDATE)
        with pytest.raises(OSError, match="log is full"):
            p.run()
        assert p.error is None and p.fetch().uri == URI  # it has gone on


def test_a_device_cannot_use_its_processor() -> None:
    class Curious(Memory):
        def sequence(self) -> tuple[int, bytes] | None:
            for call in (p.info, p.close, p.reset):
                with pytest.raises(picosuit.UsageError, match="in use"):
                    call()
            p.report()
            return None

    with processor(Curious()) as p:
        p.open(ENVELOPE)
        with pytest.raises(picosuit.UsageError, match="in use by another thread, or by its device"):
            p.begin(picosuit.UPDATE)


# -- life ------------------------------------------------------------------------------------------


def test_close() -> None:
    p = processor()
    with p as same:
        assert same is p and p.open(ENVELOPE) == READY
    p.close()
    for call in (p.run, p.info, p.report, p.envelope, p.fetch, p.reset, p.feed_end):
        with pytest.raises(picosuit.UsageError, match="the processor is closed"):
            call()
    for name in ("error", "work_used"):
        with pytest.raises(picosuit.UsageError, match="the processor is closed"):
            getattr(p, name)
    with pytest.raises(picosuit.UsageError):
        p.feed(b"")


def test_begin_twice_and_early() -> None:
    with processor() as p:
        for call in (lambda: p.begin(picosuit.UPDATE), p.run, p.info, p.envelope):
            with pytest.raises(picosuit.UsageError, match="E_STATE: "):
                call()
        assert p.open(ENVELOPE) == READY
        with pytest.raises(picosuit.UsageError, match="E_ARG: "):
            p.begin(99)  # type: ignore[arg-type]
        with pytest.raises(picosuit.EnvelopeError, match="E_MEMBER"):
            p.begin(picosuit.UNINSTALL)


def test_raw_handles_are_no_none() -> None:
    with pytest.raises(TypeError, match="None is no handle"):
        raw.bind_run(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bind_processor"):
        raw.bind_run(raw.bind_flash_new(1024, 1024, 4, 0xFF).this)  # type: ignore[union-attr]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow() -> None:
    """10,000 processors of 64 KiB, dropped in all ways: leaking one in a hundred would show."""

    def some(n: int) -> None:
        for i in range(n):
            p = Processor(Memory(), [KEY], work=65536)
            assert p.feed(b"\0" * 0) == (MORE, 0)
            if i % 100 == 0:
                install(p, ENVELOPE)
            if i % 3 == 0:
                p.close()
            if i % 50 == 1:
                with pytest.raises(picosuit.Error):
                    p.open(ENVELOPE[:-1])
            flash = picosuit.Flash(8192)
            picosuit.Boot(flash, slots=(0, 2048), slot_size=2048, manifest_size=1024, journal=4096,
                          journal_pages=2, keys=6144)  # fmt: skip
            del flash

    some(500)
    gc.collect()
    before = resident()
    some(10000)
    gc.collect()
    assert resident() - before < 4 << 20


def test_what_cannot_be_is_refused_without_its_bytes() -> None:
    """A key is a secret: it is in no text. An algorithm of 33 bits is not one of 32."""
    for key in (
        picosuit.Key(b"secret" * 5, KEY.alg, id=70000),
        picosuit.Key(KEY.key, KEY.alg + (1 << 32)),
    ):

        class Unfit(Memory):
            def key(self, purpose: int, n: int, kid: bytes | None) -> picosuit.Key | None:
                return key if n == 0 else None  # noqa: B023

        with Processor(Unfit()) as p, pytest.raises(ValueError) as caught:
            p.open(ENVELOPE)
        assert "secret" not in str(caught.value)
        assert "70000" in str(caught.value) or "32 bits" in str(caught.value)


def test_a_reset_that_is_refused_changes_nothing() -> None:
    """By another thread, or from inside the device: what the device raised still comes out."""

    class Meddling(Memory):
        def write(self, component: int, off: int, data: bytes) -> None:
            raise Broken("first")

        def end(self, component: int, good: bool) -> None:
            with pytest.raises(picosuit.UsageError):
                p.reset()

    with Processor(Meddling(), [KEY]) as p, pytest.raises(Broken, match="first"):
        install(p, ENVELOPE)
