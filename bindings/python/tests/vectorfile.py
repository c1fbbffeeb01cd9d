# SPDX-License-Identifier: MIT
"""Reads the text files of vectors/, and counts the records that were run.

A file holds records of `key = value` lines, an empty line between them, `#` for comments. With
COUNTS=FILE in the environment, conftest.py writes `path records` lines there: a record counts when
its test has called `ran` at its end.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from picosuit import Algorithm, Code, Key, Kind
from picosuit.author.virtual import Component, Geometry, Ids, SwappingDevice

VECTORS = Path(__file__).resolve().parents[3] / "vectors"

_ran: dict[str, set[int]] = {}


@dataclass(frozen=True)
class Record:
    """One record; `number` counts from 1."""

    path: str
    number: int
    lines: dict[str, str] = field(hash=False, compare=False)

    def __str__(self) -> str:
        return self.lines["name"]

    def __contains__(self, key: str) -> bool:
        return key in self.lines

    def __getitem__(self, key: str) -> str:
        return self.lines[key]

    def hex(self, key: str) -> bytes:
        return bytes.fromhex(self.lines[key])

    def number_at(self, key: str, default: int | None = None) -> int:
        return default if default is not None and key not in self else int(self.lines[key], 0)

    def data(self, key: str = "file") -> bytes:
        """The file that the value names."""
        return load(self.lines[key])

    def numbered(self, prefix: str) -> dict[int, str]:
        """component.N, initial.N and the like: N -> value."""
        return {int(key[len(prefix) + 1 :]): value for key, value in self.lines.items()
                if key.startswith(prefix + ".")}  # fmt: skip

    def ran(self) -> None:
        """To be called when everything that the record says was asserted."""
        _ran.setdefault(self.path, set()).add(self.number)


@cache
def load(path: str) -> bytes:
    return (VECTORS / path).read_bytes()


@cache
def records(path: str) -> tuple[Record, ...]:
    """All of a file; `path` counts from vectors/."""
    found: list[dict[str, str]] = [{}]
    for number, text in enumerate((VECTORS / path).read_text().splitlines(), 1):
        line = text.strip()
        if not line:
            found.append({})
        elif line[0] != "#":
            key, equals, value = line.partition("=")
            assert equals, f"{path}:{number}: no '='"
            found[-1][key.strip()] = value.strip()
    assert any(found), f"{path} holds no record"
    return tuple(Record(path, n, lines) for n, lines in enumerate(filter(None, found), 1))


def counts() -> dict[str, int]:
    return {path: len(numbers) for path, numbers in sorted(_ran.items())}


# -- keys.txt and the device of vectors/README.md ------------------------------------------------


@cache
def keys() -> dict[str, Record]:
    return {record["name"]: record for record in records("keys.txt")}


def key(record: Record, id: int | None = None) -> Key:
    """As a device holds it: public keys to verify with, secrets of its own."""
    part = "key" if "key" in record else "public"
    if record.number_at("alg") == Algorithm.ECDH_ES_A128KW:
        part = "private"
    return Key(record.hex(part), record.number_at("alg"), record.number_at("rights", 0),
               record.number_at("id") if id is None else id,
               record["kid"].encode() if "kid" in record else None)  # fmt: skip


@cache
def device_keys() -> tuple[Key, ...]:
    """Those that are on the device, in its order."""
    return tuple(key(record) for record in keys().values() if "id" in record)


VENDOR = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
CLASS = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")
DEVICE = bytes.fromhex("86fb4da071ef5837a97f292e427cc78f")  # UUIDv5(vendor, "device-1")

PARTS: tuple[tuple[tuple[bytes, ...], int, int], ...] = (
    ((b"\0",), Kind.STORED, 8192),
    ((b"\1",), Kind.STORED, 8192),
    ((b"\2",), Kind.STORED, 8192),
    ((b"stage",), Kind.STORED, 16384),
    ((b"t",), Kind.TRANSIENT, 0),
    ((b"trusted",), Kind.TRUSTED, 8192),
    ((b"keys",), Kind.STORED | Kind.KEYS, 1024),
    ((b"denied",), Kind.STORED, 1024),
    ((b"u",), Kind.TRANSIENT, 0),
    ((), Kind.STORED, 1024),
    ((b"usr", b"bin", b"env", bytes(range(64))), Kind.STORED, 1024),
    ((b"",), Kind.STORED, 1024),
    ((b"ab", b"c"), Kind.STORED, 1024),
    ((b"a", b"bc"), Kind.STORED, 1024),
    *(((bytes([n]),), Kind.STORED, 1024) for n in range(32, 64)),
)
DENIED = 7


def device_of(record: Record, of: type[SwappingDevice] = SwappingDevice) -> SwappingDevice:
    """The device of vectors/README.md with what a record says about it."""
    contents = {n: load(path) for n, path in record.numbered("initial").items()}
    components = []
    for n, (identifier, kind, capacity) in enumerate(PARTS):
        handle = n if n < 14 else n + 18
        components.append(Component(
            identifier, handle, capacity, kind, contents.get(handle),
            frozenset({3}) if handle == DENIED else None))  # fmt: skip
    floor = None
    if "floor" in record:
        digest = record.hex("floor_digest") if "floor_digest" in record else bytes(32)
        floor = record.number_at("floor"), digest
    ids = Ids((VENDOR,), (CLASS,), (DEVICE,), (record.hex("pen"),) if "pen" in record else ())
    return of(components, ids=ids, slot=record.number_at("slot", 0), floor=floor,
              geometry=Geometry(256, 4))  # fmt: skip


def payloads_of(record: Record) -> dict[str, bytes]:
    """URI -> what is served for it."""
    pairs = (value.rsplit(None, 1) for value in record.numbered("payload").values())
    return {uri: load(path) for uri, path in pairs}


def code_of(record: Record) -> int:
    """`expect`: ok is 0."""
    return 0 if record["expect"] == "ok" else Code[record["expect"]].value
