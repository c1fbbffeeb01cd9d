# SPDX-License-Identifier: MIT
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.text import Text

from ..author import sever
from ..author.envelope import Envelope
from ..author.phrases import safe
from ..author.problem import Problem
from .output import Output, read_file


@click.command("sever")
@click.argument("envelope", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(), required=True,
              help="File to write; - is standard output.")
@click.option("--text", is_flag=True, help="Take out the text.")
@click.option("--member", "members", multiple=True, metavar="NAME",
              help="Take out a severable member: text, install, payload-fetch, ...")  # fmt: skip
@click.option("--payload", "payloads", multiple=True, metavar="KEY",
              help="Take out the payload with this key.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Take out all of these.")
@click.option("--extract", type=click.Path(file_okay=False), metavar="DIR",
              help="Write what is taken out into this folder.")  # fmt: skip
@click.option("--add", "adds", multiple=True, metavar="NAME=FILE",
              help="Put a member or payload back; it must be the right one.")  # fmt: skip
@click.pass_obj
def command(
    out: Output, envelope: str, output: str, text: bool, members: tuple[str, ...],
    payloads: tuple[str, ...], everything: bool, extract: str | None, adds: tuple[str, ...],
) -> None:  # fmt: skip
    """Take severable members or payloads out of an ENVELOPE, or put them back.

    The signature stays good: it covers digests of the members.
    """
    e = Envelope(read_file(envelope), envelope)
    wanted = [*dict.fromkeys([*members, *(["text"] if text else [])])]
    keys = [*dict.fromkeys(payloads)]
    if everything:
        wanted, keys = sever.severable(e), [*e.payloads]
    if adds:
        if wanted or keys or everything or extract:
            raise click.UsageError("--add takes nothing out: two steps, please")
        try:
            data = sever.restore(e, dict(map(_added, adds)))
        except Problem as problem:
            raise problem.within(envelope) from None
        out.write({output: data}, inputs=[add.rpartition("=")[2] for add in adds])
        _emit(out, output, len(e.data), data, [add.partition("=")[0] for add in adds], "put back")
        return
    if not wanted and not keys:
        raise Problem("nothing to take out", file=envelope, hint="it is all severed" if everything
                      else "--text, --member, --payload or --all")  # fmt: skip
    done = sever.sever(e, wanted, keys)
    files: dict[str | Path, bytes] = {output: done.envelope}
    if extract is not None:
        _add_files(files, Path(extract), done)
    with _folder(extract):
        out.write(files, inputs=[envelope])
    _emit(out, output, len(e.data), done.envelope, [*wanted, *keys], "taken out")
    for name in wanted:
        if name != "text":
            out.note(Text(f"note: without {name} no device can install this, unless it gets it "
                          "back"))
    for key in keys:
        if key.startswith("#"):
            out.note(Text(f"note: {safe(key)} is nowhere else: nothing can be fetched from it now"))


@contextmanager
def _folder(path: str | None) -> Iterator[None]:
    """The folder, made if it is not there; unless nothing comes into it."""
    made = None if path is None or Path(path).exists() else Path(path)
    if made is not None:
        made.mkdir()
    try:
        yield
    except BaseException:
        if made is not None:
            made.rmdir()
        raise


def _added(argument: str) -> tuple[str, bytes]:
    name, equals, file = argument.rpartition("=")
    if not equals or not name:
        raise Problem(f"--add {argument}: not NAME=FILE")
    return name, read_file(file)


def _add_files(files: dict[str | Path, bytes], folder: Path, done: sever.Severed) -> None:
    """Names of files are made of harmless characters: a key is anything that a stranger wrote."""
    for name, content in [*((f"{name}.cbor", c) for name, c in done.members.items()),
                          *done.payloads.items()]:  # fmt: skip
        path = folder / (re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "payload")
        if path in files:
            raise Problem(f"two of them would be called {path}", hint="take them out one by one")
        files[path] = content


def _emit(
    out: Output, output: str, before: int, data: bytes, what: list[str], verb: str
) -> None:
    out.emit(
        {"file": output, verb.replace(" ", "_"): what, "bytes": len(data), "bytes_before": before},
        Text(f"{output}: {', '.join(map(safe, what))} {verb}, {before:,} -> {len(data):,} "
             "bytes"),
    )  # fmt: skip
