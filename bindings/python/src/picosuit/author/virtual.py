# SPDX-License-Identifier: MIT
"""A device that is described by data and lives in memory, and the loop that updates it.

    device = VirtualDevice([Component((b"app",), 0, capacity=65536)], ids=Ids(...))
    outcome = run_update(envelope, device, keys, Procedure.UPDATE, {"coap://x/app.bin": image})

Its flash keeps to the rules of NOR flash and its port to those of docs/porting.md; whatever breaks
one, core or driver, raises `Breach`. It resumes after `cut_power` as a device must: what outlives a
power cut is in the cells and nowhere else.
"""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import picosuit
from picosuit import Kind, Procedure, Status

from . import ids as _ids

WHOLE = 0  # split: the envelope at once
OPEN = -1  # split: the envelope lies in memory, Processor.open

DIGEST_LEN = 32  # bytes of a manifest's digest, which names a transfer
BLOCK = 64  # bytes that the core writes and reads at once, at most
AGAINS_MAX = 2_000_000  # AGAIN in one procedure, after which it hangs


class Breach(Exception):
    """A rule of the flash or of the platform was broken. What and where is in the text."""


class PowerLost(Exception):
    """The power is gone: nothing works until `VirtualDevice.power`."""


# -- Descriptions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ids:
    """What a device asserts about itself; any equal one satisfies a condition.

    vendor, class_, device  UUIDs of 16 bytes
    pen                     private enterprise numbers, relative OIDs of 1 to 15 bytes
    """

    vendor: Sequence[bytes] = ()
    class_: Sequence[bytes] = ()
    device: Sequence[bytes] = ()
    pen: Sequence[bytes] = ()

    def __post_init__(self) -> None:
        for one in (*self.vendor, *self.class_, *self.device):
            if len(one) != 16:
                raise ValueError(f"an identifier has 16 bytes, not {len(one)}")
        for one in self.pen:
            if not 1 <= len(one) <= 15:
                raise ValueError(f"an enterprise number has 1 to 15 bytes, not {len(one)}")

    def answers(self, what: int) -> Sequence[bytes]:
        """All for one ID_* as `identity` gives them, 16 bytes each."""
        if what == picosuit.ID_PEN:
            return [(bytes([len(pen)]) + pen).ljust(16, b"\0") for pen in self.pen]
        own: dict[int, Sequence[bytes]] = {
            picosuit.ID_VENDOR: self.vendor, picosuit.ID_CLASS: self.class_,
            picosuit.ID_DEVICE: self.device}  # fmt: skip
        return own.get(what, ())


@dataclass(frozen=True)
class Component:
    """Something an update can write or start.

    identifier  its parts
    handle      the device's number for it, 0 to 254
    capacity    bytes; 0 if it is transient
    kind        STORED, TRUSTED or TRANSIENT, with KIND_KEYS for what holds keys
    content     what it holds beforehand
    signers     ids of the keys that may write it; None: every one
    ids         what is asserted for it; None: what the device asserts
    slot        for component-slot; None: that of the device
    is_fixed    its length is not recorded: all of its capacity counts as stored
    """

    identifier: _ids.Identifier
    handle: int
    capacity: int = 0
    kind: int = Kind.STORED
    content: bytes | None = None
    signers: frozenset[int] | None = None
    ids: Ids | None = None
    slot: int | None = None
    is_fixed: bool = False

    @property
    def is_transient(self) -> bool:
        return self.kind & ~Kind.KEYS == Kind.TRANSIENT

    @property
    def name(self) -> str:
        return _ids.component_text(self.identifier)

    def __post_init__(self) -> None:
        if not 0 <= self.handle <= 254:
            raise ValueError(f"{self.name}: handle {self.handle} is not 0 to 254")
        if not 0 <= self.capacity < picosuit.FIXED:
            raise ValueError(f"{self.name}: capacity {self.capacity} is not 32 bits")
        if self.is_transient and (self.capacity or self.content is not None):
            raise ValueError(f"{self.name}: a transient component stores nothing")
        if self.content is not None and len(self.content) > self.capacity:
            raise ValueError(f"{self.name}: {len(self.content)} bytes of content in "
                             f"{self.capacity}")  # fmt: skip


@dataclass(frozen=True)
class Geometry:
    """Flash: bytes of an erase page (a multiple of 64), bytes programmed at once (a power of two
    up to 64), value of an erased byte."""

    page: int = 1024
    unit: int = 4
    erased: int = 0xFF

    def __post_init__(self) -> None:
        if self.page <= 0 or self.page % BLOCK:
            raise ValueError(f"an erase page of {self.page} bytes is not a multiple of 64")
        if self.unit not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"a write unit of {self.unit} bytes is not 1, 2, 4, ... 64")
        if self.erased not in (0x00, 0xFF):
            raise ValueError(f"an erased byte is 0x00 or 0xff, not {self.erased:#04x}")

    def whole_pages(self, n: int) -> int:
        """Bytes of the pages that n bytes take."""
        return -(-n // self.page) * self.page


@dataclass
class Counters:
    """What the device has done, all procedures together. Bytes of payload, not of flash."""

    begins: int = 0
    writes: int = 0
    bytes_written: int = 0
    ends_good: int = 0
    ends_bad: int = 0
    reads: int = 0
    bytes_read: int = 0
    swaps: int = 0
    erases: int = 0  # pages
    programs: int = 0  # write units
    invoked: list[tuple[int, bytes | None]] = field(default_factory=list)  # handle, arguments

    def copy(self) -> Counters:
        return replace(self, invoked=list(self.invoked))


# -- Flash -------------------------------------------------------------------------------------


class _Power:
    """Counts flash operations, and loses power after a number of them."""

    def __init__(self) -> None:
        self.operations = 0
        self.left: int | None = None  # operations until the cut; None: there is none
        self.tears = False
        self.is_lost = False

    def tick(self) -> None:
        if self.left is not None:
            if self.left == 0:
                self.is_lost = True
                raise PowerLost(f"after {self.operations} flash operations")
            self.left -= 1
        self.operations += 1


class _Flash:
    """Pages of one component. Cells that were never programmed take no memory."""

    def __init__(self, geometry: Geometry, power: _Power, counters: Counters) -> None:
        self.geometry, self.power, self.counters = geometry, power, counters
        self.cells = bytearray()
        self.done = bytearray()  # 1 for each unit that was programmed since its erase
        self.torn: set[int] = set()  # pages erased by half

    def _grow(self, end: int) -> None:
        g = self.geometry
        more = g.whole_pages(end) - len(self.cells)
        self.cells += bytes([g.erased]) * more
        self.done += bytes(more // g.unit)

    def read(self, off: int, n: int) -> bytes:
        data = bytes(self.cells[off : off + n])
        return data if len(data) == n else data.ljust(n, bytes([self.geometry.erased]))

    def program(self, off: int, data: bytes) -> None:
        """Any length; what the last unit lacks stays erased."""
        unit, end = self.geometry.unit, off + len(data)
        if end > len(self.cells):
            self._grow(end)
        first, last = off // unit, -(-end // unit)
        if off % unit or self.done.find(1, first, last) >= 0:
            raise Breach(f"a unit is programmed twice, at {off}")
        if self.torn and self.torn.intersection(
            range(off // self.geometry.page, -(-end // self.geometry.page))):  # fmt: skip
            raise Breach(f"programmed in a half erased page, at {off}")
        if self.power.left is not None:
            self._program_until_cut(off, data)
        else:
            self.power.operations += last - first
            self.cells[off:end] = data
            self.done[first:last] = b"\1" * (last - first)
        self.counters.programs += last - first

    def _program_until_cut(self, off: int, data: bytes) -> None:
        unit = self.geometry.unit
        for at in range(0, len(data), unit):
            piece = data[at : at + unit]
            try:
                self.power.tick()
            except PowerLost:
                if self.power.tears:
                    piece = piece[: max(1, unit // 2)]
                    self.cells[off + at : off + at + len(piece)] = piece
                    self.done[(off + at) // unit] = 1
                raise
            self.cells[off + at : off + at + len(piece)] = piece
            self.done[(off + at) // unit] = 1

    def _clear(self, start: int, end: int) -> None:
        """To the value of erased cells; what is behind the last cell is that already."""
        end = min(end, len(self.cells))
        if start < end:
            unit = self.geometry.unit
            self.cells[start:end] = bytes([self.geometry.erased]) * (end - start)
            self.done[start // unit : end // unit] = bytes((end - start) // unit)

    def erase(self, start: int, end: int, *, downward: bool = False) -> None:
        """Whole pages. A page is erased in two steps, between which it is of no use."""
        page = self.geometry.page
        if self.power.left is None:
            self.power.operations += (end - start) // page * 2
            self.counters.erases += (end - start) // page
            self._clear(start, end)
            self.torn -= {n for n in self.torn if start <= n * page < end}
            return
        pages = range(start, end, page)
        for at in reversed(pages) if downward else pages:
            self.power.tick()
            self._clear(at, at + page // 2)
            self.torn.add(at // page)
            self.power.tick()
            self._clear(at, at + page)
            self.torn.discard(at // page)
            self.counters.erases += 1

    def last_used(self) -> int:
        """Start of the last page that holds anything: a port can only look at the bytes."""
        end = len(self.cells.rstrip(bytes([self.geometry.erased])))
        return max(0, end - 1) // self.geometry.page * self.geometry.page


def _with_inverse(length: int) -> bytes:
    return length.to_bytes(4, "little") + (~length & 0xFFFFFFFF).to_bytes(4, "little")


class _Store:
    """What a component stores: the image pages, and pages of their own for the identity of the
    transfer (32 bytes) and the length that was closed, with its inverse (4 bytes each)."""

    def __init__(self, of: Component, geometry: Geometry, power: _Power,
                 counters: Counters) -> None:  # fmt: skip
        self.of = of
        self.image = _Flash(geometry, power, counters)
        self.manifest = _Flash(geometry, power, counters)
        self.length_at = max(DIGEST_LEN, geometry.unit)
        self.image_size = geometry.whole_pages(of.capacity)
        self.manifest_size = geometry.whole_pages(self.length_at + 8)
        self.unset = bytes([geometry.erased]) * 8  # where no length was closed
        self.closed = 0  # bytes; 0: nothing complete

    @property
    def length(self) -> int:
        """Bytes that may be read."""
        return self.of.capacity if self.of.is_fixed else self.closed

    def look(self) -> None:
        """After a reset: what do the cells say?"""
        raw = self.manifest.read(self.length_at, 8)
        length = int.from_bytes(raw[:4], "little")
        is_closed = raw == _with_inverse(length) and length <= self.of.capacity
        self.closed = length if is_closed and not self.manifest.torn else 0

    def close(self, length: int) -> None:
        self.manifest.program(self.length_at, _with_inverse(length))
        self.closed = length

    def begin(self, size: int, identity: bytes) -> int:
        """docs/porting.md, "Flash": resume where the last used page starts, or start over."""
        start = self.image.last_used()
        if (self.manifest.read(0, DIGEST_LEN) == identity and start < size
                and self.manifest.read(self.length_at, 8) == self.unset
                and not self.manifest.torn):  # fmt: skip
            self.image.erase(start, self.image_size, downward=True)
            return start
        self.closed = 0
        self.manifest.erase(0, self.manifest_size)
        self.image.erase(0, self.image_size)
        self.manifest.program(0, identity)
        return 0

    def discard(self, written: int) -> None:
        """The identity goes first: a cut in between must not let the next begin resume."""
        self.closed = 0
        self.manifest.erase(0, self.manifest_size)
        self.image.erase(0, self.image.geometry.whole_pages(written))


# -- Device ------------------------------------------------------------------------------------


class VirtualDevice(picosuit.Device):
    """A device in memory.

    components  what it has; handles and identifiers differ from each other
    ids         what it asserts
    slot        for component-slot: the one that is written (UPDATE) or was opened (INVOKE)
    floor       highest confirmed sequence number and digest of its manifest; None: none yet
    geometry    of its flash

    It has no `swap`, see SwappingDevice. Keys are given to `run_update` or Processor.
    """

    def __init__(
        self, components: Iterable[Component], *, ids: Ids = Ids(), slot: int = 0,
        floor: tuple[int, bytes] | None = None, geometry: Geometry = Geometry(),
    ) -> None:  # fmt: skip
        self.ids, self.slot_number, self.floor, self.geometry = ids, slot, floor, geometry
        self.counters = Counters()
        self.records: list[picosuit.Record] = []
        self._power = _Power()
        self._digest: bytes | None = None  # of the manifest whose effects are allowed
        self._is_armed = True
        self._open = -1  # handle between begin and end
        self._at = 0  # next byte expected there
        self._size = 0  # announced
        self._is_last = False  # a short block has passed
        self._by_id: dict[bytes, Component] = {}
        self._stores: dict[int, _Store] = {}
        self.components: dict[int, Component] = {}
        for one in components:
            encoded = _ids.encoded(one.identifier)
            if encoded in self._by_id or one.handle in self.components:
                raise ValueError(f"{one.name}: identifier or handle {one.handle} is there already")
            self._by_id[encoded] = self.components[one.handle] = one
            if not one.is_transient:
                self._stores[one.handle] = _Store(one, geometry, self._power, self.counters)
            if one.content is not None:
                self.store(one.handle, one.content)

    # -- what a test wants to know or to do

    def store(self, handle: int, data: bytes) -> None:
        """Puts content into a component as if an update had; not counted."""
        store = self._stores[handle]
        if len(data) > store.of.capacity:
            raise ValueError(f"{store.of.name}: {len(data)} bytes in {store.of.capacity}")
        before = replace(self.counters)
        store.image.erase(0, store.image_size)
        store.manifest.erase(0, store.manifest_size)
        store.image.program(0, data)
        store.manifest.program(0, b"\x5a" * DIGEST_LEN)
        store.close(len(data))
        self.counters.erases, self.counters.programs = before.erases, before.programs

    def content(self, handle: int) -> bytes | None:
        """What a component holds; None if nothing complete."""
        store = self._stores.get(handle)
        return None if store is None or store.length == 0 else store.image.read(0, store.length)

    def digest(self, handle: int) -> bytes | None:
        """SHA-256 of it."""
        content = self.content(handle)
        return None if content is None else hashlib.sha256(content).digest()

    def cut_power(self, operations: int, *, tears: bool = False) -> None:
        """Power is lost after so many more flash operations: a unit programmed, half a page
        erased. tears: and half of the next unit is programmed."""
        self._power.left, self._power.tears = operations, tears

    def power(self) -> None:
        """Power is back, or the device was reset: what is in the cells is all it knows."""
        self._power.left, self._power.is_lost = None, False
        self._open = -1
        for store in self._stores.values():
            store.look()

    @property
    def operations(self) -> int:
        """Flash operations so far, as `cut_power` counts them."""
        return self._power.operations

    def arm(self, digest: bytes | None) -> None:
        """For a driver: effects are allowed for this manifest only; None: not at all. Until a
        driver has called it, they are for every one."""
        self._digest, self._is_armed = digest, digest is not None

    # -- the platform

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        self._live()
        one = self._by_id.get(bytes(id))
        if one is None:
            return None
        if one.signers is not None and signer not in one.signers:
            raise picosuit.NotAllowed
        return one.handle, one.kind

    def identity(self, component: int, what: int, n: int) -> bytes | None:
        self._live()
        own = self.components[component].ids
        answers = (self.ids if own is None else own).answers(what)
        return answers[n] if n < len(answers) else None

    def slot(self, component: int, procedure: int) -> int:
        self._live()
        own = self.components[component].slot
        return self.slot_number if own is None else own

    def size(self, component: int) -> tuple[int, int]:
        store = self._storage(component)
        return (picosuit.FIXED if store.of.is_fixed else store.length), store.of.capacity

    def sequence(self) -> tuple[int, bytes] | None:
        self._live()
        return self.floor

    def read(self, component: int, off: int, n: int) -> bytes:
        store = self._storage(component)
        end = self._at if self._open == component else store.length
        if not 1 <= n <= BLOCK:
            raise Breach(f"{store.of.name}: a read of {n} bytes, not 1 to 64")
        if off + n > end:
            raise Breach(f"{store.of.name}: a read of {n} bytes at {off}, {end} are stored")
        self.counters.reads += 1
        self.counters.bytes_read += n
        return store.image.read(off, n)

    def begin(self, component: int, size: int, id: bytes) -> int:
        store = self._effect(component)
        if self._open >= 0:
            raise Breach(f"{store.of.name}: begin while another component is open")
        if size != picosuit.UNKNOWN and size > store.of.capacity:
            raise Breach(f"{store.of.name}: begin for {size} bytes, {store.of.capacity} fit")
        if len(id) != DIGEST_LEN or self._digest not in (None, bytes(id)):
            raise Breach(f"{store.of.name}: begin with another id than the manifest's digest")
        self.counters.begins += 1
        have = store.begin(size, bytes(id))
        self._open, self._at, self._size, self._is_last = component, have, size, False
        return have

    def write(self, component: int, off: int, data: bytes) -> None:
        store = self._effect(component)
        n = len(data)
        if self._open != component:
            raise Breach(f"{store.of.name}: a write without begin")
        if off != self._at or off % BLOCK:
            raise Breach(f"{store.of.name}: a write at {off}, {self._at} comes next")
        if not 1 <= n <= BLOCK or self._is_last:
            raise Breach(f"{store.of.name}: a block of {n} bytes at {off} is not 64")
        if off + n > min(self._size, store.of.capacity):
            raise Breach(f"{store.of.name}: a write to {off + n}, {self._size} were announced")
        self.counters.writes += 1
        self.counters.bytes_written += n
        self._at, self._is_last = off + n, n < BLOCK
        store.image.program(off, data)

    def end(self, component: int, good: bool) -> None:
        store = self._effect(component)
        if self._open != component:
            raise Breach(f"{store.of.name}: end without begin")
        if good and self._size not in (picosuit.UNKNOWN, self._at):
            raise Breach(f"{store.of.name}: closed at {self._at} of {self._size} bytes")
        self._open = -1
        if good:
            self.counters.ends_good += 1
            store.close(self._at)
        else:
            self.counters.ends_bad += 1
            store.discard(self._at)

    def invoke(self, component: int, args: bytes | None) -> None:
        self._live()
        name = self.components[component].name
        if not self._is_armed:
            raise Breach(f"{name}: invoked before begin has answered")
        if self._open >= 0:
            raise Breach(f"{name}: invoked while a component is open")
        self.counters.invoked.append((component, args))

    def record(self, record: picosuit.Record) -> None:
        self.records.append(record)

    # -- rules

    def _live(self) -> None:
        if self._power.is_lost:
            raise PowerLost("the power is off")

    def _storage(self, component: int) -> _Store:
        if self._power.is_lost:
            raise PowerLost("the power is off")
        store = self._stores.get(component)
        if store is None:
            raise Breach(f"handle {component} stores nothing")
        return store

    def _effect(self, component: int) -> _Store:
        if not self._is_armed:
            raise Breach(f"handle {component}: an effect before begin has answered")
        return self._storage(component)


class SwappingDevice(VirtualDevice):
    """A device that can exchange two components of the same size, in one step."""

    def swap(self, component: int, source: int) -> None:
        a, b = self._effect(component), self._effect(source)
        if a is b or self._open >= 0:
            raise Breach(f"{a.of.name}: swap with itself, or while a component is open")
        if a.of.capacity != b.of.capacity:
            raise Breach(f"{a.of.name}: swap with {b.of.name}, which is of another size")
        self.counters.swaps += 1
        a.image, b.image = b.image, a.image
        a.manifest, b.manifest = b.manifest, a.manifest
        a.closed, b.closed = b.closed, a.closed


# -- Driver ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a procedure ended.

    status    OK, or the code of `error`
    stage     what reported it: "feed", "begin" or "run"
    error     the refusal; None if there was none
    info      what was authenticated; None: nothing was
    envelope  the severed envelope: what a device stores; None: nothing was authenticated
    report    SUIT_Report, CBOR
    work      bytes of the work buffer that were needed
    counters  what the device has done, procedures before this one included
    invoked   handle of what was invoked in this procedure; None: nothing
    fetched   URIs that were opened, in order
    sent      bytes of payload that came from them
    rewinds   how often the envelope was sent again
    agains    how often the device was not ready
    """

    status: int
    stage: str
    error: picosuit.Error | None
    info: picosuit.Info | None
    envelope: bytes | None
    report: bytes
    work: int
    counters: Counters
    invoked: int | None
    fetched: tuple[str, ...]
    sent: int
    rewinds: int
    agains: int


Payloads = Mapping[str, bytes] | Callable[[str], bytes | None]
NOTHING: Mapping[str, bytes] = {}


def run_update(
    envelope: bytes, device: VirtualDevice, keys: Sequence[picosuit.Key],
    procedure: Procedure = Procedure.UPDATE, payloads: Payloads = NOTHING, work: int = 4096,
    split: int = WHOLE,
) -> Outcome:  # fmt: skip
    """Takes an envelope through a procedure, as a device's loop does.

    payloads  what a URI gives; a mapping, or a function that returns None for what is not there
    work      bytes of the work buffer
    split     bytes that are fed at once, WHOLE, or OPEN

    A refusal of the core is an outcome. Anything else that a device raises, `Breach` and
    `PowerLost` for example, comes out as it is.
    """
    with picosuit.Processor(device, keys=keys, work=work) as processor:
        return _Driver(processor, envelope, device, procedure, payloads, split).outcome()


class _Driver:
    def __init__(
        self, processor: picosuit.Processor, envelope: bytes, device: VirtualDevice,
        procedure: Procedure, payloads: Payloads, split: int,
    ) -> None:  # fmt: skip
        self.p, self.envelope, self.device, self.split = processor, envelope, device, split
        self.procedure, self.payloads = procedure, payloads
        self.pos = 0  # envelope bytes taken
        self.stage = "feed"
        self.info: picosuit.Info | None = None
        self.severed: bytes | None = None
        self.fetched: list[str] = []
        self.sent = self.rewinds = self.agains = 0
        self.missed = -1  # components closed when the envelope was sent again

    def outcome(self) -> Outcome:
        invoked = len(self.device.counters.invoked)
        error = None
        self.device.arm(None)
        try:
            self._loop()
        except picosuit.Error as caught:
            error = caught
        counters = self.device.counters.copy()
        return Outcome(
            error.code if error else Status.OK, self.stage, error, self.info,
            self.severed, self.p.report(), self.p.work_used, counters,
            counters.invoked[-1][0] if len(counters.invoked) > invoked else None,
            tuple(self.fetched), self.sent, self.rewinds, self.agains,
        )  # fmt: skip

    def _loop(self) -> None:
        if self.split == OPEN:
            status = self._repeat(lambda: self.p.open(self.envelope))
        else:
            status = Status.MORE
        while status != Status.OK:
            if status == Status.MORE:
                status = self._feed()
            elif status == Status.READY:
                status = self._begin()
            elif status == Status.FETCH:
                status = self._serve()
            else:
                raise Breach(f"a status that cannot be: {status!r}")
        if self.split == OPEN:
            return
        while self.pos < len(self.envelope):  # the rest must still be an envelope
            status = self._feed()
            if status != Status.OK:
                raise Breach(f"{status!r} after the procedure was done")
        self._repeat(self.p.feed_end)

    def _again(self) -> None:
        self.agains += 1
        if self.agains > AGAINS_MAX:
            raise Breach("the device is never ready")

    def _repeat(self, call: Callable[[], Status]) -> Status:
        while (status := call()) == Status.AGAIN:
            self._again()
        return status

    def _give(self, call: Callable[[memoryview], tuple[Status, int]], data: bytes,
              pos: int) -> tuple[Status, int]:  # fmt: skip
        """One piece from `pos` on. Returns the status, and where to go on."""
        end = len(data) if self.split <= 0 else min(pos + self.split, len(data))
        view = memoryview(data)
        while True:
            status, used = call(view[pos:end])
            pos += used
            if status == Status.MORE and pos != end:
                raise Breach(f"MORE with {end - pos} bytes left")
            if status != Status.AGAIN:
                return status, pos
            self._again()

    def _feed(self) -> Status:
        if self.pos < len(self.envelope):
            status, self.pos = self._give(self.p.feed, self.envelope, self.pos)
            return status
        return self._repeat(self.p.feed_end)

    def _begin(self) -> Status:
        self.info, self.severed = self.p.info(), self.p.envelope()
        if self.split != OPEN and self.pos < len(self.envelope):
            status = self._feed()  # payloads follow, or too many bytes
            if status != Status.READY:
                return status
        self.stage = "begin"
        status = self._repeat(lambda: self.p.begin(self.procedure))
        if status != Status.OK:
            return status
        self.info = self.p.info()  # now with the signer that was chosen
        self.device.arm(self.info.digest)
        self.stage = "run"
        return self._repeat(self.p.run)

    def _serve(self) -> Status:
        fetch = self.p.fetch()
        if fetch.where == picosuit.WHERE_ENVELOPE:
            if self.split == OPEN:
                raise Breach("an envelope in memory is asked for again")
            return self._feed()
        uri = fetch.uri
        get = self.payloads if callable(self.payloads) else self.payloads.get
        data = get(uri)
        closed = self.device.counters.ends_good + self.device.counters.ends_bad
        if data is None and fetch.passed and self.split != OPEN and self.missed != closed:
            self.missed = closed  # once for each payload
            self.p.rewind()
            self.pos = 0
            self.rewinds += 1
            return self._feed()
        if data is None:
            return self._repeat(lambda: self.p.payload_end(False))
        self.fetched.append(uri)
        pos = min(fetch.offset, len(data))
        while pos < len(data):
            before = pos
            status, pos = self._give(self.p.payload, data, pos)
            self.sent += pos - before
            if status != Status.MORE:
                return status
        return self._repeat(self.p.payload_end)
