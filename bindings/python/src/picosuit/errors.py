# SPDX-License-Identifier: MIT
"""What is raised: one class for each layer of core/picosuit.h, so that a program can tell "this is
not authentic" from "the flash failed" without a list of numbers."""

from __future__ import annotations

import struct
from typing import ClassVar

from . import _raw as raw
from .codes import Code

_WORDS = struct.Struct("<iIIiIi")


class Error(Exception):
    """A refusal. It names what, where and why.

    code       what was wrong
    offset     byte in the envelope ("Where an error is" in core/picosuit.h); 0 for UsageError
    section    manifest key of the section, 3: shared sequence; None: in none
    label      command, parameter or member; E_ROOM: bytes needed; None: there is none
    component  index of the component in the manifest; None: none
    platform   E_PLATFORM: the device's answer; payload errors: position in the payload
    text       what to read instead of the text of the code
    """

    _layers: ClassVar[dict[int, type[Error]]] = {}  # by -code // 10

    def __init__(
        self,
        code: int,
        offset: int = 0,
        section: int | None = None,
        label: int | None = None,
        component: int | None = None,
        platform: int = 0,
        text: str = "",
    ) -> None:
        super().__init__(code, offset, section, label, component, platform, text)
        self.code = Code(code)
        self.offset = offset
        self.section = section
        self.label = label
        self.component = component
        self.platform = platform
        self.text = text or raw.bind_strerror(code)

    def __init_subclass__(cls, layer: int | None = None) -> None:
        if layer is not None:
            Error._layers[layer] = cls

    @property
    def name(self) -> str:
        """Name of the code: "E_AUTH"."""
        return self.code.name

    def __str__(self) -> str:
        if isinstance(self, UsageError) and self.code != Code.E_ROOM:
            return f"{self.name}: {self.text}"
        place = [f"byte {self.offset}"]
        if self.section is not None:
            place.append(f"section {self.section}")
        if self.label is not None:
            place.append(f"label {self.label}")
        if self.component is not None:
            place.append(f"component {self.component}")
        if self.platform != 0:
            what = "position" if isinstance(self, PayloadError) else "answer"
            place.append(f"{what} {self.platform}")
        return f"{self.name} at {', '.join(place)}: {self.text}"


class UsageError(Error, layer=0):
    """This library was not used as it wants to be: E_STATE, E_ARG, E_ROOM."""


class EncodingError(Error, layer=1):
    """Not the deterministic CBOR that the draft demands."""


class EnvelopeError(Error, layer=2):
    """Members that are unknown, missing or not supported."""


class AuthenticityError(Error, layer=3):
    """Not signed by a known key, changed, older, or not allowed."""


class ManifestError(Error, layer=4):
    """A manifest that this device cannot or must not run; nothing was touched."""


class ExecutionError(Error, layer=5):
    """A condition was false, or a directive could not be done."""


class PayloadError(Error, layer=6):
    """A payload that did not come, has another length, or does not decrypt."""


class PlatformError(Error, layer=7):
    """The device refused or failed: error.platform."""


class PrimitiveError(Error, layer=8):
    """A primitive refused its input."""


def error_of(
    code: int,
    offset: int = 0,
    section: int | None = None,
    label: int | None = None,
    component: int | None = None,
    platform: int = 0,
    text: str = "",
) -> Error:
    """The Error of the layer that a negative code belongs to."""
    of_layer = Error._layers[-code // 10]
    return of_layer(code, offset, section, label, component, platform, text)


def sticky_error(handle: raw.Handle) -> Error | None:
    """The first error of a processor, if there is one."""
    buf = bytearray(raw.BIND_ERROR_LEN)
    raw.bind_error(handle, buf)
    code, offset, section, label, component, platform = _WORDS.unpack(buf)
    if code == 0:
        return None
    return error_of(
        code,
        offset,
        section or None,
        label or None,
        None if component == 255 else component,
        platform,
    )


def raise_code(handle: raw.Handle, code: int) -> None:
    """Raises what a call of a processor came to, if that is negative."""
    if code >= 0:
        return
    if code == raw.BIND_E_MEMORY:
        raise MemoryError("no memory left for a processor's copy")
    sticky = sticky_error(handle)
    if sticky is not None and sticky.code == code:
        raise sticky
    raise error_of(code)


def raise_plain(code: int, what: str = "") -> None:
    """The same where no processor has an error to ask for."""
    if code == raw.BIND_E_MEMORY:
        raise MemoryError("no memory left")
    if code < 0:
        raise error_of(code, text=what)
