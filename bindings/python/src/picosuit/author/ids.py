# SPDX-License-Identifier: MIT
"""Identifiers as descriptions and profiles write them: components, vendor, class, device.

Sources: [M 8.4.5.1] (component identifier: an array of byte strings, compared part by part),
[M 8.4.8.2] (UUIDs: vendor from its domain, class from vendor and name), RFC 9562 5.5.
"""
from __future__ import annotations

import uuid

from . import cbor
from .problem import Problem

Identifier = tuple[bytes, ...]


def component(value: object, where: str) -> Identifier:
    """["app", "hex:00"]: each part is text, or bytes in hexadecimal; a single part may stand
    without the brackets."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise Problem(f"{where}: a component identifier is a list of texts",
                      hint='["app"], "hex:00"')  # fmt: skip
    return tuple(_part(part, where) for part in parts)


def _part(text: str, where: str) -> bytes:
    if not text.startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text[4:])
    except ValueError:
        raise Problem(f"{where}: {text!r} is not hexadecimal") from None


def component_text(identifier: Identifier) -> str:
    """As `component` reads it, for people: ['app', h'00']."""
    return "[" + ", ".join(literal(part) for part in identifier) + "]"


def literal(data: bytes) -> str:
    """'app' where it is text that cannot be mistaken, else h'0102'."""
    is_text = data.isascii() and data.decode().isprintable() and data and b"'" not in data
    return f"'{data.decode()}'" if is_text else f"h'{data.hex()}'"


def encoded(identifier: Identifier) -> bytes:
    """As it stands in a manifest, and as the platform's `component` gets it."""
    return cbor.encode(list(identifier))


def vendor(domain: str) -> bytes:
    """UUID of a vendor, 16 bytes, from its domain name."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, domain).bytes


def class_of(vendor_id: bytes, name: str) -> bytes:
    """UUID of a class of devices of a vendor, 16 bytes. Also of a device: its name is what the
    vendor makes unique, such as the serial number."""
    return uuid.uuid5(uuid.UUID(bytes=vendor_id), name).bytes


def read_uuid(value: object, where: str) -> bytes:
    """Sixteen bytes from "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"."""
    try:
        return uuid.UUID(str(value)).bytes
    except ValueError:
        raise Problem(f"{where}: {str(value)!r} is not a UUID") from None


def uuid_text(value: bytes | cbor.Tag) -> str:
    """For people: a UUID, or the relative OID of a vendor that has no UUID."""
    return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else f"OID {value.value.hex()}"


def read_pen(value: object, where: str) -> bytes:
    """Private enterprise number 32473, or a relative OID below 1.3.6.1.4.1: "32473.2".
    Source: RFC 9090, X.690 8.20."""
    parts = str(value).split(".")
    if isinstance(value, bool) or not all(p.isascii() and p.isdigit() and len(p) < 20
                                          for p in parts):  # fmt: skip
        raise Problem(f"{where}: {value!r} is not a private enterprise number")
    oid = b"".join(_base128(int(part)) for part in parts)
    if len(oid) > 15:
        raise Problem(f"{where}: longer than 15 bytes as a relative OID")
    return oid


def _base128(value: int) -> bytes:
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))
