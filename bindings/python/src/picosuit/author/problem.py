# SPDX-License-Identifier: MIT
"""The one exception for what this tool refuses: files, descriptions, keys, envelopes."""
from __future__ import annotations

LINE_MAX = 1000  # characters of a refusal


def shown(text: str) -> str:
    """One line that a terminal can be given: what came from a file may hold anything, control
    sequences included, and be of any length."""
    if len(text) > LINE_MAX:
        half = LINE_MAX // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return escaped(text)


def escaped(text: str) -> str:
    """Printable characters as they are, others as \\x1b or \\u202e."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256
                   else f"\\u{ord(c):04x}" for c in text)  # fmt: skip


class Problem(Exception):
    """Something given by the user cannot be used.

    what    what is wrong, a clause without a full stop
    file    name of the file it stands in
    offset  byte in that file
    line    line in that file, from 1, where the file is text
    hint    what to do about it
    """

    def __init__(
        self, what: str, *, file: str | None = None, offset: int | None = None,
        line: int | None = None, hint: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(what)
        self.what, self.file, self.offset, self.line, self.hint = what, file, offset, line, hint

    def __str__(self) -> str:
        """One line: `file: byte 17: what (hint)`."""
        places = [self.file, None if self.offset is None else f"byte {self.offset}",
                  None if self.line is None else f"line {self.line}"]  # fmt: skip
        text = ": ".join([*(place for place in places if place is not None), self.what])
        return shown(f"{text} ({self.hint})" if self.hint else text)

    def within(self, file: str) -> Problem:
        """Itself, with the file named if none was."""
        self.file = self.file or file
        return self
