# SPDX-License-Identifier: MIT
"""Secure firmware updates (IETF SUIT), verified and processed by the code that a device runs.

verify      is this envelope authentic?
Processor   runs an envelope on a Device
Flash, Boot which of two slots starts
primitives  SHA-2, Ed25519, X25519, HKDF, AES key unwrap, ChaCha20-Poly1305
author      (with the extra `author`) making, signing, encrypting, inspecting envelopes

Names are those of core/picosuit.h, which is the manual of what happens inside.
"""

from __future__ import annotations

from . import _raw as raw
from . import codes, primitives
from .boot import Boot, BootRecord, Flash, FlashCounts, FlashError, keyset
from .codes import *
from .device import Again, Device, Key, NotAllowed, Record, Refuse
from .errors import (
    AuthenticityError,
    EncodingError,
    EnvelopeError,
    Error,
    ExecutionError,
    ManifestError,
    PayloadError,
    PlatformError,
    PrimitiveError,
    UsageError,
)
from .processor import Fetch, Info, Processor, packed, verify

_number = raw.bind_version()
version = f"{_number >> 16}.{_number >> 8 & 255}.{_number & 255}"  #: of the core
features = Features(raw.bind_features())  #: what was compiled into it


def capabilities() -> bytes:
    """SUIT_Capability_Report of the core, as CBOR."""
    return packed(None, raw.bind_capabilities)


def strerror(code: int) -> str:
    """Short English text of a Status or Code."""
    return raw.bind_strerror(code)


__all__ = [
    "Again",
    "AuthenticityError",
    "Boot",
    "BootRecord",
    "Device",
    "EncodingError",
    "EnvelopeError",
    "Error",
    "ExecutionError",
    "Fetch",
    "Flash",
    "FlashCounts",
    "FlashError",
    "Info",
    "Key",
    "ManifestError",
    "NotAllowed",
    "PayloadError",
    "PlatformError",
    "PrimitiveError",
    "Processor",
    "Record",
    "Refuse",
    "UsageError",
    "capabilities",
    "features",
    "keyset",
    "codes",
    "primitives",
    "strerror",
    "verify",
    "version",
]
__all__ += codes.__all__
