# SPDX-License-Identifier: MIT
"""A device written in Python: facts, never verdicts. The core compares, decides and refuses."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codes import Code, Rights

RAISED = -1001  #: Error.platform after a method raised: nobody else answers this


class Again(Exception):
    """Raised by a method of a Device: not ready. Nothing happened; the public call returns
    Status.AGAIN, and when it is repeated the same is asked again."""


class Refuse(Exception):
    """Raised by a method of a Device: it failed. The core stops with E_PLATFORM.

    answer  a negative number of the device's own: Error.platform
    """

    def __init__(self, answer: int, text: str = "") -> None:
        if not -0x80000000 <= answer < 0:
            raise ValueError(f"an answer that refuses is negative and has 32 bits, not {answer}")
        super().__init__(answer, text)
        self.answer = answer

    def __str__(self) -> str:
        return self.args[1] or f"answer {self.answer}"


class NotAllowed(Refuse):
    """Raised by Device.component: known, but not for this signer. Another key may do; if none
    does, the core refuses with E_RIGHTS."""

    def __init__(self, text: str = "") -> None:
        super().__init__(Code.E_RIGHTS, text)


@dataclass(frozen=True, slots=True)
class Key:
    """A key the device holds, bound to one algorithm and to what it may authorise.

    key     public key to verify with (32 bytes; or 1568, expanded: docs/porting.md), or secret:
            X25519 scalar (32), key encryption key (16), HMAC key; not shown by repr
    alg     Algorithm, or what Device.verify understands (ES256 is -7)
    rights  Rights
    id      the device's number of it, 0..65535: Info.signer, `signer` of Device.component
    kid     if the sender names a key, it must be this one; None: it fits any name
    """

    key: bytes = field(repr=False)
    alg: int
    rights: int = Rights.UPDATE | Rights.INVOKE
    id: int = 0
    kid: bytes | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One event for the log: a command with a reporting policy.

    offset     bytes into the section at which the command's label stands
    label      command
    code       0 done, or Code
    section    manifest key of the section; 3: shared sequence
    component  index in the manifest; 255: none
    policy     the command's reporting policy, 0..15
    """

    offset: int
    label: int
    code: int
    section: int
    component: int
    policy: int


class Device:
    """What a Processor asks. Subclass it and override the methods that your device has.

    One that is not overridden is missing: the core refuses what needs it, with E_UNSUPPORTED for
    commands. begin, write and end come together. `component` is the handle that `component` gave.
    A method is called between two calls of the core, never inside one, by the thread that uses the
    processor. It must not use that processor (UsageError).

    Any method may raise Again ("not ready") or Refuse(n) ("failed"). Any other exception makes the
    core stop with E_PLATFORM; it closes what is open (`end` with good = False), and then the
    exception comes out of the public call unchanged. The error that sticks has platform = -1001.

    Source: picosuit_platform in core/picosuit.h; docs/porting.md has the rules for flash.
    """

    def key(self, purpose: int, n: int, kid: bytes | None) -> Key | None:
        """The n-th (0..) candidate key for a Purpose, after those given to Processor(keys=...);
        kid None: the sender gave none. None: there are no more."""
        raise NotImplementedError

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        """Handle (0..254) and Kind of a component. id: CBOR array of byte strings; signer: Key.id.
        None: unknown, E_COMPONENT. Raises NotAllowed: not for this signer."""
        raise NotImplementedError

    def identity(self, component: int, what: int, n: int) -> bytes | None:
        """The n-th (0..) Identity that the device asserts for a component, 16 bytes. None: there
        are no more."""
        raise NotImplementedError

    def slot(self, component: int, procedure: int) -> int:
        """UPDATE: the slot that `begin` will write; INVOKE: the slot whose manifest was opened;
        constant within a procedure."""
        raise NotImplementedError

    def size(self, component: int) -> tuple[int, int]:
        """Bytes stored (0: nothing complete; FIXED: not recorded) and the most that fits."""
        raise NotImplementedError

    def read(self, component: int, off: int, n: int) -> bytes:
        """Exactly n (1..64) stored bytes at off."""
        raise NotImplementedError

    def begin(self, component: int, size: int, id: bytes) -> int:
        """Prepares a component for `size` bytes (or UNKNOWN), or resumes: id is the manifest's
        digest (32 bytes). Returns how many bytes are there from an attempt with the same id, a
        multiple of 64."""
        raise NotImplementedError

    def write(self, component: int, off: int, data: bytes) -> None:
        """Programs bytes in order; off is a multiple of 64, data has 64 but for the last."""
        raise NotImplementedError

    def end(self, component: int, good: bool) -> None:
        """Closes what begin opened. good False: what was written must not be used."""
        raise NotImplementedError

    def invoke(self, component: int, args: bytes | None) -> None:
        """Transfers control, with invoke-args if they are set."""
        raise NotImplementedError

    def sequence(self) -> tuple[int, bytes] | None:
        """Highest confirmed sequence number (64 bits) and the digest of that manifest (32 bytes).
        None: nothing was ever confirmed."""
        raise NotImplementedError

    def swap(self, component: int, source: int) -> None:
        """Optional: exchanges two components, resumable after a power cut."""
        raise NotImplementedError

    def verify(self, key: Key, data: bytes, sig: bytes) -> bool:
        """Optional: algorithms that the core lacks. data: the COSE Sig_structure. Only True is a
        yes."""
        raise NotImplementedError

    def record(self, record: Record) -> None:
        """Optional: takes one record, in order, before the next question or at the end of the call.
        What it raises comes out at the end of the call, which goes on; Again and Refuse mean
        nothing here and are dropped."""
        raise NotImplementedError
