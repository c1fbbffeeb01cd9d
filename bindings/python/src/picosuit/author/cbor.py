# SPDX-License-Identifier: MIT
"""Deterministic CBOR: written from Python values, read into items that know where they stand.

Source: RFC 8949 4.2.1. Reading accepts only what the device accepts: definite lengths, shortest
heads, map keys ascending and once, no floating point. Depth and number of items are bounded, so
hostile bytes cost little.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .problem import Problem

DEPTH_MAX = 48  # nested items, wrapped ones included; 8 nested sequences need about 30
ITEMS_MAX = 50_000  # items in one `read`; 2,000 commands need fewer than 10,000

UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)  # major types
KINDS = ("unsigned integer", "negative integer", "byte string", "text", "array", "map", "tag",
         "simple value")  # fmt: skip

# -- Writing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """Bytes that are an encoding already."""

    data: bytes


@dataclass(frozen=True)
class Wrap:
    """A byte string that holds the encoding of a value."""

    value: Any


@dataclass(frozen=True)
class Tag:
    number: int
    value: Any


def head(major: int, value: int) -> bytes:
    """The shortest head of a major type; value below 2^64."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError("an integer above 64 bits")


def encode(value: Any) -> bytes:
    """Deterministic encoding of int, bool, None, bytes, str, list or tuple, dict, and of the
    markers above. A dict is written in the order of its encoded keys."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Wrap):
        content = encode(value.value)
        return head(BYTES, len(content)) + content
    if isinstance(value, Tag):
        return head(TAG, value.number) + encode(value.value)
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return head(UINT, value) if value >= 0 else head(NINT, -1 - value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return head(BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(TEXT, len(text)) + text
    if isinstance(value, (list, tuple)):
        return head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = sorted((encode(k), encode(v)) for k, v in value.items())
        return head(MAP, len(pairs)) + b"".join(k + v for k, v in pairs)
    raise TypeError(f"no CBOR for {type(value).__name__}")


# -- Reading -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Item:
    """One item, and where it stands: data[start:body] is its head, data[body:end] the rest.

    value     argument of the head: number, length, count of elements, tag number
    children  elements; keys and values in turn; the tagged item
    depth     of nesting, wrapped items included
    """

    data: bytes
    start: int
    body: int
    end: int
    major: int
    value: int
    children: tuple[Item, ...]
    depth: int

    def fail(self, what: str, hint: str | None = None) -> Problem:
        """To be raised: something is wrong with this item."""
        return Problem(what, offset=self.start, hint=hint)

    def want(self, major: int, what: str) -> Item:
        """Itself, if it is of this major type; `what` says what it is, for the refusal."""
        if self.major != major:
            raise self.fail(f"{what} is {_a(KINDS[self.major])}, not {_a(KINDS[major])}")
        return self

    @property
    def encoded(self) -> bytes:
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """Content of a byte string; what follows the head of any other item."""
        return self.data[self.body : self.end]

    @property
    def number(self) -> int | None:
        """Value of an integer, None for anything else."""
        return {UINT: self.value, NINT: -1 - self.value}.get(self.major)

    @property
    def text(self) -> str | None:
        return self.content.decode() if self.major == TEXT else None

    @property
    def is_null(self) -> bool:
        return self.major == SIMPLE and self.value == 22

    @cached_property
    def pairs(self) -> tuple[tuple[Item, Item], ...]:
        """Of a map."""
        return tuple(zip(self.children[::2], self.children[1::2]))

    @cached_property
    def _index(self) -> dict[bytes, Item]:
        return {key.encoded: value for key, value in self.pairs}

    def get(self, key: Any) -> Item | None:
        """Value of a key of a map."""
        return self._index.get(encode(key))

    def inner(self) -> Item:
        """The item that a byte string wraps; it must fill it."""
        return _Reader(self.data, self.depth + 1).whole(self.body, self.end)

    def plain(self) -> Any:
        """The Python value; `encode` gives the same bytes again. An array that is a key of a
        map becomes a tuple. Raises Problem for a key that Python cannot have."""
        if self.major in (UINT, NINT):
            return self.number
        if self.major == BYTES:
            return self.content
        if self.major == TEXT:
            return self.text
        if self.major == ARRAY:
            return [child.plain() for child in self.children]
        if self.major == MAP:
            return {key._as_key(): value.plain() for key, value in self.pairs}
        if self.major == TAG:
            return Tag(self.value, self.children[0].plain())
        return {20: False, 21: True, 22: None}[self.value]

    def _as_key(self) -> Any:
        key = _hashable(self.plain())
        try:
            hash(key)
        except TypeError:
            raise self.fail("the key of a map is made of maps or tags") from None
        return key

    def walk(self) -> Iterator[Item]:
        """Itself and all items below, not those in byte strings."""
        yield self
        for child in self.children:
            yield from child.walk()


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def read(data: bytes, start: int = 0, end: int | None = None) -> Item:
    """The one item that data[start:end] is. Raises Problem with the offset in `data`."""
    return _Reader(data, 0).whole(start, len(data) if end is None else end)


class _Reader:
    def __init__(self, data: bytes, depth: int) -> None:
        self.data, self.depth, self.items = data, depth, 0

    def whole(self, start: int, end: int) -> Item:
        item = self.item(start, end, self.depth)
        if item.end != end:
            raise Problem(f"{end - item.end} bytes follow the item that starts at byte {start}",
                          offset=item.end)  # fmt: skip
        return item

    def item(self, start: int, end: int, depth: int) -> Item:
        self.items += 1
        if depth > DEPTH_MAX or self.items > ITEMS_MAX:
            limit = f"nested deeper than {DEPTH_MAX}" if depth > DEPTH_MAX else (
                f"more than {ITEMS_MAX} items")  # fmt: skip
            raise Problem(f"CBOR {limit}", offset=start)
        major, value, body = self.head(start, end)
        stop = body
        children: tuple[Item, ...] = ()
        if major in (BYTES, TEXT):
            if value > end - body:
                raise Problem(f"{KINDS[major]} of {value} bytes, but only {end - body} are left",
                              offset=start)  # fmt: skip
            stop = body + value
            self.check_text(major, start, body, stop)
        elif major in (ARRAY, MAP, TAG):
            stop, children = self.children(major, value, start, body, end, depth)
        return Item(self.data, start, body, stop, major, value, children, depth)

    def head(self, start: int, end: int) -> tuple[int, int, int]:
        """Major type, argument, and where what follows begins."""
        if start >= end:
            raise Problem("CBOR ends where an item is expected", offset=start)
        first = self.data[start]
        major, info = first >> 5, first & 31
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
        if info > 27:
            what = "indefinite length" if info == 31 else "reserved additional information"
            raise Problem(f"{what} in the head of a CBOR item", offset=start)
        if size > end - start - 1:
            raise Problem("CBOR ends inside the head of an item", offset=start)
        body = start + 1 + size
        value = int.from_bytes(self.data[start + 1 : body], "big") if size else info
        if major == SIMPLE and (size or value not in (20, 21, 22)):
            raise Problem("neither false, true nor null: SUIT has no other simple values",
                          offset=start)  # fmt: skip
        if body - start != len(head(major, value)):
            raise Problem("head of a CBOR item is not the shortest", offset=start)
        return major, value, body

    def check_text(self, major: int, start: int, body: int, end: int) -> None:
        if major == TEXT:
            try:
                self.data[body:end].decode()
            except UnicodeDecodeError:
                raise Problem("text is not UTF-8", offset=start) from None

    def children(
        self, major: int, value: int, start: int, pos: int, end: int, depth: int
    ) -> tuple[int, tuple[Item, ...]]:
        count = {ARRAY: value, MAP: 2 * value, TAG: 1}[major]
        if count > end - pos:  # each takes a byte at least
            what = f"{KINDS[major]} with {value} elements, but only {end - pos} bytes are left"
            raise Problem(what, offset=start)
        children: list[Item] = []
        for n in range(count):
            child = self.item(pos, end, depth + 1)
            if major == MAP and n >= 2 and n % 2 == 0:
                self.check_order(children[n - 2], child)
            children.append(child)
            pos = child.end
        return pos, tuple(children)

    def check_order(self, before: Item, key: Item) -> None:
        if key.encoded <= before.encoded:
            what = "twice" if key.encoded == before.encoded else "out of order"
            raise Problem(f"map key {what}", offset=key.start)
