# SPDX-License-Identifier: MIT
"""Runs the command in this process."""
from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from picosuit.cli import main


@dataclass(frozen=True)
class Result:
    status: int
    out: bytes
    err: str

    @property
    def data(self) -> Any:
        """Of --json."""
        return json.loads(self.out)


@contextmanager
def _streams(stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    texts = [io.TextIOWrapper(raw, write_through=True) for raw in (io.BytesIO(stdin), out, err)]
    with (mock.patch.object(sys, "stdin", texts[0]), mock.patch.object(sys, "stdout", texts[1]),
          mock.patch.object(sys, "stderr", texts[2])):  # fmt: skip
        yield out, err
        for text in texts:
            text.detach()


def run(
    *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Result:
    with _streams(stdin) as (out, err), mock.patch.dict("os.environ", env or {}):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as e:
            status = e.code if isinstance(e.code, int) else 0
    return Result(status, out.getvalue(), err.getvalue().decode())


def good(*arguments: str | Path, **more: Any) -> Result:
    result = run(*arguments, **more)
    assert result.status == 0, result.err
    return result


def refused(*arguments: str | Path, **more: Any) -> str:
    """The one line of a refusal."""
    result = run(*arguments, **more)
    assert result.status == 2, (result.status, result.out, result.err)
    assert result.err.startswith("picosuit: ") and result.err.count("\n") == 1, result.err
    assert result.out == b""
    return result.err.removeprefix("picosuit: ").rstrip("\n")


def listing(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones included: to see that nothing was written."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
