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
from pathlib import Path
from typing import Any, TypeVar

from . import ids
from .problem import Problem

SIZE_MAX = 1 << 20  # bytes of a TOML file
U32_MAX, U64_MAX = (1 << 32) - 1, (1 << 64) - 1
T = TypeVar("T")


def read(data: bytes, file: str) -> Table:
    """The top table. Raises Problem with the line. Paths in it are relative to the file."""
    try:
        if len(data) > SIZE_MAX:
            raise Problem(f"larger than {SIZE_MAX} bytes", file=file)
        text = data.decode()
        return Table(tomllib.loads(text), file, text)
    except UnicodeDecodeError as e:
        raise Problem("not UTF-8, so not TOML", file=file, offset=e.start) from None
    except RecursionError:
        raise Problem("nested too deeply", file=file) from None
    except ValueError as e:  # TOMLDecodeError, and numbers that Python does not convert
        found = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(e), re.DOTALL)
        if found is None:
            raise Problem(f"not TOML: {e}", file=file) from None
        raise Problem(f"not TOML: {found[1]}", file=file, line=int(found[2])) from None


class Table:
    """One table of a TOML file.

    name   how it is called in refusals: "component 2"; "" at the top
    """

    def __init__(self, data: dict[str, Any], file: str, text: str, name: str = "",
                 lines: tuple[int, int] | None = None) -> None:  # fmt: skip
        self.data, self.file, self.text, self.name = data, file, text, name
        self.lines = lines or (0, text.count("\n") + 1)  # where its keys may stand, from 0
        self.known: list[str] = []

    # -- refusing --

    def line_of(self, key: str) -> int | None:
        """Line of a key of this table, from 1; None where it is not found: keys may be written
        in many ways, and this only looks for the plain one."""
        pattern = re.compile(rf"""\s*(\[+\s*)?([\w.-]+\.)?["']?{re.escape(key)}["']?\s*[=\].]""")
        first, last = self.lines
        for number, line in enumerate(self.text.split("\n")[first:last], first + 1):
            if pattern.match(line) or re.search(rf"[{{,]\s*{re.escape(key)}\s*=", line):
                return number
        return None

    def fail(self, key: str, what: str, hint: str | None = None) -> Problem:
        """To be raised: the value of a key is wrong."""
        return Problem(f"{self.where(key)}: {what}", file=self.file, line=self.line_of(key),
                       hint=hint)  # fmt: skip

    @property
    def header(self) -> int | None:
        """Line of [name], from 1; None at the top."""
        return self.lines[0] + 1 if self.lines[0] else None

    def where(self, key: str) -> str:
        return f"{self.name}: {key}" if self.name else key

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
            raise self.fail(key, f"{value} is not in {low}..{high}")
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
        return Table(data, self.file, self.text, key, self._lines(rf"\[\s*{re.escape(key)}\s*\]", 0))

    def tables_at(self, key: str) -> Sequence[Table]:
        """[[key]], as often as it is there."""
        data = self.get(key, list, f"a list of tables, [[{key}]]") or []
        if not all(isinstance(element, dict) for element in data):
            raise self.fail(key, f"not a list of tables, [[{key}]]")
        pattern = rf"\[\[\s*{re.escape(key)}\s*\]\]"
        return [Table(element, self.file, self.text, f"{key} {n + 1}", self._lines(pattern, n))
                for n, element in enumerate(data)]  # fmt: skip

    def _lines(self, pattern: str, n: int) -> tuple[int, int]:
        """Lines from the n-th header like this to the next header; all lines if there is none."""
        lines = self.text.split("\n")
        starts = [i for i, line in enumerate(lines) if re.match(rf"\s*{pattern}", line)]
        if n >= len(starts):
            return self.lines
        ends = (i for i, line in enumerate(lines) if i > starts[n] and re.match(r"\s*\[", line))
        return starts[n], next(ends, len(lines))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Problem(f"{where}: not a text")
    return value
