# SPDX-License-Identifier: MIT
"""Flash and boot state of the facade. That each vector of boot/ comes to what it must is in
test_vectors.py; that no power cut strands the C device, in `make power`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_vectors import boot_payloads, boot_record
from twoslots import FLASH, PAGE, SLOT, TwoSlots
from vectorfile import load

import picosuit
from picosuit import AGAIN, OK, Boot, Flash, FlashError, Phase, Processor, Result, Status

METHODS = ("key", "component", "identity", "slot", "size", "read", "begin", "write", "end",
           "invoke", "sequence")  # fmt: skip


def update(device: TwoSlots, name: str) -> None:
    record = boot_record(name)
    device.update(record.data(), boot_payloads(record))


def installed(name: str = "v1", kind: type[TwoSlots] = TwoSlots) -> TwoSlots:
    """A device that runs, and has confirmed, an image of slot 0."""
    device = kind(load("boot/set_a.cbor"))
    assert device.reset() == Status.SAFE
    device.install(boot_record(name).data(), boot_payloads(boot_record(name)))
    assert device.boot.record.running == 0
    return device


# -- boot state ------------------------------------------------------------------------------------


def test_trial_confirm_and_fall_back() -> None:
    device = installed()
    record = device.boot.record
    assert (record.phase, record.floor, record.result) == (Phase.IDLE, 1, Result.CONFIRMED)
    update(device, "v2")
    record = device.boot.record
    assert (record.phase, record.floor) == (Phase.CAND, 1)
    for tries in (1, 2, 3):
        assert device.reset() == OK
        record = device.boot.record
        assert (record.running, record.phase, record.tries) == (1, Phase.TRY, tries)
        assert record.other_digest == picosuit.verify(
            boot_record("v2").data(), picosuit.keyset(load("boot/set_a.cbor"))
        ).digest[:16]  # fmt: skip
    assert device.reset() == OK  # it never confirmed
    record = device.boot.record
    assert (record.running, record.result, record.code) == (
        0,
        Result.REJECTED,
        picosuit.Code.E_TRIAL,
    )
    assert (record.rejected, record.has_rejected, record.floor) == (2, True, 1)
    with pytest.raises(picosuit.AuthenticityError, match="E_REJECTED"):
        update(device, "v2")
    assert device.stage == "begin"
    update(device, "v3")
    assert device.reset() == OK
    device.boot.confirm()
    device.boot.confirm()  # it was
    assert device.boot.record.floor == 3
    assert device.boot.report()[0] >> 5 == 5  # a map
    with pytest.raises(picosuit.AuthenticityError, match="E_ROLLBACK"):
        update(device, "v1")


def test_confirm_by_who_does_not_run() -> None:
    device = installed()
    device.boot.init()  # the loader
    with pytest.raises(picosuit.UsageError, match="E_STATE"):
        device.boot.confirm()


class Waiting(TwoSlots):
    """Says Again before each answer of a call."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: set[Any] = set()
        self.waits: dict[str, int] = {}

    def wait(self, name: str, args: tuple[Any, ...]) -> None:
        if (name, args) not in self.asked:
            self.asked.add((name, args))
            self.waits[name] = self.waits.get(name, 0) + 1
            raise picosuit.Again
        self.asked.remove((name, args))


def waiting(name: str) -> Callable[..., Any]:
    def method(self: Waiting, *args: Any) -> Any:
        self.wait(name, args)
        return getattr(TwoSlots, name)(self, *args)

    return method


for name in METHODS:
    setattr(Waiting, name, waiting(name))


def patient(call: Callable[..., Any], *args: Any) -> Any:
    while True:
        found = call(*args)
        if found != AGAIN and (not isinstance(found, tuple) or found[0] != AGAIN):
            return found


def test_again_at_every_question_and_new_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of the keys on a device that is never ready at once, up to its second boot."""
    for name in ("run", "payload_end", "begin"):
        monkeypatch.setattr(Processor, name, _patient(getattr(Processor, name)))
    for name in ("select", "begin", "candidate"):
        monkeypatch.setattr(Boot, name, _patient(getattr(Boot, name)))
    monkeypatch.setattr(Processor, "payload", _all(Processor.payload))
    monkeypatch.setattr(Processor, "feed", _all(Processor.feed))
    device = installed(kind=Waiting)
    assert isinstance(device, Waiting)
    update(device, "k2")  # signed by a, brings the set "ab"
    assert device.boot.record.new_keys_digest != bytes(16)
    assert device.boot.record.epoch == 0
    assert device.reset() == OK
    device.boot.confirm()
    assert device.reset() == OK
    assert (device.boot.record.floor, device.boot.record.epoch) == (2, 1)
    keys = [device.boot.key(picosuit.PURPOSE_VERIFY, n, None) for n in (0, 1, 2)]
    assert keys == [*picosuit.keyset(boot_record("k2").data("keys")), None]
    assert set(device.waits) == set(METHODS) - {"slot"}
    assert device.flash.counts.breaches == 0


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: patient(method, *args)


def _all(method: Callable[..., tuple[Status, int]]) -> Callable[..., Any]:
    """All bytes, however often the device says Again."""

    def give(self: Processor, data: bytes) -> tuple[Status, int]:
        pos = 0
        while True:
            status, used = method(self, data[pos:])
            pos += used
            if status != AGAIN:
                return status, pos

    return give


def test_power_cut_at_every_operation() -> None:
    """After each, the device starts what it had, or what it has got whole."""
    device = installed()
    cells = device.flash.dump()
    before = device.flash.counts.operations
    update(device, "v2")
    operations = device.flash.counts.operations - before
    assert operations > 20
    started = set()
    for n in range(1, operations + 2):
        device.flash.load(0, cells)
        device.boot.init(0)
        device.closed.clear()
        device.flash.cut(n)
        try:
            update(device, "v2")
        except picosuit.PlatformError as error:  # in the device, or in the boot state
            assert device.flash.counts.lost and error.platform <= 0
        device.flash.power()
        assert device.reset() == OK
        record = device.boot.record
        started.add(record.running)
        assert (record.running == 1) == (record.phase == Phase.TRY)
    assert started == {0, 1} and device.flash.counts.breaches == 0


def test_stored_and_sequence() -> None:
    device = TwoSlots(load("boot/set_a.cbor"))
    assert device.boot.sequence() is None
    assert device.boot.record.phase == Phase.NONE
    device = installed()
    assert device.boot.sequence() == (1, bytes(32))  # the journal keeps half of the digest
    assert device.boot.slot == picosuit.NO_SLOT  # nothing is being written or checked
    with Processor(device) as p:
        assert device.boot.address(p) is None
        assert p.error is None
    keys = [device.boot.key(picosuit.PURPOSE_VERIFY, n, None) for n in (0, 1)]
    assert keys == [*picosuit.keyset(load("boot/set_a.cbor")), None]
    assert device.boot.key(picosuit.PURPOSE_VERIFY, 0, b"boot-a") is not None
    assert device.boot.key(picosuit.PURPOSE_VERIFY, 0, b"boot-b") is None
    assert device.boot.key(picosuit.PURPOSE_VERIFY, 0, b"") is None
    assert device.boot.key(picosuit.PURPOSE_DECRYPT, 0, None) is None


@pytest.mark.parametrize(
    "more",
    [
        {"slots": (0, 100)},
        {"slots": (0, FLASH)},
        {"slot_size": 0},
        {"slot_size": FLASH},
        {"manifest_size": 0},
        {"manifest_size": SLOT},
        {"manifest_size": 100},
        {"journal": FLASH - PAGE},
        {"journal_pages": 1},
        {"journal_pages": 4},
        {"keys": FLASH - PAGE},
        {"tries": 0},
        {"tries": 256},
    ],
)
def test_geometry(more: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "slots": (0, SLOT), "slot_size": SLOT, "manifest_size": PAGE, "journal": 2 * SLOT,
        "keys": 2 * SLOT + 3 * PAGE,
    }  # fmt: skip
    Boot(Flash(FLASH, PAGE), **good)
    with pytest.raises(ValueError, match="areas are not whole pages"):
        Boot(Flash(FLASH, PAGE), **(good | more))
    with pytest.raises(picosuit.UsageError, match="factory"):
        Boot(Flash(FLASH, PAGE), **good, factory=bytes(65536))


# -- flash -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("erased", [0, 0xFF])
def test_flash_rules(erased: int) -> None:
    flash = Flash(4096, 1024, 4, erased)
    assert len(flash) == 4096 and flash.dump() == bytes([erased]) * 4096
    flash.write(8, b"12345678")
    assert flash.read(7, 10) == bytes([erased]) + b"12345678" + bytes([erased])
    breaches = 0
    for call in (
        lambda: flash.write(8, b"1234"),  # programmed
        lambda: flash.write(6, b"1234"),  # no unit
        lambda: flash.write(16, b"123"),
        lambda: flash.write(16, b""),
        lambda: flash.write(4092, b"12345678"),  # outside
        lambda: flash.erase(4),
        lambda: flash.erase(4096),
        lambda: flash.read(4090, 10),
    ):
        with pytest.raises(FlashError) as caught:
            call()
        breaches += 1
        assert caught.value.answer == -7 and "flash_" in str(caught.value)
        assert flash.counts.breaches == breaches
    flash.erase(0)
    flash.write(8, b"1234")
    counts = flash.counts
    assert (counts.programs, counts.erases, counts.operations) == (3, 1, 4)
    assert (counts.reads, counts.lost) == (2, False)
    with pytest.raises(ValueError, match="bytes of a flash"):
        flash.read(0, -1)


def test_flash_cut() -> None:
    flash = Flash(2048, 1024)
    flash.cut(2)
    flash.write(0, b"1234")
    for call in (lambda: flash.write(4, b"5678"), lambda: flash.erase(0), lambda: flash.read(0, 1)):
        with pytest.raises(FlashError) as caught:
            call()
        assert caught.value.answer == -99 and flash.counts.lost
    flash.power()
    assert flash.read(0, 8) == b"123456\xff\xff"  # half of it
    flash.cut(1)
    with pytest.raises(FlashError):
        flash.erase(0)
    flash.power()
    assert flash.dump() == b"\xff" * 2048
    flash.load(1024, b"abcd")
    with pytest.raises(FlashError):
        flash.write(1024, b"abcd")
    with pytest.raises(picosuit.UsageError, match="outside of the flash"):
        flash.load(2046, b"abcd")


@pytest.mark.parametrize(
    "shape", [(0, 1024, 4), (1000, 1024, 4), (1024, 64, 4), (1024, 1024, 3), (1024, 1024, 16),
              (1024, 1024, 0), (1024, 1024, 4, 7)],
)  # fmt: skip
def test_no_such_flash(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no flash of"):
        Flash(*shape)


def test_a_flash_error_is_an_answer() -> None:
    device = installed()
    device.flash.cut(5)
    with pytest.raises(picosuit.PlatformError, match="answer -99"):
        update(device, "v2")


def test_flash_that_fails_is_no_wrong_use() -> None:
    """Every function of a Boot says E_PLATFORM by a PlatformError."""
    flash = Flash(16384 + 5 * 1024)
    boot = Boot(flash, slots=(0, 8192), slot_size=8192, manifest_size=1024, journal=16384,
                keys=16384 + 3072)  # fmt: skip
    flash.cut(1)
    with pytest.raises(picosuit.FlashError):
        flash.write(0, bytes(4))
    for call in (boot.init, boot.sequence, lambda: boot.key(picosuit.PURPOSE_VERIFY, 0, None)):
        with pytest.raises(picosuit.PlatformError):
            call()
