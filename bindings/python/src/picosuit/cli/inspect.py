# SPDX-License-Identifier: MIT
from __future__ import annotations

import click
from rich.text import Text

from ..author.inspect import HEX_MAX, Check, Inspection, inspect
from ..author.keys import Key, kid_text, load_any
from ..author.problem import Problem
from ..author.words import Line, place, summary
from . import keyfiles
from .output import Output, read_file

STYLES = {"frame": "bold", "command": "cyan", "condition": "yellow", "parameter": "",
          "value": "", "payload": "green", "signature": "magenta", "bad": "bold red"}  # fmt: skip
MARKS = {True: ("ok  ", "bold green"), False: ("BAD ", "bold red"), None: ("--  ", "dim")}


class Offset(click.ParamType[int]):
    name = "offset"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            return int(str(value), 0)
        except ValueError:
            self.fail(f"{value!r} is no number; 0x17 and 23 are", param, ctx)


@click.command("inspect")
@click.argument("file", type=click.Path())
@click.option("--key", "keys", multiple=True, type=click.Path(),
              help="Check the signatures under this key; can be repeated.")  # fmt: skip
@click.option("--hex", "with_hex", is_flag=True, help="Show the bytes of each line, too.")
@click.option("--at", "offset", type=Offset(), help="Only say what stands at this byte.")
@click.option("--summary", "is_short", is_flag=True, help="Only say what it is for and does.")
@click.option("--svg", type=click.Path(), help="Draw the flow of commands into this file.")
@keyfiles.insecure_option
@click.pass_obj
def command(
    output: Output, file: str, keys: tuple[str, ...], with_hex: bool, offset: int | None,
    is_short: bool, svg: str | None, insecure: bool,
) -> int:  # fmt: skip
    """Explain FILE byte by byte: an envelope, a manifest, or an encryption-info.

    Each line stands for bytes of its own: offset (hexadecimal), length with all lines below it,
    what it means, and its name and number in the drafts. Below them, what could be checked
    without a device. Exit status 1: something is not right.
    """
    data = read_file(file)
    found = inspect(data, file, _load(keys, insecure))
    if offset is not None:
        return _say_place(output, found, offset, file)
    status = 1 if found.wrong else 0
    if (svg is not None or is_short) and found.envelope is None:
        raise Problem(f"this is no envelope but a {found.kind}", file=file)
    if svg is not None and found.envelope is not None:
        from ..author.flow import draw

        output.write({svg: draw(found.envelope).encode()}, inputs=[file, *keys])
        output.emit({"file": file, "svg": svg})
        output.note(Text(f"{svg} written"))
    elif is_short and found.envelope is not None:
        short = summary(found.envelope)
        output.emit({"file": file, **short.data}, short)
    else:
        data_of = {"file": file, **found.as_data(with_hex)} if output.as_json else None
        output.emit(data_of, None if output.as_json else _tree(found, with_hex))
    return status


def _load(paths: tuple[str, ...], insecure: bool) -> list[tuple[str, Key]]:
    """Keys, each with the name of its file; those of a key set with their kid, too."""
    found = []
    for path in paths:
        loaded = load_any(path, keyfiles.ask(path), insecure=insecure)
        if isinstance(loaded, list):
            found += [(f"{path} {kid_text(key.kid or b'')}", key) for key in loaded]
        else:
            found.append((path, loaded))
    return found


def _say_place(output: Output, found: Inspection, offset: int, file: str) -> int:
    if not 0 <= offset < len(found.data):
        raise Problem(f"there is no byte {offset}, only {len(found.data)} bytes", file=file)
    text = place(found.lines, offset)
    output.emit({"file": file, "offset": offset, "place": text}, Text(text))
    return 0


def _tree(found: Inspection, with_hex: bool) -> Text:
    parts: list[Text] = []
    for line in found.lines:
        parts.append(_line(line))
        if with_hex:
            parts += _hex(found, line)
    if found.checks:
        parts += [Text(), Text("Checks", "bold"), *map(_check, found.checks)]
    return Text("\n").join(parts)


def _line(line: Line) -> Text:
    style = "bold red" if line.is_right is False else STYLES[line.kind]
    text = Text.assemble(
        (f"{line.offset:06x} ", "blue"), (f"{line.extent:>7} ", "dim"), "  " * line.depth,
        (line.text, style),
    )  # fmt: skip
    return text.append(f"  {line.name}", "dim") if line.name else text


def _hex(found: Inspection, line: Line) -> list[Text]:
    data = found.bytes_of(line)
    indent = " " * 15 + "  " * line.depth
    rows = [Text(f"{indent}{data[n : n + 16].hex(' ')}", "dim")
            for n in range(0, min(len(data), HEX_MAX), 16)]  # fmt: skip
    if len(data) > HEX_MAX:
        rows.append(Text(f"{indent}... {len(data) - HEX_MAX:,} bytes more", "dim"))
    return rows


def _check(check: Check) -> Text:
    return Text.assemble((f"{check.offset:06x} ", "blue"), MARKS[check.is_right], check.text)
