# SPDX-License-Identifier: MIT
"""Boot state of a device with two slots, over a flash in memory: docs/boot.md has the states.

    boot loader: boot.init(); boot.select(p) is OK: jump to boot.address(p)
    update:      boot.begin(p) in place of p.begin(UPDATE); after OK of the procedure:
                 boot.candidate(p); then reset
    firmware:    boot.init(slot); boot.confirm() when it knows that it works

A Device answers from here: key (Boot.key), sequence (Boot.sequence), slot (Boot.slot), size and
read of the image and of the key set (Boot.stored); its begin calls Boot.prepare before it touches
flash; its invoke does nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

from . import _raw as raw
from .codes import NO_ADDRESS, NO_SLOT, Area, Code, Phase, Result, Status
from .device import Key, Refuse
from .errors import UsageError, raise_plain
from .processor import Processor, packed

if TYPE_CHECKING:
    from typing_extensions import Buffer

_COUNTS = struct.Struct("<6I")
_RECORD = struct.Struct("<IiI3Q12B16s16s16s16s")
_STORED = struct.Struct("<2I")
_SEQUENCE = struct.Struct("<Q32s")
_KEY = struct.Struct("<iII")


class FlashError(Refuse):
    """The flash did not do what it was told: a rule was broken (answer -7), or power is lost (-99).
    Raised inside a Device it is a refusal with that answer."""


@dataclass(frozen=True, slots=True)
class FlashCounts:
    """What a flash has done: reads, programs, erases (calls); operations: the last two together;
    breaches of its rules; lost: power was lost."""

    reads: int
    programs: int
    erases: int
    operations: int
    breaches: int
    lost: bool


@dataclass(frozen=True, slots=True)
class BootRecord:
    """The newest record of the journal, and the slot that runs: picosuit_boot_record."""

    counter: int
    code: int
    epoch: int
    floor: int
    sequence: int
    rejected: int
    running: int
    phase: Phase
    tries: int
    confirmed: int
    slot: int
    keys: int
    new_keys: int
    result: Result
    has_rejected: bool
    version: int
    confirmed_digest: bytes
    other_digest: bytes
    keys_digest: bytes
    new_keys_digest: bytes


class Flash:
    """NOR flash in memory, erased. A unit that is programmed twice between two erases, one that is
    none, a page that is none and what lies outside are breaches: counted, and a FlashError.

    size    bytes, a multiple of page
    page    bytes of an erase page, 128 or more
    unit    bytes programmed at once: 1, 2, 4 or 8
    erased  value of an erased byte: 0xff or 0x00

    A flash, its boot states and their processor are used by one thread at a time.
    """

    def __init__(self, size: int, page: int = 1024, unit: int = 4, erased: int = 0xFF) -> None:
        made = raw.bind_flash_new(size, page, unit, erased)
        if made is None:
            raise ValueError(
                f"no flash of {size} bytes, page {page}, unit {unit}, erased {erased:#04x}: "
                "see picosuit.Flash, or no memory left"
            )
        self._handle = made.this
        self._lock = RLock()
        self._size = size

    def __len__(self) -> int:
        """Bytes."""
        return self._size

    def read(self, off: int, n: int) -> bytes:
        """n bytes at off."""
        if not 0 <= n <= self._size:
            raise ValueError(f"{n} bytes of a flash of {self._size}")
        buf = bytearray(n)
        self._do(raw.bind_flash_read, off, buf)
        return bytes(buf)

    def write(self, off: int, data: Buffer) -> None:
        """Programs whole units."""
        self._do(raw.bind_flash_write, off, data)

    def erase(self, off: int) -> None:
        """Erases the page that begins at off."""
        self._do(raw.bind_flash_erase, off)

    def cut(self, n: int) -> None:
        """The n-th operation (program, erase) from now is half done, then power is lost: all else
        is a FlashError until power(). 0: never."""
        with self.held():
            raw.bind_flash_cut(self._handle, n)

    def power(self) -> None:
        """Power is back."""
        with self.held():
            raw.bind_flash_power(self._handle)

    def dump(self) -> bytes:
        """All cells, without rules, counts and power."""
        buf = bytearray(self._size)
        with self.held():
            raise_plain(raw.bind_flash_peek(self._handle, 0, buf))
        return bytes(buf)

    def load(self, off: int, data: Buffer) -> None:
        """Sets cells, without rules, counts and power. Values that are not the erased one count as
        programmed."""
        with self.held():
            raise_plain(raw.bind_flash_poke(self._handle, off, data), "outside of the flash")

    @property
    def counts(self) -> FlashCounts:
        """What it has done so far."""
        with self.held():
            found = packed(None, raw.bind_flash_counts, self._handle)
        reads, programs, erases, operations, breaches, lost = _COUNTS.unpack(found)
        return FlashCounts(reads, programs, erases, operations, breaches, lost == 1)

    @contextmanager
    def held(self) -> Iterator[None]:
        """For one thread; another one gets UsageError. The same may nest: a device inside a call of
        its boot state."""
        if not self._lock.acquire(blocking=False):
            raise UsageError(Code.E_STATE, text="the flash is in use by another thread")
        try:
            yield
        finally:
            self._lock.release()

    def _do(self, function: Callable[..., int], *args: object) -> None:
        with self.held():
            st = function(self._handle, *args)
        if st < 0:
            raise FlashError(st, f"{function.__name__.removeprefix('bind_')} at {args[0]}")


class Boot:
    """Boot state: which of two slots starts. Areas are whole pages of the flash.

    slots          first byte of each slot
    slot_size      bytes: image, then the manifest area
    manifest_size  bytes of the manifest area
    journal        first of journal_pages (2 or 3) pages
    keys           first of two key-set pages
    tries          times that a candidate is started, 1..255
    floor          sequence number below which nothing is ever accepted
    factory        COSE_KeySet used while no key-set page is valid
    component      encoded identifier of the image, for the report
    """

    def __init__(
        self,
        flash: Flash,
        *,
        slots: tuple[int, int],
        slot_size: int,
        manifest_size: int,
        journal: int,
        journal_pages: int = 3,
        keys: int,
        tries: int = 3,
        floor: int = 0,
        factory: bytes = b"",
        component: bytes = b"\x81\x41\x00",
    ) -> None:
        made = raw.bind_boot_new(
            flash._handle, *slots, slot_size, manifest_size, journal, journal_pages, keys, tries,
            floor,
        )  # fmt: skip
        if made is None:
            raise ValueError("areas are not whole pages inside the flash, or no memory left")
        self._flash = flash
        self._handle = made.this
        raise_plain(raw.bind_boot_factory(self._handle, factory), "factory: 65535 bytes at most")
        raise_plain(raw.bind_boot_component(self._handle, component), "component: 65535 at most")

    def init(self, running: int = NO_SLOT) -> None:
        """After a reset: reads the journal. running: slot this code runs from; boot loader:
        NO_SLOT. Also without a journal (record.phase is NONE then)."""
        with self._flash.held():
            raise_plain(raw.bind_boot_init(self._handle, running))

    def select(self, processor: Processor) -> Status:
        """Finds the slot to start now, and checks it. OK: jump to address(); SAFE: nothing starts,
        serve updates; AGAIN. The processor is just reset, and then holds the slot's envelope."""
        return self._with(processor, raw.bind_boot_select)

    def address(self, processor: Processor) -> int | None:
        """First byte of the slot that passed, the last thing before the jump. None: start
        nothing."""
        processor._free()
        with processor._lock, self._flash.held():
            found = raw.bind_boot_address(self._handle, processor._open())
        return None if found == NO_ADDRESS else found

    def begin(self, processor: Processor) -> Status:
        """Processor.begin(UPDATE) under the rules of the journal: E_TRIAL, E_REJECTED. What is
        confirmed and runs, or waits for its first boot, is done at once."""
        return self._with(processor, raw.bind_boot_begin)

    def prepare(self, area: int = Area.IMAGE) -> int:
        """In Device.begin, before flash of an Area is erased or programmed: its first byte in
        flash. Withdraws a waiting candidate, erases manifest area or key-set page. Raises Refuse
        with the code (E_TRIAL, E_STATE, E_PLATFORM) as its answer."""
        with self._flash.held():
            st = raw.bind_boot_prepare(self._handle, area)
        if st < 0:
            raise Refuse(st, raw.bind_strerror(st))
        return st

    def candidate(self, processor: Processor) -> Status:
        """An update is done: stores its envelope, checks all as a boot does, with the new keys if
        it brings any, and only then makes it the candidate. OK: the next reset starts it; AGAIN."""
        return self._with(processor, raw.bind_boot_candidate)

    def confirm(self) -> None:
        """The running image is good: the only writer of floor and epoch."""
        with self._flash.held():
            raise_plain(raw.bind_boot_confirm(self._handle))

    def key(self, purpose: int, n: int, kid: bytes | None) -> Key | None:
        """For Device.key: keys of the set that verifies now."""
        with self._flash.held():
            found = packed(
                None, raw.bind_boot_key, self._handle, purpose, n, int(kid is not None), kid or b""
            )
        return _key(found) if found else None

    def sequence(self) -> tuple[int, bytes] | None:
        """For Device.sequence."""
        with self._flash.held():
            found = packed(None, raw.bind_boot_sequence, self._handle)
        if not found:
            return None
        floor, digest = _SEQUENCE.unpack(found)
        return floor, digest

    @property
    def slot(self) -> int:
        """For Device.slot, read and size: the slot that the image component stands for now."""
        with self._flash.held():
            return raw.bind_boot_slot(self._handle)

    def stored(self, area: int = Area.IMAGE) -> tuple[int, int]:
        """For Device.size and read: first byte of an Area in flash, and the length recorded there,
        0 if nothing complete is."""
        with self._flash.held():
            off, n = _STORED.unpack(packed(None, raw.bind_boot_stored, self._handle, area))
        return off, n

    @property
    def record(self) -> BootRecord:
        """The newest journal record."""
        with self._flash.held():
            found = packed(None, raw.bind_boot_record, self._handle)
        (
            counter, code, epoch, floor, sequence, rejected, running, phase, tries, confirmed, slot,
            keys, new_keys, result, has_rejected, version, _, _, *digests,
        ) = _RECORD.unpack(found)  # fmt: skip
        return BootRecord(
            counter, code, epoch, floor, sequence, rejected, running, Phase(phase), tries,
            confirmed, slot, keys, new_keys, Result(result), has_rejected == 1, version, *digests,
        )  # fmt: skip

    def report(self) -> bytes:
        """What runs and how the last update ended, as a SUIT_Report (CBOR)."""
        with self._flash.held():
            return packed(None, raw.bind_boot_report, self._handle)

    def _with(
        self, processor: Processor, function: Callable[[raw.Handle, raw.Handle], int]
    ) -> Status:
        with self._flash.held():
            return processor._call(lambda handle: function(self._handle, handle))


def _key(found: bytes) -> Key:
    alg, rights, id = _KEY.unpack_from(found)
    return Key(found[_KEY.size :], alg, rights, id)


def keyset(data: Buffer) -> list[Key]:
    """The 1..4 Ed25519 keys of a COSE_KeySet, ids from 1 on. AuthenticityError E_KEYS if it is
    malformed, or has no key with the rights UPDATE and KEYS: it would lock the device out."""
    own = bytes(memoryview(data))
    raise_plain(raw.bind_keyset_check(own))
    keys: list[Key] = []
    while found := packed(None, raw.bind_keyset_key, own, len(keys)):
        keys.append(_key(found))
    return keys
