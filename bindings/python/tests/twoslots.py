# SPDX-License-Identifier: MIT
"""A device with two slots over picosuit.Flash and picosuit.Boot: bench/m0/device_slots.c in short,
without resuming and without waiting. Its component ['x'] lies in memory."""
from __future__ import annotations

from vectorfile import CLASS, VENDOR

import picosuit
from picosuit import Area, Boot, Flash, Kind, Processor, Status

PAGE, SLOT = 1024, 8192  # bytes; a slot ends with a manifest area of one page
IMAGE_LEN = SLOT - PAGE
FLASH = 2 * SLOT + 5 * PAGE  # slots, journal (3 pages), key sets (2)
OTHER = 2  # handle of ['x']


class TwoSlots(picosuit.Device):
    """What is in memory is lost in a reset, but for `other`."""

    def __init__(self, factory: bytes, unit: int = 4, erased: int = 0xFF) -> None:
        self.flash = Flash(FLASH, page=PAGE, unit=unit, erased=erased)
        self.boot = Boot(
            self.flash, slots=(0, SLOT), slot_size=SLOT, manifest_size=PAGE, journal=2 * SLOT,
            keys=2 * SLOT + 3 * PAGE, factory=factory)  # fmt: skip
        self.pad = bytes([erased])
        self.unit = unit
        self.closed: dict[tuple[int, int], int] = {}  # area, place -> length
        self.other = b""
        self.at = self.length = 0

    def key(self, purpose: int, n: int, kid: bytes | None) -> picosuit.Key | None:
        return self.boot.key(purpose, n, kid)

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        known = {b"\x81\x41\x00": (Area.IMAGE, Kind.STORED), b"\x81\x41x": (OTHER, Kind.STORED),
                 b"\x81\x44keys": (Area.KEYS, Kind.STORED | Kind.KEYS)}  # fmt: skip
        return known.get(id)

    def identity(self, component: int, what: int, n: int) -> bytes | None:
        known = {int(picosuit.ID_VENDOR): VENDOR, int(picosuit.ID_CLASS): CLASS}
        return known.get(what) if n == 0 else None

    def slot(self, component: int, procedure: int) -> int:
        return self.boot.slot

    def sequence(self) -> tuple[int, bytes] | None:
        return self.boot.sequence()

    def size(self, component: int) -> tuple[int, int]:
        if component == OTHER:
            return len(self.other), 64
        at, stored = self.boot.stored(component)
        room = IMAGE_LEN if component == Area.IMAGE else PAGE - picosuit.KEYS_SET
        return self.closed.get((component, at), stored), room

    def read(self, component: int, off: int, n: int) -> bytes:
        if component == OTHER:
            return self.other[off : off + n]
        return self.flash.read(self.boot.stored(component)[0] + off, n)

    def begin(self, component: int, size: int, id: bytes) -> int:
        if component == OTHER:
            self.other = b""
            return 0
        if component == Area.IMAGE and self.boot.slot == self.boot.record.running:
            raise picosuit.Refuse(-2, "the slot that runs")
        self.at = self.boot.prepare(component)
        self.closed.pop((component, self.at), None)
        if component == Area.IMAGE:
            for page in range(0, IMAGE_LEN, PAGE):
                self.flash.erase(self.at + page)
            self.flash.write(self.at + IMAGE_LEN, id)
        return 0

    def write(self, component: int, off: int, data: bytes) -> None:
        if component == OTHER:
            self.other += data
            return
        units = -(-len(data) // self.unit)
        self.flash.write(self.at + off, data.ljust(units * self.unit, self.pad))
        self.length = off + len(data)

    def end(self, component: int, good: bool) -> None:
        if component == OTHER:
            return
        if good:
            self.closed[component, self.at] = self.length
        else:
            self.boot.prepare(component)

    def invoke(self, component: int, args: bytes | None) -> None:
        """The jump follows Boot.address."""

    # -- life

    def reset(self) -> Status:
        """The loader selects and checks; then the firmware of that slot starts."""
        self.closed.clear()
        self.boot.init()
        with Processor(self, work=2048) as p:
            status = self.boot.select(p)
            address = self.boot.address(p)
        assert (address is None) == (status == Status.SAFE)
        if address is not None:
            self.boot.init(address // SLOT)
        return status

    def update(self, envelope: bytes, payloads: dict[str, bytes]) -> str:
        """Up to the candidate. Returns the call that was under way at the end, for who catches the
        Error in `refused`."""
        with Processor(self, work=2048) as p:
            self.stage = "feed"
            assert p.feed(envelope) == (Status.READY, len(envelope))
            self.stage = "begin"
            self.boot.begin(p)
            self.stage = "run"
            status = p.run()
            while status == Status.FETCH:
                wanted = p.fetch()
                p.payload(payloads[wanted.uri][wanted.offset :])
                status = p.payload_end()
            self.stage = "candidate"
            assert self.boot.candidate(p) == Status.OK
        return self.stage

    def install(self, envelope: bytes, payloads: dict[str, bytes]) -> None:
        """Update, reset, confirm, reset."""
        self.update(envelope, payloads)
        assert self.reset() == Status.OK
        self.boot.confirm()
        assert self.reset() == Status.OK
