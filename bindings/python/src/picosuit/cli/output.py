# SPDX-License-Identifier: MIT
"""What all subcommands share: the console, data as JSON, reading files, writing them whole."""
from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ..author.problem import Problem

READ_MAX = 1 << 28  # bytes of a file that is read; an envelope or payload is far smaller


class Output:
    """In click's context as `ctx.obj`; commands take it by @click.pass_obj."""

    def __init__(self, as_json: bool, color: bool | None) -> None:
        options: dict[str, Any] = {"highlight": False, "force_terminal": color,
                                   "no_color": color is False or None}  # fmt: skip
        if not sys.stdout.isatty():
            options["width"] = 100
        self.as_json = as_json
        self.console = Console(soft_wrap=True, **options)
        self.errors = Console(soft_wrap=True, stderr=True, **options)

    def emit(self, data: Any, text: RenderableType | None = None) -> None:
        """The result: `data` with --json (bytes become hexadecimal), else `text`."""
        if self.as_json:
            click.echo(json.dumps(data, indent=2, default=_plain))
        elif text is not None:
            self.console.print(text)

    def note(self, text: RenderableType) -> None:
        """Something beside the result, on standard error; not with --json."""
        if not self.as_json:
            self.errors.print(text)

    def progress(self) -> Progress:
        """A progress bar in bytes, on standard error; silent where no terminal is."""
        return Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            console=self.errors, transient=True,
            disable=self.as_json or not self.errors.is_terminal,
        )  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def read_file(path: str | Path, limit: int = READ_MAX) -> bytes:
    """The whole file; `-` is standard input. Raises Problem."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(path, "rb") as f:
                data = f.read(limit + 1)
    except OSError as e:
        raise Problem(e.strerror or str(e), file=str(path)) from None
    if len(data) > limit:
        raise Problem(f"larger than {limit} bytes", file=str(path))
    return data


def write_files(
    files: Mapping[str | Path, bytes], *, private: bool | Collection[str | Path] = False,
    force: bool = True,
) -> None:  # fmt: skip
    """Writes all of the files or none: each into a temporary file beside it first.

    private  mode 0600, from the first byte on: all, or those named
    force    a file that exists is replaced; else Problem. `-` is standard output.
    """
    ready: list[tuple[str, Path]] = []
    try:
        for name, data in files.items():
            path = Path(name)
            if str(name) == "-":
                continue
            if not force and path.exists():
                raise Problem("exists already", file=str(path), hint="--force replaces it")
            is_private = private if isinstance(private, bool) else name in private
            ready.append((_beside(path, data, is_private), path))
        for temporary, path in ready:
            if force:
                os.replace(temporary, path)
            else:
                _link(temporary, path)
    finally:
        for temporary, _ in ready:
            Path(temporary).unlink(missing_ok=True)
    if any(str(name) == "-" for name in files):
        sys.stdout.buffer.write(b"".join(d for name, d in files.items() if str(name) == "-"))
        sys.stdout.buffer.flush()


def _beside(path: Path, data: bytes, private: bool) -> str:
    """A temporary file in the same folder, on the disk, with the mode that `path` will have."""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "wb") as f:
            if not private:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(f.fileno(), 0o666 & ~mask)
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
    except OSError as e:
        raise Problem(e.strerror or str(e), file=str(path)) from None
    return temporary


def _link(temporary: str, path: Path) -> None:
    """Gives the file its name, unless something has it: in one step, so nothing is lost."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise Problem("exists already", file=str(path), hint="--force replaces it") from None
