# SPDX-License-Identifier: MIT
"""What all subcommands share: the console, data as JSON, reading files, writing them whole."""
from __future__ import annotations

import io
import json
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ..author.files import read_file as read_file
from ..author.problem import Problem

WATCHED_MIN = 1 << 20  # bytes; less is done before anybody wonders


class Output:
    """In click's context as `ctx.obj`; commands take it by @click.pass_obj."""

    def __init__(self, as_json: bool, color: bool | None) -> None:
        options: dict[str, Any] = {"highlight": False, "force_terminal": color,
                                   "no_color": color is False or None}  # fmt: skip
        if not sys.stdout.isatty():
            options["width"] = 100
        # Names of files and texts may hold what the terminal's character set does not have.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self.as_json, self.is_taken = as_json, False
        self.console = Console(soft_wrap=True, **options)
        self.errors = Console(soft_wrap=True, stderr=True, **options)

    def emit(self, data: Any, text: RenderableType | None = None) -> None:
        """The result: `data` with --json (bytes become hexadecimal), else `text`."""
        if self.as_json:
            click.echo(json.dumps(data, indent=2, default=_plain), err=self.is_taken)
        elif text is not None:
            (self.errors if self.is_taken else self.console).print(text)

    def write(
        self, files: Mapping[str | Path, bytes], *, private: bool | Collection[str | Path] = False,
        force: bool | None = None, inputs: Iterable[str | Path] = (),
    ) -> None:  # fmt: skip
        """`write_files`. If standard output gets a file, the result goes to standard error."""
        write_files(files, private=private, force=force, inputs=inputs)
        self.is_taken = any(str(name) in ("-", "/dev/stdout") for name in files)

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

    @contextmanager
    def watching(self, title: str, total: int, done: Callable[[], int]) -> Iterator[None]:
        """The same for work that must not be slowed down by telling: `done` is asked ten times a
        second, from a thread."""
        with self.progress() as bar:
            if bar.disable or total < WATCHED_MIN:
                yield
                return
            task, stop = bar.add_task(title, total=total), threading.Event()

            def ask() -> None:
                while not stop.wait(0.1):
                    bar.update(task, completed=min(done(), total))

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()


def _plain(value: object) -> object:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


@dataclass
class _Waiting:
    """A file that is complete under another name."""

    temporary: str
    path: Path
    is_linked: bool = False


def write_files(
    files: Mapping[str | Path, bytes], *, private: bool | Collection[str | Path] = False,
    force: bool | None = None, inputs: Iterable[str | Path] = (),
) -> None:  # fmt: skip
    """Writes all of the files or none: each into a temporary file beside it first.

    private  mode 0600, from the first byte on: all, or those named
    force    whether a file that exists is replaced; None: unless it is a private key
    inputs   what was read: never replaced, it might be the only copy

    `-` is standard output. A device or a pipe is written to, a link is followed.
    """
    read = {os.path.realpath(path) for path in inputs if str(path) != "-"}
    ready: list[_Waiting] = []
    streams: list[tuple[str | Path, bytes]] = []
    try:
        for name, data in files.items():
            if str(name) == "-" or _is_stream(name):
                streams.append((name, data))
                continue
            path = Path(os.path.realpath(name))
            if path in (other.path for other in ready):
                raise Problem("two results would go into this file", file=str(name))
            if str(path) in read:
                raise Problem("is an input: it would be overwritten", file=str(name),
                              hint="write to another file")  # fmt: skip
            _check_old(name, path, force)
            is_private = private if isinstance(private, bool) else name in private
            ready.append(_Waiting(_beside(name, path, data, is_private), path))
        for name, data in streams:
            _write_stream(name, data)
        for file in ready:
            if force is False:
                _link(file)
            else:
                os.replace(file.temporary, file.path)
    except BaseException:
        for file in ready:
            if file.is_linked:
                file.path.unlink()
        raise
    finally:
        for file in ready:
            Path(file.temporary).unlink(missing_ok=True)


def _is_stream(name: str | Path) -> bool:
    """A device, pipe or socket: it has no content that could be replaced at once."""
    try:
        mode = os.stat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as e:
        raise Problem(e.strerror or str(e), file=str(name)) from None
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _write_stream(name: str | Path, data: bytes) -> None:
    try:
        if str(name) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        handle = os.open(name, os.O_WRONLY | os.O_NONBLOCK)  # a pipe that nobody reads: ENXIO
        os.set_blocking(handle, True)
        with open(handle, "wb", buffering=0) as f:
            f.write(data)
    except BrokenPipeError:
        raise
    except OSError as e:
        what = "standard output" if str(name) == "-" else str(name)
        raise Problem(e.strerror or str(e), file=what) from None


def _check_old(name: str | Path, path: Path, force: bool | None) -> None:
    """Refuses to replace what is there already, if it must not be."""
    if path.is_dir():
        raise Problem("is a folder", file=str(name), hint="give the name of a file in it")
    if not path.exists():
        return
    if force is False:
        raise Problem("exists already", file=str(name), hint="--force replaces it")
    from ..author import keys  # late: it takes a tenth of a second

    if force is None and keys.is_secret(path):
        raise Problem("is a private key: it is not overwritten", file=str(name),
                      hint="delete it first, if it may go")  # fmt: skip


def _beside(name: str | Path, path: Path, data: bytes, private: bool) -> str:
    """A temporary file in the same folder, on the disk, with the mode that `path` will have."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".picosuit-", dir=path.parent)
        with open(handle, "wb") as f:
            if not private:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(f.fileno(), 0o666 & ~mask)
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
    except BaseException as e:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise Problem(e.strerror or str(e), file=str(name)) from None
        raise
    return temporary


def _link(file: _Waiting) -> None:
    """Gives the file its name, unless something has it: in one step, so nothing is lost."""
    try:
        os.link(file.temporary, file.path)
    except FileExistsError:
        raise Problem("exists already", file=str(file.path), hint="--force replaces it") from None
    except OSError:  # a file system without links, such as that of memory cards
        os.replace(file.temporary, file.path)
    file.is_linked = True
