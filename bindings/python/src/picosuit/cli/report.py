# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterable

import click
from rich.console import Group
from rich.text import Text

from ..author import link as frames
from ..author import report as reports
from ..author.link import Link, open_port, printable
from ..author.problem import Problem
from .output import Output, read_file

_QUERIES = (("transfer", frames.Q_REPORT), ("boot", frames.Q_BOOT),
            ("capabilities", frames.Q_CAPS))  # fmt: skip


@click.command("report")
@click.argument("file", required=False, type=click.Path())
@click.option("--port", metavar="PORT",
              help="Ask a device: serial port, unix:PATH, or tcp:HOST:PORT.")
@click.option("--baud", default=115200, show_default=True, type=click.IntRange(min=1),
              help="Speed of a serial port.")
@click.option("--timeout", default=3.0, show_default=True, metavar="SECONDS",
              type=click.FloatRange(min=0.05, max=3600), help="Silence after which to ask again.")
@click.pass_obj
def command(
    out: Output, file: str | None, port: str | None, baud: int, timeout: float
) -> None:
    """Explain a report of a device: SUIT_Report or SUIT_Capability_Report.

    From a FILE, or from the device at --port: the last transfer, the boot state and what the
    device can do. Nothing here protects a report on its way.
    """
    if (file is None) == (port is None):
        raise click.UsageError("give either a file or --port")
    if file is not None:
        report = reports.read(read_file(file, frames.REPORT_MAX), file)
        out.emit(reports.as_data(report), rows(reports.in_words(report)))
        return
    assert port is not None  # for mypy: checked above
    found = {name: reports.read(data, f"{port}: report {name}")
             for name, data in _ask(port, baud, timeout).items()}  # fmt: skip
    parts = [(Text(name, style="bold"), rows(reports.in_words(report)))
             for name, report in found.items()]  # fmt: skip
    out.emit({name: reports.as_data(report) for name, report in found.items()},
             Group(*(part for pair in parts for part in pair)))  # fmt: skip


def _ask(port: str, baud: int, timeout: float) -> dict[str, bytes]:
    """All reports that the device has."""
    transport = open_port(port, baud)
    try:
        link = Link(transport, timeout=timeout)
        link.sync()
        found = {name: link.report(query) for name, query in _QUERIES}
    except Problem as problem:
        raise problem.within(port) from None
    finally:
        transport.close()
    return {name: data for name, data in found.items() if data}


def rows(lines: Iterable[tuple[str, str]], style: str = "") -> Text:
    """Titles and texts side by side; `style` is that of the first text. What comes from devices
    is shown, never obeyed."""
    lines = list(lines)
    width = max((len(title) for title, _ in lines), default=0)
    text = Text()
    for n, (title, words) in enumerate(lines):
        text.append("\n" * bool(n) + f"  {title:{width}}  ")
        text.append(printable(words), style if n == 0 else "")
    return text
