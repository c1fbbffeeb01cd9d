# SPDX-License-Identifier: MIT
"""A vector: an envelope, how it is run, and what must come out; and the files it becomes."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suit import Item, end_of, find, sha256

Files = dict[str, bytes]


@dataclass(frozen=True)
class Blob:
    """Bytes with a file of their own: a payload, or what a component holds beforehand."""

    name: str
    data: bytes

    @property
    def file(self) -> str:
        return f"suit/data/{self.name}.bin"

    def __len__(self) -> int:
        return len(self.data)


def blob(name: str, size: int) -> Blob:
    """A payload that looks random and is always the same."""
    data = b""
    while len(data) < size:
        data += sha256(f"picosuit test payload {name} {len(data)}".encode())
    return Blob(name, data[:size])


def blocks(*payloads: Any) -> int:
    """Calls of write() that these payloads take: 64 bytes each, the last may be short."""
    return sum((len(payload) + 63) // 64 for payload in payloads)


@dataclass
class Vector:
    name: str
    source: str
    data: bytes
    procedure: str = "update"
    file: str = ""  # default: from the name
    slot: int | None = None
    pen: bytes | None = None
    floor: int | None = None
    floor_digest: bytes | None = None
    initial: dict[int, Blob] = field(default_factory=dict)
    payloads: dict[str, Blob] = field(default_factory=dict)
    work: int | None = None
    expect: str = "ok"
    at: str | int | None = None  # offset, or path of the item it is
    label: int | None = None
    section: int | None = None
    stage: str | None = None
    after: dict[int, Blob | None] = field(default_factory=dict)
    writes: int | None = None
    invoked: int | None = None
    equivalent: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def offset(self) -> int | None:
        return find(self.data, self.at) if isinstance(self.at, str) else self.at

    def lines(self, file: str) -> list[str]:
        values: list[tuple[str, Any]] = [
            ("name", self.name),
            ("file", file),
            ("source", self.source),
            ("procedure", self.procedure),
            ("needs", " ".join(self.needs) or None),
            ("slot", self.slot),
            ("pen", self.pen and self.pen.hex()),
            ("floor", self.floor),
            ("floor_digest", self.floor_digest and self.floor_digest.hex()),
            *((f"initial.{n}", b.file) for n, b in sorted(self.initial.items())),
            *((f"payload.{n}", f"{uri} {b.file}")
              for n, (uri, b) in enumerate(self.payloads.items())),
            ("work", self.work),
            ("expect", self.expect),
            ("offset", self.offset),
            ("label", self.label),
            ("section", self.section),
            ("stage", self.stage),
            *((f"component.{n}", sha256(b.data).hex() if b else "-")
              for n, b in sorted(self.after.items())),
            ("writes", self.writes),
            ("invoked", self.invoked),
            ("equivalent", self.equivalent),
        ]
        return [f"{key} = {value}" for key, value in values if value is not None]


def write_index(folder: str, title: str, vectors: list[Vector], files: Files) -> None:
    """Adds the envelopes, the blobs they name and index.txt to `files`."""
    text = [f"# {line}" if line else "#" for line in title.splitlines()]
    names: set[str] = set()
    for vector in vectors:
        assert vector.name not in names, vector.name
        names.add(vector.name)
        short = vector.name.removeprefix(folder + "_")
        file = vector.file or f"{folder}/{short}.suit"
        assert files.setdefault(file, vector.data) == vector.data, file
        for b in (*vector.initial.values(), *vector.payloads.values()):
            assert files.setdefault(b.file, b.data) == b.data, b.file
        text += ["", *vector.lines(file)]
    files[f"{folder}/index.txt"] = ("\n".join(text) + "\n").encode()


def features(data: bytes, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Feature switches that must be on for an envelope to be processed to the same end."""
    found = set(more)
    if b"\xd8\x60\x84" in data:  # a COSE_Encrypt
        found.add("ENCRYPTION")
    if b"\xd1\x84\x43\xa1\x01\x05" in data:  # a COSE_Mac0 with HMAC 256/256
        found.add("MAC")
    try:
        pos, pairs = find(data, "{0}"), Item(data, 2).value
        for _ in range(pairs):
            key = Item(data, pos)
            if key.major == 3:
                found.add("INTEGRATED")
            elif key.value > 3:
                found.add("SEVERED")
            pos = end_of(data, end_of(data, pos))
    except (ValueError, IndexError):
        pass  # not meant to be well-formed
    return tuple(sorted(found))
