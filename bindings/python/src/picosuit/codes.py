# SPDX-License-Identifier: MIT
"""Numbers of the interface, as in core/picosuit.h: stable, never reused.

Members of the enumerations are integers; the names that a program uses often stand alone, too.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "Status", "Code", "Procedure", "Rights", "Purpose", "Algorithm", "Kind", "Identity",
    "Where", "Features", "Phase", "Result", "Area", "OK", "MORE", "READY", "FETCH", "AGAIN",
    "SAFE", "UPDATE", "INVOKE", "UNINSTALL", "RIGHT_UPDATE", "RIGHT_INVOKE", "RIGHT_UNINSTALL",
    "RIGHT_KEYS", "RIGHT_ANY_DEVICE", "PURPOSE_VERIFY", "PURPOSE_MAC", "PURPOSE_DECRYPT",
    "STORED", "TRUSTED", "TRANSIENT", "KIND_KEYS", "ID_VENDOR", "ID_CLASS", "ID_DEVICE",
    "ID_PEN", "ALG_HMAC256", "ALG_A128KW", "ALG_EDDSA", "ALG_ED25519", "ALG_ECDH_ES_A128KW",
    "WHERE_ENVELOPE", "WHERE_URI", "AREA_IMAGE", "AREA_KEYS", "SECTION_SHARED", "VERIFIED",
    "NO_FLOOR", "FIXED", "UNKNOWN", "NO_SLOT", "NO_ADDRESS", "EXPANDED_LEN", "MAX_BLOCKS",
    "MAX_PROTECTED", "MAX_COMPONENTS", "MAX_DEPTH", "MAX_URI", "MAX_STEPS", "MAX_STORED",
    "COMPONENT_SIZE", "FRAME_SIZE", "MANIFEST_LEN", "MANIFEST_ENVELOPE", "KEYS_SET",
]  # fmt: skip


class Status(IntEnum):
    """What a call came to. A failure is an exception."""

    OK = 0  #: done
    MORE = 1  #: give me more bytes
    READY = 2  #: authenticated: look at the info, then begin
    FETCH = 3  #: payload bytes are wanted: Processor.fetch()
    AGAIN = 4  #: the device was not ready: repeat this very call later
    SAFE = 5  #: nothing can be started: safe mode, an update is wanted


class Code(IntEnum):
    """Why something was refused: Error.code."""

    # use of this library
    E_STATE = -1  #: call not allowed now, or made from inside the device
    E_ARG = -2  #: argument without meaning
    E_ROOM = -3  #: work buffer too small; label = bytes it needs (after begin: in all)
    # encoding (RFC 8949, deterministic encoding only)
    E_CBOR = -10  #: malformed, indefinite or not the shortest form
    E_TYPE = -11  #: well-formed, but another type is expected here
    E_ORDER = -12  #: map key not above the one before it (or twice)
    E_BOUNDS = -13  #: item longer than what contains it
    E_TRUNCATED = -14  #: the envelope ends inside an item
    E_TRAILING = -15  #: bytes after the end of an item or of the envelope
    E_LIMIT = -16  #: beyond a limit of picosuit.h, or a 32-bit value
    E_VALUE = -17  #: right type, but not a value allowed here
    # envelope and manifest members
    E_TAG = -20  #: the envelope does not start with tag 107
    E_MEMBER = -21  #: unknown or unsupported member; label = its key
    E_MISSING = -22  #: required member absent; label = its key
    E_VERSION = -23  #: manifest-version is not 1
    E_SEVERED = -24  #: severed member needed but absent, or not referenced
    # authenticity
    E_COSE = -30  #: COSE structure or header not acceptable
    E_ALG = -31  #: algorithm not supported
    E_AUTH = -32  #: no authentication block verifies under a known key
    E_DIGEST = -33  #: manifest, severed member or payload differs from its digest
    E_RIGHTS = -34  #: no verified key has the rights for this
    E_ROLLBACK = -35  #: sequence number below what the device has confirmed
    E_KEYS = -36  #: key set malformed, or it would lock the device out
    E_REJECTED = -37  #: this sequence number was tried and rejected
    E_TRIAL = -38  #: the running image is not confirmed, or never was
    # manifest, found by begin before the first effect
    E_COMPAT = -40  #: no vendor and class check in the shared sequence
    E_COMPONENT = -41  #: component not known to the device, or twice
    E_INDEX = -42  #: component index out of range, or not set first
    E_COMMAND = -43  #: command not supported; label = the command
    E_SHARED = -44  #: command not allowed in the shared sequence
    E_PARAM = -45  #: parameter not supported; label = the parameter
    E_SEQUENCE = -46  #: sequence or list of sequences with too few elements
    E_SOFT = -47  #: soft-failure set outside try-each and run-sequence
    # execution
    E_CONDITION = -50  #: a condition is false; label = the condition
    E_TRY = -51  #: no alternative of a try-each succeeded
    E_UNSET = -52  #: directive without a parameter it needs (in label)
    E_TRANSIENT = -53  #: not possible with a transient component
    E_STEPS = -54  #: step budget used up
    E_UNSUPPORTED = -55  #: the device has no method for this command
    E_INVOKE = -56  #: the invocation ended and nothing was invoked
    # payload; platform = payload position
    E_FETCH = -60  #: the caller could not get the payload
    E_LENGTH = -61  #: payload length differs from the size that was set
    E_DECRYPT = -62  #: wrong key, wrap or tag: one code for all
    E_CAPACITY = -63  #: larger than the component can hold
    # device and primitives
    E_PLATFORM = -70  #: a method of the device failed; platform = its answer
    E_CRYPTO = -80  #: a primitive refused its input


class Procedure(IntEnum):
    """What Processor.begin starts."""

    UPDATE = 1  #: payload-fetch, install, validate
    INVOKE = 2  #: validate, load, invoke
    UNINSTALL = 4  #: with trust domains only: E_MEMBER for now


class Rights(IntFlag):
    """What a key may authorise."""

    UPDATE = 1
    INVOKE = 2
    UNINSTALL = 4
    KEYS = 8  #: may write a component of kind KEYS
    ANY_DEVICE = 16  #: manifest needs no vendor and class check


class Purpose(IntEnum):
    """What Device.key is asked for."""

    VERIFY = 1  #: signatures: ED25519 and others
    MAC = 2  #: COSE_Mac0: HMAC256
    DECRYPT = 3  #: recipients: ECDH_ES_A128KW or A128KW


class Algorithm(IntEnum):
    """COSE algorithms that the core has; others go through Device.verify."""

    HMAC256 = 5
    A128KW = -3
    EDDSA = -8  #: only if the key says so
    ED25519 = -19
    ECDH_ES_A128KW = -29


class Kind(IntFlag):
    """Kind of a component: one of the first three, KEYS added."""

    STORED = 0  #: image-match reads it back
    TRUSTED = 1  #: the digest computed while writing may answer instead
    TRANSIENT = 2  #: stores nothing: fetch into it is done by the copy from it
    KEYS = 8  #: writing it needs Rights.KEYS


class Identity(IntEnum):
    """What Device.identity is asked for."""

    VENDOR = 1  #: UUID, 16 bytes
    CLASS = 2  #: UUID, 16 bytes
    DEVICE = 24  #: UUID, 16 bytes
    PEN = 112  #: relative OID of CBOR tag 112: its length (1..15), its bytes, zeros: 16 bytes


class Where(IntEnum):
    """Where the payload is that FETCH wants."""

    ENVELOPE = 1  #: feed on, it may be in the envelope
    URI = 2  #: open the URI and give its bytes to Processor.payload


class Features(IntFlag):
    """What was compiled into the core."""

    ENCRYPTION = 1
    MAC = 2
    SEVERED = 4
    INTEGRATED = 8
    SLOTS = 16
    SWAP = 32
    REPORT = 64
    BOOT = 128
    STRINGS = 256


class Phase(IntEnum):
    """State of the boot journal."""

    NONE = 0  #: no journal: safe mode until an update was confirmed
    IDLE = 1
    CAND = 2  #: installed, will be tried
    TRY = 3  #: being tried, not confirmed
    FRESH = 4  #: confirmed, not booted since


class Result(IntEnum):
    """How the last update ended."""

    NONE = 0
    CONFIRMED = 1
    REJECTED = 2


class Area(IntEnum):
    """What the boot state keeps in flash."""

    IMAGE = 0  #: the slot that the image component stands for
    KEYS = 1  #: the key-set page: the set being installed, or in use


OK: Final = Status.OK
MORE: Final = Status.MORE
READY: Final = Status.READY
FETCH: Final = Status.FETCH
AGAIN: Final = Status.AGAIN
SAFE: Final = Status.SAFE
UPDATE: Final = Procedure.UPDATE
INVOKE: Final = Procedure.INVOKE
UNINSTALL: Final = Procedure.UNINSTALL
RIGHT_UPDATE: Final = Rights.UPDATE
RIGHT_INVOKE: Final = Rights.INVOKE
RIGHT_UNINSTALL: Final = Rights.UNINSTALL
RIGHT_KEYS: Final = Rights.KEYS
RIGHT_ANY_DEVICE: Final = Rights.ANY_DEVICE
PURPOSE_VERIFY: Final = Purpose.VERIFY
PURPOSE_MAC: Final = Purpose.MAC
PURPOSE_DECRYPT: Final = Purpose.DECRYPT
STORED: Final = Kind.STORED
TRUSTED: Final = Kind.TRUSTED
TRANSIENT: Final = Kind.TRANSIENT
KIND_KEYS: Final = Kind.KEYS
ID_VENDOR: Final = Identity.VENDOR
ID_CLASS: Final = Identity.CLASS
ID_DEVICE: Final = Identity.DEVICE
ID_PEN: Final = Identity.PEN
ALG_HMAC256: Final = Algorithm.HMAC256
ALG_A128KW: Final = Algorithm.A128KW
ALG_EDDSA: Final = Algorithm.EDDSA
ALG_ED25519: Final = Algorithm.ED25519
ALG_ECDH_ES_A128KW: Final = Algorithm.ECDH_ES_A128KW
WHERE_ENVELOPE: Final = Where.ENVELOPE
WHERE_URI: Final = Where.URI
AREA_IMAGE: Final = Area.IMAGE
AREA_KEYS: Final = Area.KEYS

SECTION_SHARED: Final = 3  #: Error.section, Record.section: shared sequence
VERIFIED: Final = 0x5AFE  #: verify(): what the core takes for yes
NO_FLOOR: Final = 0x0F10  #: sequence(): nothing was ever confirmed
FIXED: Final = 0xFFFFFFFF  #: size(): stored length is not recorded (plain memory)
UNKNOWN: Final = 0xFFFFFFFF  #: begin(), Fetch.size: size not known beforehand
NO_SLOT: Final = 255
NO_ADDRESS: Final = 0xFFFFFFFF  #: Boot.address: do not start anything
EXPANDED_LEN: Final = 1568  #: bytes of an expanded Ed25519 key (docs/porting.md)

MAX_BLOCKS: Final = 4  #: authentication blocks in an envelope
MAX_PROTECTED: Final = 64  #: bytes of a COSE protected header
MAX_COMPONENTS: Final = 32  #: components in a manifest
MAX_DEPTH: Final = 8  #: nested sequences, the section itself included
MAX_URI: Final = 255  #: bytes of a URI or integrated payload key
MAX_STEPS: Final = 2000  #: commands executed in one procedure
MAX_STORED: Final = 65535  #: envelope offset at which the last kept member ends
COMPONENT_SIZE: Final = 28  #: bytes of work for each component
FRAME_SIZE: Final = 14  #: bytes of work for each nested sequence
MANIFEST_LEN: Final = 32  #: manifest area of a slot: where the image length stands
MANIFEST_ENVELOPE: Final = 48  #: manifest area of a slot: where the envelope stands
KEYS_SET: Final = 40  #: key-set page: where the COSE_KeySet stands
