# SPDX-License-Identifier: MIT
"""Envelopes through verification and their procedures, by the very code that a device runs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from . import _raw as raw
from .codes import NO_FLOOR, VERIFIED, Code, Procedure, Rights, Status, Where
from .device import RAISED, Again, Device, Key, Record, Refuse
from .errors import Error, UsageError, error_of, raise_code, sticky_error

if TYPE_CHECKING:
    from typing_extensions import Buffer

_STATUS = {int(status): status for status in Status}
_AGAIN = int(Status.AGAIN)
_QUESTION = struct.Struct("<6I")
_INFO = struct.Struct("<Q32s5I")
_FETCH = struct.Struct("<8I")
_RECORD = struct.Struct("<Iii3I")
_HEAD = raw.BIND_QUESTION_LEN
_WORD = 0xFFFFFFFF

T = TypeVar("T")
# What a callback returns, the three words and the bytes that it gives out: shim.h, bind_reply.
Answer = tuple[int, int, int, int, "Buffer"]
Handler = Callable[[int, int, int, int, int, bytes], Answer]
_DONE: Answer = (0, 0, 0, 0, b"")
_NOT_READY: Answer = (_AGAIN, 0, 0, 0, b"")
_RAISED: Answer = (RAISED, 0, 0, 0, b"")


@dataclass(frozen=True, slots=True)
class Info:
    """What was authenticated.

    sequence      manifest sequence number
    digest        SHA-256 of the manifest byte string, head included (32 bytes)
    envelope_len  bytes that Processor.envelope() gives
    rights        union of the rights of the keys that verified
    signer        id of the key chosen by begin; before: of the first that verified
    components    number of components
    sections      bits 0..4: validate, load, invoke, payload-fetch, install
    """

    sequence: int
    digest: bytes
    envelope_len: int
    rights: Rights
    signer: int
    components: int
    sections: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """What FETCH wants.

    uri        of the payload, or its key in the envelope; bytes that are no UTF-8 are surrogates
    where      Where.ENVELOPE: feed on; Where.URI: open it, give its bytes to payload()
    offset     first payload byte wanted now; > 0 after an interruption
    size       bytes of the whole payload on the wire, or UNKNOWN
    passed     0, or envelope offset from which payload members went by: if the envelope can be sent
               again, rewind() finds them
    component  index in the manifest of the component that will be written
    args       fetch-arguments; None: not set
    """

    uri: str
    where: Where
    offset: int
    size: int
    passed: int
    component: int
    args: bytes | None


def _handlers(device: Device) -> tuple[dict[int, Handler], int]:
    """For each question that the device can answer, how; and the bit mask of them."""

    def key(purpose: int, n: int, given: int, _3: int, _4: int, kid: bytes) -> Answer:
        found = ask_key(purpose, n, kid if given else None)
        if found is None:
            return _DONE
        return 1, _unsigned(found.alg), found.rights, found.id, found.key

    def component(signer: int, _1: int, _2: int, _3: int, _4: int, id: bytes) -> Answer:
        found = ask_component(signer, id)
        return _DONE if found is None else (1, found[0], found[1], 0, b"")

    def identity(handle: int, what: int, n: int, _3: int, _4: int, _: bytes) -> Answer:
        found = ask_identity(handle, what, n)
        return _DONE if found is None else (1, 0, 0, 0, found)

    def slot(handle: int, procedure: int, _2: int, _3: int, _4: int, _: bytes) -> Answer:
        return 0, ask_slot(handle, procedure), 0, 0, b""

    def size(handle: int, _1: int, _2: int, _3: int, _4: int, _: bytes) -> Answer:
        stored, capacity = ask_size(handle)
        return 0, stored, capacity, 0, b""

    def read(handle: int, off: int, n: int, _3: int, _4: int, _: bytes) -> Answer:
        return 0, 0, 0, 0, ask_read(handle, off, n)

    def begin(handle: int, size: int, _2: int, _3: int, _4: int, id: bytes) -> Answer:
        return 0, ask_begin(handle, size, id), 0, 0, b""

    def write(handle: int, off: int, _2: int, _3: int, _4: int, data: bytes) -> Answer:
        ask_write(handle, off, data)
        return _DONE

    def end(handle: int, good: int, _2: int, _3: int, _4: int, _: bytes) -> Answer:
        ask_end(handle, good == 1)
        return _DONE

    def invoke(handle: int, given: int, _2: int, _3: int, _4: int, args: bytes) -> Answer:
        ask_invoke(handle, args if given else None)
        return _DONE

    def sequence(_0: int, _1: int, _2: int, _3: int, _4: int, _: bytes) -> Answer:
        found = ask_sequence()
        if found is None:
            return NO_FLOOR, 0, 0, 0, b""
        floor, digest = found
        return 0, floor & _WORD, floor >> 32, 0, digest

    def swap(handle: int, source: int, _2: int, _3: int, _4: int, _: bytes) -> Answer:
        ask_swap(handle, source)
        return _DONE

    def verify(alg: int, rights: int, id: int, n: int, m: int, rest: bytes) -> Answer:
        signed = alg - (alg >> 31 << 32)
        of = Key(rest[:n], signed, Rights(rights), id)
        is_good = ask_verify(of, rest[n : n + m], rest[n + m :]) is True
        return (VERIFIED if is_good else 0), 0, 0, 0, b""

    ask_key, ask_component, ask_identity = device.key, device.component, device.identity
    ask_slot, ask_size, ask_read = device.slot, device.size, device.read
    ask_begin, ask_write, ask_end = device.begin, device.write, device.end
    ask_invoke, ask_sequence = device.invoke, device.sequence
    ask_swap, ask_verify = device.swap, device.verify
    handlers: dict[int, Handler] = {}
    mask = 0
    for kind, handler in (
        (raw.BIND_KEY, key),
        (raw.BIND_COMPONENT, component),
        (raw.BIND_IDENTITY, identity),
        (raw.BIND_SLOT, slot),
        (raw.BIND_SIZE, size),
        (raw.BIND_READ, read),
        (raw.BIND_BEGIN, begin),
        (raw.BIND_WRITE, write),
        (raw.BIND_END, end),
        (raw.BIND_INVOKE, invoke),
        (raw.BIND_SEQUENCE, sequence),
        (raw.BIND_SWAP, swap),
        (raw.BIND_VERIFY, verify),
    ):
        if _has(device, handler.__name__):
            handlers[kind] = handler
            mask |= 1 << kind
    if _has(device, "record"):
        mask |= 1 << raw.BIND_RECORD
    return handlers, mask


def _unsigned(alg: int) -> int:
    """A signed number of 32 bits, as it crosses. One that has more is refused, not cut."""
    if not -0x80000000 <= alg < 0x80000000:
        raise ValueError(f"an algorithm has 32 bits, not {alg}")
    return alg & _WORD


def _shape(answer: Answer) -> str:
    """An answer without its bytes, which may be a key."""
    st, a, b, c, data = answer
    return f"{st} ({a}, {b}, {c}) and {memoryview(data).nbytes} bytes"


def _has(device: Device, name: str) -> bool:
    """Whether the device overrides a method."""
    method = getattr(device, name)
    return getattr(method, "__func__", method) is not getattr(Device, name)


def _new(work: int, mask: int, keys: Sequence[Key]) -> raw.Handle:
    """A processor of the shim with a table of keys."""
    made = raw.bind_processor_new(work, mask)
    if made is None:
        raise MemoryError("no memory left for a processor")
    handle = made.this
    for key in keys:
        st = raw.bind_key(handle, key.alg, key.rights, key.id, key.key)
        if st == Code.E_ARG:
            raise ValueError(
                f"a key has 1..65535 bytes and an id of 0..65535, not {len(key.key)} and {key.id}"
            )
        if st == 0 and key.kid is not None:
            st = raw.bind_key_kid(handle, key.kid)
        raise_code(handle, st)
    return handle


def _immutable(envelope: object) -> None:
    if not isinstance(envelope, bytes):
        raise TypeError(
            f"an envelope is bytes, which nobody can change, not {type(envelope).__name__}"
        )


def _info(handle: raw.Handle) -> Info:
    buf = bytearray(raw.BIND_INFO_LEN)
    raise_code(handle, raw.bind_info(handle, buf))
    sequence, digest, length, rights, signer, components, sections = _INFO.unpack(buf)
    return Info(sequence, digest, length, Rights(rights), signer, components, sections)


def _envelope(handle: raw.Handle) -> bytes:
    buf = bytearray(_info(handle).envelope_len)
    raise_code(handle, raw.bind_envelope(handle, 0, buf))
    return bytes(buf)


def _packed(function: Callable[..., int], *args: Any, size: int = 512) -> bytes | int:
    """What a function of the shim packs, however long it is; or its negative status."""
    while True:
        buf = bytearray(size)
        n = function(*args, buf)
        if n < 0:
            return n
        if n <= size:
            return bytes(buf[:n])
        size = n


def packed(handle: raw.Handle | None, function: Callable[..., int], *args: Any) -> bytes:
    """What a function of the shim packs. Raises Error."""
    found = _packed(function, *args)
    if isinstance(found, int):
        if handle is not None:
            raise_code(handle, found)
        raise error_of(found)
    return found


def verify(envelope: bytes, keys: Sequence[Key]) -> Info:
    """Whether an envelope is authentic, well-formed and complete: what it says, or Error.

    envelope  the whole of it; bytes, so that nobody can change it meanwhile (else TypeError)
    keys      that may have signed it; bound to their algorithms

    The manifest is not run: Processor does that. The GIL is released meanwhile.
    """
    _immutable(envelope)
    handle = _new(0, 0, keys)
    raise_code(handle, raw.bind_open(handle, envelope))
    return _info(handle)


class Processor:
    """A processor with its work buffer, its device and its keys.

    The loop of a device: feed bytes until READY; look at info(); begin a procedure; run. On FETCH
    either feed on (fetch().where is ENVELOPE) or open the URI and push its bytes with payload, then
    payload_end. On AGAIN come back later with the same call. On OK the procedure is done. The first
    Error sticks: every later call raises it, until reset().

    device  answers questions; None: nothing but keys, enough to verify
    keys    tried in this order, before Device.key
    work    bytes of the work buffer, as on the device; too few are E_ROOM

    A processor is used by one thread at a time; another one that calls meanwhile gets UsageError,
    and so does the device from inside its methods. Several processors run in parallel: the GIL is
    released while the core works. A context manager; close() is like a power cut: the device is not
    told.
    """

    def __init__(
        self, device: Device | None = None, keys: Sequence[Key] = (), work: int = 4096
    ) -> None:
        self._lock = Lock()
        self._device = device
        self._handlers, mask = ({}, 0) if device is None else _handlers(device)
        self._has_record = mask >> raw.BIND_RECORD & 1 == 1
        self._buffer = bytearray(512)
        self._cause: BaseException | None = None
        self._handle: raw.Handle | None = _new(work, mask, keys)

    # -- the calls of picosuit.h ---------------------------------------------------------------

    def feed(self, data: Buffer) -> tuple[Status, int]:
        """Takes the next bytes of an envelope, in any split: any contiguous bytes-like object.

        Returns the status, MORE, READY, FETCH, AGAIN or OK, and how many bytes were taken: fewer
        than all only with READY, FETCH, AGAIN. The bytes are copied before they are looked at.
        """
        return self._take(raw.bind_feed, data)

    def feed_end(self) -> Status:
        """No more bytes will come: READY, FETCH or OK if the envelope is complete, else Error
        E_TRUNCATED at the number of bytes received."""
        return self._call(raw.bind_feed_end)

    def open(self, envelope: bytes) -> Status:
        """The same as feed for a whole envelope: READY or AGAIN. Only bytes, else TypeError: nobody
        may change it between check and use. It is copied once."""
        _immutable(envelope)
        return self._call(raw.bind_open, envelope)

    def begin(self, procedure: Procedure) -> Status:
        """Chooses a procedure: OK or AGAIN. Checks the rights, every sequence of it, the components
        and the sequence number; touches nothing."""
        return self._call(raw.bind_begin, int(procedure))

    def run(self) -> Status:
        """Executes until the procedure is done (OK), payload bytes are wanted (FETCH), or the
        device is not ready (AGAIN)."""
        return self._call(raw.bind_run)

    def payload(self, data: Buffer) -> tuple[Status, int]:
        """Takes the next payload bytes, in any split, when fetch().where is URI.

        Returns MORE or AGAIN, and how many bytes were taken: fewer than all only with AGAIN.
        """
        return self._take(raw.bind_payload, data)

    def payload_end(self, good: bool = True) -> Status:
        """All bytes were given, or (good False) the source is lost for good. Closes the component
        and goes on running: as run()."""
        return self._call(raw.bind_payload_end, int(good))

    def rewind(self) -> None:
        """The envelope will be fed again from its first byte; only payloads are looked for.
        Allowed while FETCH is pending."""
        self._call(raw.bind_rewind)

    def reset(self) -> Status:
        """Starts over, the only way out of an error: OK, or AGAIN from the device's `end`."""
        return self._call(self._reset)

    def _reset(self, handle: raw.Handle) -> int:
        self._cause = None
        return raw.bind_reset(handle)

    # -- what it knows -------------------------------------------------------------------------

    def fetch(self) -> Fetch:
        """What FETCH wants, and from which offset. UsageError when nothing is wanted."""
        found = self._ask(lambda handle: packed(handle, raw.bind_fetch, handle))
        offset, size, passed, where, component, given, n, _ = _FETCH.unpack_from(found)
        uri, args = found[_FETCH.size : _FETCH.size + n], found[_FETCH.size + n :]
        text = uri.decode(errors="surrogateescape")
        return Fetch(text, Where(where), offset, size, passed, component, args if given else None)

    def info(self) -> Info:
        """What was authenticated, before deciding to act. From READY on, else UsageError."""
        return self._ask(_info)

    def envelope(self) -> bytes:
        """The severed envelope: tag, wrapper, manifest. What a device stores with the image and
        boots from. From READY on, else UsageError."""
        return self._ask(_envelope)

    def report(self) -> bytes:
        """SUIT_Report as CBOR, at any time."""
        return self._ask(lambda handle: packed(handle, raw.bind_report, handle))

    @property
    def error(self) -> Error | None:
        """The error that sticks."""
        return self._ask(sticky_error)

    @property
    def work_used(self) -> int:
        """Most bytes of work that were needed since the last reset."""
        return self._ask(raw.bind_work_used)

    # -- life ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Frees its memory. May be called again; every other call then is a UsageError."""
        self._free()
        with self._lock:
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- calls, questions, answers -------------------------------------------------------------

    # Who is second is refused; in the moment between `_free` and `with` it waits instead. `with`
    # on a lock of C cannot be interrupted between taking it and knowing so, other ways can: after
    # one KeyboardInterrupt there the processor would be in use for ever.

    def _free(self) -> None:
        if self._lock.locked():
            raise UsageError(
                Code.E_STATE, text="the processor is in use by another thread, or by its device"
            )

    def _open(self) -> raw.Handle:
        if self._handle is None:
            raise UsageError(Code.E_STATE, text="the processor is closed")
        return self._handle

    def _ask(self, function: Callable[[raw.Handle], T]) -> T:
        """What a function makes of the handle, while nobody else uses it."""
        self._free()
        with self._lock:
            return function(self._open())

    def _call(self, function: Callable[..., int], *args: Any) -> Status:
        self._free()
        with self._lock:
            handle = self._open()
            return self._finish(handle, function(handle, *args))

    def _take(
        self, function: Callable[[raw.Handle, Buffer], int], data: Buffer
    ) -> tuple[Status, int]:
        self._free()
        with self._lock:
            handle = self._open()
            status = self._finish(handle, function(handle, data))
            return status, raw.bind_used(handle)

    def _finish(self, handle: raw.Handle, st: int) -> Status:
        """Answers what is asked until the call is over; then what it came to."""
        if st == _AGAIN:
            st = self._answer(handle)
        if self._has_record:
            self._log(handle)
        if self._cause is not None and st != _AGAIN:
            cause, self._cause = self._cause, None
            raise cause
        raise_code(handle, st)
        return _STATUS[st]

    def _answer(self, handle: raw.Handle) -> int:
        """Every question costs what this loop does: it is kept short."""
        buf, handlers = self._buffer, self._handlers
        while True:
            n = raw.bind_question(handle, buf)
            if n > len(buf):
                self._buffer = buf = bytearray(2 * n)
                continue
            if n == 0:  # the device said Again
                return _AGAIN
            if self._has_record:
                self._log(handle)
            kind, x0, x1, x2, x3, x4 = _QUESTION.unpack_from(buf)
            handler = handlers[kind]
            try:
                answer = handler(x0, x1, x2, x3, x4, bytes(buf[_HEAD:n]))
            except Again:
                answer = _NOT_READY
            except Refuse as refusal:
                answer = (refusal.answer, 0, 0, 0, b"")
            except BaseException as error:
                self._fail(error)
                answer = _RAISED
            try:
                st = raw.bind_reply(handle, *answer)
            except (TypeError, OverflowError, BufferError) as error:
                self._fail(TypeError(f"{self._place(handler)} answered what it must not: {error}"))
                st = raw.bind_reply(handle, *_RAISED)
            if st == raw.BIND_UNFIT:
                self._fail(
                    ValueError(f"{self._place(handler)} answered {_shape(answer)}: see Device")
                )
                st = raw.bind_reply(handle, *_RAISED)
            if st != _AGAIN:
                return st

    def _place(self, handler: Handler) -> str:
        return f"{type(self._device).__name__}.{handler.__name__}()"

    def _fail(self, error: BaseException) -> None:
        """The first exception of the device comes out; what follows from it does not."""
        if self._cause is None:
            self._cause = error

    def _log(self, handle: raw.Handle) -> None:
        """Hands the records on that have come since."""
        buf = bytearray(raw.BIND_RECORD_LEN)
        while raw.bind_record(handle, buf) > 0:
            record = Record(*_RECORD.unpack(buf))
            try:
                self._device.record(record)  # type: ignore[union-attr]
            except (Again, Refuse):
                pass
            except BaseException as error:
                self._fail(error)
