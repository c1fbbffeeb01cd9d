# SPDX-License-Identifier: MIT
"""The one exception for what this tool refuses: files, descriptions, keys, envelopes."""
from __future__ import annotations


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
        text = f"{text} ({self.hint})" if self.hint else text
        # What came from a file may hold anything, a terminal's control sequences included.
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)

    def within(self, file: str) -> Problem:
        """Itself, with the file named if none was."""
        self.file = self.file or file
        return self
