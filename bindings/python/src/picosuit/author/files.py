# SPDX-License-Identifier: MIT
"""Reading files that somebody named: bounded, and without waiting for what never comes."""
from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

from .problem import Problem

READ_MAX = 1 << 28  # bytes; an envelope or payload is far smaller
PIPE_WAIT = 1.0  # seconds in which somebody must open the other end of a pipe


def read_file(path: str | Path, limit: int = READ_MAX) -> bytes:
    """The whole file; `-` is standard input. Raises Problem."""
    return read_with_mode(path, limit)[0]


def read_with_mode(path: str | Path, limit: int = READ_MAX) -> tuple[bytes, int]:
    """Content of a file, and its mode: 0 where that says nothing about who may read it."""
    name, mode = str(path), 0
    try:
        if name == "-":
            data = b"" if sys.stdin is None else sys.stdin.buffer.read(limit + 1)
        else:
            with open(path, "rb", opener=_open_at_once) as f:
                status = os.fstat(f.fileno()).st_mode
                if stat.S_ISREG(status) and os.name == "posix":
                    mode = status
                data = _first(f.fileno(), status) + f.read(limit + 1)
    except OSError as e:
        raise Problem(e.strerror or str(e), file=name) from None
    except ValueError:
        raise Problem("no name of a file: it holds a zero byte", file=name) from None
    if len(data) > limit:
        raise Problem(f"larger than {limit} bytes", file=name)
    return data, mode


def _open_at_once(path: str, flags: int) -> int:
    """Opens a named pipe, too, before anybody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _first(handle: int, status: int) -> bytes:
    """The first byte, if reading shows whether there is a writer at all; from here on reads
    wait. A pipe without data is at its end for us if nobody has it open for writing."""
    if os.name != "posix":
        return b""
    first = b""
    if stat.S_ISFIFO(status) and not select.select([handle], [], [], PIPE_WAIT)[0]:
        try:
            first = os.read(handle, 1)
            if not first:
                raise Problem("nobody writes to this pipe")
        except BlockingIOError:
            pass  # a slow writer
    os.set_blocking(handle, True)
    return first
