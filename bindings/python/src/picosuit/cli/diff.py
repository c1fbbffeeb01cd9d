# SPDX-License-Identifier: MIT
from __future__ import annotations

import click
from rich.text import Text

from ..author.diff import Difference, diff
from ..author.envelope import Envelope
from .output import Output, read_file


@click.command("diff")
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@click.pass_obj
def command(output: Output, a: str, b: str) -> int:
    """Say what differs between the envelopes A and B, by meaning and not by bytes.

    Lines with - stand for A, with + for B. Exit status 0: they mean the same; 1: they differ;
    2: one of them is no envelope.
    """
    found = diff(*(Envelope(read_file(file), file) for file in (a, b)))
    output.emit({"a": a, "b": b, **found.data}, _text(found))
    return 0 if found.is_same else 1


def _text(found: Difference) -> Text:
    lines: list[Text] = []
    area = place = ""
    for change in found.changes:
        if change.area != area:
            lines.append(Text(change.area, "bold"))
            area, place = change.area, ""
        if change.place != place:
            lines.append(Text(f"  {change.place}"))
            place = change.place
        indent = "    " if place else "  "
        for sign, text, style in (("-", change.a, "red"), ("+", change.b, "green")):
            if text is not None:
                lines.append(Text(f"{indent}{sign} {text}", style))
    lines += [Text(f"note: {note}", "dim") for note in found.notes]
    return Text("\n").join(lines or [Text("the same bytes")])
