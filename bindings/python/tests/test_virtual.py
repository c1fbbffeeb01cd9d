# SPDX-License-Identifier: MIT
"""The virtual device: its flash refuses what flash cannot do, it resumes, and it is fast."""
from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_vectors import find
from vectorfile import device_keys, device_of, payloads_of

import picosuit
from picosuit import Kind, Procedure
from picosuit.author import cbor, ids
from picosuit.author.virtual import (
    OPEN,
    Breach,
    Component,
    Geometry,
    Ids,
    Outcome,
    PowerLost,
    SwappingDevice,
    VirtualDevice,
    run_update,
)

ID = bytes(range(32))
IMAGE = bytes(n * 7 & 0xFF for n in range(1000))


def device() -> SwappingDevice:
    components = [Component((b"a",), 0, 2048), Component((b"b",), 1, 2048, content=b"old"),
                  Component((b"t",), 2, kind=Kind.TRANSIENT),
                  Component((b"f",), 3, 256, is_fixed=True)]  # fmt: skip
    return SwappingDevice(components, geometry=Geometry(page=256, unit=4))


def install(to: VirtualDevice, data: bytes, id: bytes = ID, component: int = 0) -> int:
    """As the core does it. Returns where it began."""
    have = to.begin(component, len(data), id)
    for at in range(have, len(data), 64):
        to.write(component, at, data[at : at + 64])
    to.end(component, True)
    return have


def test_virtual_keeps_what_it_is_given() -> None:
    d = device()
    assert install(d, IMAGE) == 0
    assert d.content(0) == IMAGE
    assert d.size(0) == (1000, 2048)
    assert d.read(0, 936, 64) == IMAGE[936:]
    c = d.counters
    assert (c.begins, c.writes, c.bytes_written, c.ends_good) == (1, 16, 1000, 1)
    assert c.erases == 9  # eight of the image, one of the manifest
    assert c.programs == 250 + 8 + 2
    d.power()
    assert d.content(0) == IMAGE
    assert d.content(1) == b"old"
    assert d.size(3) == (picosuit.FIXED, 256)
    assert d.read(3, 192, 64) == b"\xff" * 64


BLOCK = bytes(64)
BEGIN = ("begin", 0, 200, ID)
WRITE = ("write", 0, 0, BLOCK)
# What is said, and the calls that bring it; the last one is refused.
BREACHES: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("a write without begin", [WRITE]),
    ("end without begin", [("end", 0, True)]),
    ("a read of 1 bytes at 0, 0 are stored", [("read", 0, 0, 1)]),
    ("a read of 4 bytes at 0, 3 are stored", [("read", 1, 0, 4)]),
    ("a read of 64 bytes at 64, 64 are stored", [BEGIN, WRITE, ("read", 0, 64, 64)]),
    ("a read of 0 bytes, not 1 to 64", [("read", 1, 0, 0)]),
    ("a read of 65 bytes, not 1 to 64", [("read", 1, 0, 65)]),
    ("handle 2 stores nothing", [("size", 2)]),
    ("handle 9 stores nothing", [("begin", 9, 1, ID)]),
    ("begin for 2049 bytes, 2048 fit", [("begin", 0, 2049, ID)]),
    ("begin while another component is open", [BEGIN, ("begin", 1, 64, ID)]),
    ("a write at 64, 0 comes next", [BEGIN, ("write", 0, 64, BLOCK)]),
    ("a write at 0, 64 comes next", [BEGIN, WRITE, WRITE]),
    ("a write at 63, 63 comes next", [BEGIN, ("write", 0, 0, BLOCK[1:]), ("write", 0, 63, BLOCK)]),
    ("a block of 0 bytes at 0 is not 64", [BEGIN, ("write", 0, 0, b"")]),
    ("a block of 65 bytes at 0 is not 64", [BEGIN, ("write", 0, 0, bytes(65))]),
    ("a write to 101, 100 were announced", [("begin", 0, 100, ID), WRITE,
                                            ("write", 0, 64, bytes(37))]),
    ("closed at 64 of 200 bytes", [BEGIN, WRITE, ("end", 0, True)]),
    ("another id than the manifest's digest", [("arm", ID), ("begin", 0, 100, bytes(32))]),
    ("another id than the manifest's digest", [("begin", 0, 100, b"short")]),
    ("an effect before begin has answered", [("arm", None), BEGIN]),
    ("invoked before begin has answered", [("arm", None), ("invoke", 0, None)]),
    ("invoked while a component is open", [BEGIN, ("invoke", 1, None)]),
    ("swap with itself", [("swap", 0, 0)]),
    ("which is of another size", [("swap", 0, 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "calls"), BREACHES)
def test_virtual_refuses(what: str, calls: list[tuple[Any, ...]]) -> None:
    d = device()
    for name, *arguments in calls[:-1]:
        getattr(d, name)(*arguments)
    name, *arguments = calls[-1]
    with pytest.raises(Breach, match=what):
        getattr(d, name)(*arguments)


def test_virtual_flash_refuses() -> None:
    d = device()
    d.begin(0, 200, ID)
    d._stores[0].image.program(64, b"dirt")
    d.write(0, 0, BLOCK)
    with pytest.raises(Breach, match="a unit is programmed twice, at 64"):
        d.write(0, 64, BLOCK)
    d = device()
    d.begin(0, 200, ID)
    d.cut_power(1)
    with pytest.raises(PowerLost):
        d._stores[0].image.erase(0, 256)
    d.power()
    with pytest.raises(Breach, match="in a half erased page, at 128"):
        d._stores[0].image.program(128, BLOCK)


def test_virtual_refuses_descriptions() -> None:
    wrong: Callable[[], object]
    for wrong in (
        lambda: Component((b"a",), 255), lambda: Component((b"a",), 0, -1),
        lambda: Component((b"a",), 0, 2, content=b"abc"),
        lambda: Component((b"a",), 0, 1, Kind.TRANSIENT), lambda: Geometry(page=100),
        lambda: Geometry(unit=3), lambda: Geometry(erased=1), lambda: Ids(vendor=[b"short"]),
        lambda: Ids(pen=[bytes(16)]), lambda: device().store(0, bytes(2049)),
        lambda: VirtualDevice([Component((b"a",), 0), Component((b"b",), 0)]),
        lambda: VirtualDevice([Component((b"a",), 0), Component((b"a",), 1)]),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()


def test_virtual_answers() -> None:
    vendor, other = bytes(16), bytes(range(16))
    d = VirtualDevice(
        [Component((b"a", b""), 7, slot=3, signers=frozenset({2})),
         Component((), 8, kind=Kind.STORED | Kind.KEYS, ids=Ids(class_=[other]))],
        ids=Ids([vendor, other], pen=[b"\x81\xfd\x59"]), slot=1, floor=(9, ID))  # fmt: skip
    assert d.component(2, ids.encoded((b"a", b""))) == (7, Kind.STORED)
    assert d.component(1, ids.encoded(())) == (8, 8)
    assert d.component(2, ids.encoded((b"a",))) is None
    with pytest.raises(picosuit.NotAllowed):
        d.component(1, ids.encoded((b"a", b"")))
    assert [d.identity(7, picosuit.ID_VENDOR, n) for n in range(3)] == [vendor, other, None]
    assert d.identity(7, picosuit.ID_PEN, 0) == b"\x03\x81\xfd\x59" + bytes(12)
    assert d.identity(8, picosuit.ID_VENDOR, 0) is None
    assert d.identity(8, picosuit.ID_CLASS, 0) == other
    assert (d.slot(7, 1), d.slot(8, 1)) == (3, 1)
    assert d.sequence() == (9, ID)


def test_virtual_resumes_where_the_last_used_page_starts() -> None:
    d = device()
    d.begin(0, 1000, ID)
    for at in range(0, 640, 64):
        d.write(0, at, IMAGE[at : at + 64])
    d.power()
    assert d.content(0) is None
    before = d.counters.erases
    assert install(d, IMAGE) == 512
    assert d.counters.erases - before == 6  # that page and all behind it
    assert d.content(0) == IMAGE
    assert install(d, IMAGE) == 0, "what was closed is not resumed into"
    d.begin(0, 1000, ID)
    d.write(0, 0, bytes(64))
    d.power()
    assert install(d, IMAGE, bytes(32)) == 0, "another manifest starts over"


@pytest.mark.parametrize("tears", [False, True])
@pytest.mark.parametrize("geometry", [Geometry(64, 1, 0), Geometry(64, 64), Geometry(256, 8)])
def test_virtual_survives_a_cut_at_each_operation(geometry: Geometry, tears: bool) -> None:
    """It then completes, whatever it held, and no unit is programmed twice."""
    image, resumed = IMAGE[:300], set()
    for cut in range(10_000):
        d = VirtualDevice([Component((b"a",), 0, 512, content=b"old")], geometry=geometry)
        d.cut_power(cut, tears=tears)
        try:
            install(d, image)
        except PowerLost:
            with pytest.raises(PowerLost):
                d.size(0)
            d.power()
            assert d.content(0) in (b"old", None, image)
            resumed.add(install(d, image))
        else:
            break
        assert d.content(0) == image
    assert len(resumed) > 1
    assert cut > 2 * 512 // geometry.page


def test_virtual_a_bad_end_leaves_nothing_to_resume_into() -> None:
    for cut in (None, 0, 1, 2, 3):
        d = device()
        d.begin(0, 300, ID)
        d.write(0, 0, IMAGE[:64])
        if cut is not None:
            d.cut_power(cut)
        with contextlib.suppress(PowerLost):
            d.end(0, False)
        d.power()
        assert d.content(0) is None
        if cut is None or cut >= 2:
            assert install(d, IMAGE[:300]) == 0


def test_virtual_swaps() -> None:
    d = device()
    install(d, IMAGE)
    d.swap(0, 1)
    assert (d.content(0), d.content(1)) == (b"old", IMAGE)
    d.power()
    assert (d.content(0), d.content(1)) == (b"old", IMAGE)


# -- the driver ----------------------------------------------------------------------------------


def test_driver_goes_on_after_a_power_cut() -> None:
    """At each flash operation of an update: it is run again and completes."""
    record = find("fetch_uri")
    whole = device_of(record)
    first = run_update(record.data(), whole, device_keys(), Procedure.UPDATE, payloads_of(record))
    asked: set[int] = set()
    for cut in range(0, whole.operations, 7):
        d = device_of(record)
        d.cut_power(cut)
        with pytest.raises(PowerLost):
            run_update(record.data(), d, device_keys(), Procedure.UPDATE, payloads_of(record))
        d.power()
        outcome = run_update(record.data(), d, device_keys(), payloads=payloads_of(record))
        assert outcome.error is None
        assert d.content(0) == whole.content(0)
        asked.add(outcome.sent)
    assert first.sent in asked and len(asked) > 2, "some go on in the middle"


def test_driver_lets_exceptions_out() -> None:
    class Broken(SwappingDevice):
        def write(self, component: int, off: int, data: bytes) -> None:
            raise RuntimeError("no")

    record = find("fetch_uri")
    with pytest.raises(RuntimeError, match="no"):
        run_update(record.data(), device_of(record, Broken), device_keys(),
                   payloads=payloads_of(record))  # fmt: skip


def test_driver_asks_a_function_for_payloads() -> None:
    record = find("fetch_uri")
    asked = []

    def get(uri: str) -> bytes | None:
        asked.append(uri)
        return None

    outcome = run_update(record.data(), device_of(record), device_keys(), payloads=get)
    assert isinstance(outcome.error, picosuit.PayloadError)
    assert outcome.error.name == "E_FETCH"
    assert asked == list(payloads_of(record))
    assert outcome.counters.ends_bad == outcome.counters.begins == 1
    assert outcome.fetched == ()


def big(n: int) -> tuple[bytes, bytes, picosuit.Key]:
    """An envelope for an image of n bytes, the image, and the key."""
    image = (IMAGE * (n // 1000 + 1))[:n]
    digest = cbor.encode([-16, hashlib.sha256(image).digest()])
    shared = [20, {1: bytes(16), 2: bytes(16), 3: digest, 14: n}, 1, 15, 2, 15]
    manifest = cbor.encode({
        1: 1, 2: 1, 3: cbor.Wrap({2: [[b"a"]], 4: cbor.Wrap(shared)}),
        7: cbor.Wrap([3, 15]), 20: cbor.Wrap([20, {21: "u"}, 21, 2, 3, 15])})  # fmt: skip
    of = cbor.encode([-16, hashlib.sha256(cbor.encode(manifest)).digest()])
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    protected = cbor.encode({1: -19})
    signature = private.sign(cbor.encode(["Signature1", protected, b"", of]))
    block = cbor.encode(cbor.Tag(18, [protected, {}, None, signature]))
    envelope = cbor.encode(cbor.Tag(107, {2: cbor.Wrap([of, block]), 3: manifest}))
    key = picosuit.Key(private.public_key().public_bytes_raw(), picosuit.Algorithm.ED25519, id=1)
    return envelope, image, key


@pytest.mark.parametrize("split", [0, OPEN])
def test_driver_takes_a_mebibyte_in_no_time(split: int) -> None:
    """16,384 blocks written, and read back twice. The bound is for machines under load."""
    n = 1 << 20
    envelope, image, key = big(n)

    def once() -> tuple[float, Outcome]:
        d = VirtualDevice([Component((b"a",), 0, n)], ids=Ids([bytes(16)], [bytes(16)]))
        start = time.perf_counter()
        outcome = run_update(envelope, d, [key], payloads={"u": image}, split=split)
        seconds = time.perf_counter() - start
        assert d.content(0) == image
        return seconds, outcome

    seconds, outcome = min((once() for _ in range(3)), key=lambda run: run[0])
    assert outcome.error is None
    assert (outcome.counters.writes, outcome.counters.reads) == (n // 64, 2 * n // 64)
    assert seconds < 1.0
