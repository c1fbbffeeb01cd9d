# SPDX-License-Identifier: MIT
"""TOML files with a fixed set of keys: descriptions and device profiles.

A `Table` hands out its keys one by one, checked; what nobody asked for is refused by `done`, with
the nearest known key as a hint and the line it stands in.
"""
from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from . import ids
from .problem import Problem

SIZE_MAX = 1 << 20  # bytes of a TOML file
U32_MAX, U64_MAX = (1 << 32) - 1, (1 << 64) - 1
LOCATE_MAX = 1 << 18  # characters looked at to find lines
DOTS_MAX = 32  # in a line, texts and comments left out
T = TypeVar("T")
Place = tuple[str | int, ...]  # keys, and positions in lists from 0


def words(place: Place) -> str:
    """("component", 1, "slots", 0): component 2: slots 1"""
    text = ""
    for part in place:
        text += f" {part + 1}" if isinstance(part, int) else f"{': ' if text else ''}{part}"
    return text


def read(data: bytes, file: str) -> Table:
    """The top table. Raises Problem with the line. Paths in it are relative to the file."""
    try:
        if len(data) > SIZE_MAX:
            raise Problem(f"larger than {SIZE_MAX} bytes", file=file)
        text = data.decode()
        _check_dots(text, file)
        return Table(tomllib.loads(text), Source(file, text.replace("\r\n", "\n")))
    except UnicodeDecodeError as e:
        raise Problem("not UTF-8, so not TOML", file=file, offset=e.start) from None
    except RecursionError:
        raise Problem("nested too deeply", file=file) from None
    except ValueError as e:  # TOMLDecodeError, and numbers that Python does not convert
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(e),
                             re.DOTALL)  # fmt: skip
        if found is None:
            raise Problem(f"not TOML: {e}", file=file) from None
        line = int(found[2] or data.count(b"\n", 0, len(data) - 1) + 1)
        raise Problem(f"not TOML: {found[1]}", file=file, line=line) from None


def _check_dots(text: str, file: str) -> None:
    """Refuses a.b.c... of many parts, for which the time of tomllib grows with their square."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > DOTS_MAX:
            bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", line).partition("#")[0]
            if bare.count(".") > DOTS_MAX:
                raise Problem("nested too deeply", file=file, line=number)


class Source:
    """A TOML file: its name, its text, and in which line each key stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text

    def line(self, place: Place) -> int | None:
        """Line of a value, from 1; of what holds it where it has none of its own."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place)

    def problem(self, place: Place, what: str, hint: str | None = None) -> Problem:
        """To be raised: something is wrong with the value at this place."""
        where = words(place)
        return Problem(f"{where}: {what}" if where else what, file=self.file,
                       line=self.line(place), hint=hint)  # fmt: skip

    @cached_property
    def _lines(self) -> dict[Place, int]:
        """The text is known to be TOML, so a statement ends with the first line at which what
        began with it is TOML. A file that makes this slow gets no lines from there on."""
        found: dict[Place, int] = {}
        counts: dict[Place, int] = {}  # elements of [[...]]
        table: Place = ()
        chunk, first, left = "", 1, LOCATE_MAX
        for number, line in enumerate(self.text.split("\n"), 1):
            first = first if chunk else number
            chunk += line + "\n"
            left -= len(chunk)
            if left < 0:
                break
            try:
                value = tomllib.loads(chunk)
            except ValueError:
                _note_elements(found, table, chunk + "]", number)
                continue
            _note_elements(found, table, chunk, number)
            is_header = chunk.lstrip().startswith("[")
            place = _note(found, counts, () if is_header else table, value, first)
            table = place if is_header else table
            chunk = ""
        return found


def _note(
    found: dict[Place, int], counts: dict[Place, int], place: Place, value: Any, line: int
) -> Place:
    """A statement: [a.b], [[a.b]], a.b = ...; its value has one key, and that one, and so on."""
    while isinstance(value, dict) and len(value) == 1:
        [(key, value)] = value.items()
        place += (key,)
        found.setdefault(place, line)
        if value == [{}]:  # an empty inline table in a list looks the same, and does no harm
            counts[place] = counts.get(place, 0) + 1
        if place in counts:
            place += (counts[place] - 1,)
        found.setdefault(place, line)
    return place


def _note_elements(found: dict[Place, int], table: Place, chunk: str, line: int) -> None:
    """Elements so far of a list that goes over several lines."""
    try:
        [(key, value)] = tomllib.loads(chunk).items()
    except ValueError:
        return
    if isinstance(value, list):
        for n in range(len(value)):
            found.setdefault((*table, key, n), line)


class Table:
    """One table of a TOML file.

    place  where it stands: (), ("component", 1)
    name   the same in words, for refusals: "component 2"; "" at the top
    """

    def __init__(self, data: dict[str, Any], source: Source, place: Place = ()) -> None:
        self.data, self.source, self.place = data, source, place
        self.file, self.name = source.file, words(place)
        self.known: list[str] = []

    # -- refusing --

    def problem(self, what: str, hint: str | None = None) -> Problem:
        """To be raised: something is wrong with the table itself."""
        return self.source.problem(self.place, what, hint)

    def fail(self, key: str, what: str, hint: str | None = None) -> Problem:
        """To be raised: the value of a key is wrong."""
        return self.source.problem((*self.place, key), what, hint)

    @property
    def header(self) -> int | None:
        """Line of [name], from 1; None at the top."""
        return self.source.line(self.place)

    def line_of(self, key: str) -> int | None:
        return self.source.line((*self.place, key))

    def where(self, key: str) -> str:
        return words((*self.place, key))

    def done(self) -> None:
        """Refuses keys that nobody asked for."""
        for key in self.data:
            if key not in self.known:
                near = difflib.get_close_matches(key, self.known, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(self.known)
                raise self.fail(key, "unknown key", hint)

    # -- values --

    def has(self, key: str) -> bool:
        self.known.append(key)
        return key in self.data

    def get(self, key: str, kind: type[T], what: str) -> T | None:
        """A value of this type, None if the key is not there."""
        if not self.has(key):
            return None
        value = self.data[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(key, f"not {what}")
        return value

    def need(self, key: str, value: T | None) -> T:
        """The value, refused if it is None: self.need("id", self.text_at("id"))."""
        if value is None:
            near = difflib.get_close_matches(key, [k for k in self.data if k not in self.known], 1)
            hint = f"is it meant by {near[0]}?" if near else None
            raise Problem(f"{self.name or 'the file'}: {key} is missing", file=self.file,
                          line=self.header, hint=hint)  # fmt: skip
        return value

    def text_at(self, key: str) -> str | None:
        return self.get(key, str, "a text")

    def bool_at(self, key: str, default: bool) -> bool:
        value = self.get(key, bool, "true or false")
        return default if value is None else value

    def int_at(self, key: str, low: int = 0, high: int = U32_MAX) -> int | None:
        value = self.get(key, int, "an integer")
        if value is not None and not low <= value <= high:
            shown = value if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"
            raise self.fail(key, f"{shown} is not in {low}..{high}")
        return value

    def number_at(self, key: str, low: float, high: float) -> float | None:
        """An integer or a fraction."""
        if not self.has(key):
            return None
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(key, "not a number")
        if not low <= value <= high:
            raise self.fail(key, f"{value} is not in {low:g}..{high:g}")
        return float(value)

    def list_at(self, key: str, one: Callable[[Any, str], T]) -> list[T]:
        """A value or a list of values, each through one(value, where); [] if it is not there."""
        if not self.has(key):
            return []
        value = self.data[key]
        try:
            return [one(element, self.where(key))
                    for element in (value if isinstance(value, list) else [value])]  # fmt: skip
        except Problem as e:
            e.file, e.line = e.file or self.file, e.line or self.line_of(key)
            raise

    def texts_at(self, key: str) -> list[str]:
        return self.list_at(key, _text)

    def choice_at(self, key: str, choices: Iterable[str]) -> str | None:
        value = self.text_at(key)
        if value is not None and value not in (known := list(choices)):
            raise self.fail(key, f"{value!r} is not one of {', '.join(known)}")
        return value

    def choices_at(self, key: str, choices: Mapping[str, T]) -> list[T]:
        """Values of the names in a list."""
        texts = self.texts_at(key)
        for text in texts:
            if text not in choices:
                raise self.fail(key, f"{text!r} is not one of {', '.join(choices)}")
        return [choices[text] for text in texts]

    def hex_at(self, key: str, size: int | None = None) -> bytes | None:
        """Bytes in hexadecimal digits, `size` of them."""
        text = self.text_at(key)
        if text is None:
            return None
        try:
            data = bytes.fromhex(text)
        except ValueError:
            raise self.fail(key, "not hexadecimal digits") from None  # may be a secret: not shown
        if size not in (None, len(data)):
            raise self.fail(key, f"{len(data)} bytes, not {size}")
        return data

    def component_at(self, key: str) -> ids.Identifier | None:
        """A component identifier."""
        if not self.has(key):
            return None
        try:
            return ids.component(self.data[key], self.where(key))
        except Problem as e:
            e.file, e.line = self.file, self.line_of(key)
            raise

    def path_at(self, key: str) -> Path | None:
        """A path, relative to the folder of the file."""
        text = self.text_at(key)
        return None if text is None else self.path(text)

    def path(self, text: str) -> Path:
        return Path(self.file).parent / text if self.file != "-" else Path(text)

    # -- tables --

    def table_at(self, key: str) -> Table:
        """[key]; one without keys if it is not there."""
        data = self.get(key, dict, "a table") or {}
        return Table(data, self.source, (*self.place, key))

    def tables_at(self, key: str) -> Sequence[Table]:
        """[[key]], as often as it is there."""
        data = self.get(key, list, f"a list of tables, [[{key}]]") or []
        if not all(isinstance(element, dict) for element in data):
            raise self.fail(key, f"not a list of tables, [[{key}]]")
        return [self.inner(element, key, n) for n, element in enumerate(data)]

    def inner(self, data: Any, *place: str | int) -> Table:
        """A table that stands somewhere in a value of this one."""
        if not isinstance(data, dict):
            raise self.source.problem((*self.place, *place), "not a table")
        return Table(data, self.source, (*self.place, *place))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Problem(f"{where}: not a text")
    return value
