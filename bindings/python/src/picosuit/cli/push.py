# SPDX-License-Identifier: MIT
from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.progress import Progress
from rich.text import Text

import picosuit

from ..author import names, words
from ..author import report as reports
from ..author.envelope import Envelope
from ..author.link import Need, Result, open_port, printable
from ..author.problem import Problem
from ..author.push import Outcome, Payloads, Push, Watcher
from ..author.report import Report
from .output import Output, read_file
from .report import rows

_E = picosuit.Code
_IN_PAYLOAD = (_E.E_FETCH, _E.E_LENGTH, _E.E_DECRYPT, _E.E_CAPACITY)  # `platform` is a position


@click.command("push")
@click.argument("file", metavar="ENVELOPE", type=click.Path())
@click.option("--port", required=True, metavar="PORT",
              help="Serial port, unix:PATH, or tcp:HOST:PORT.")
@click.option("--baud", default=115200, show_default=True, type=click.IntRange(min=1),
              help="Speed of a serial port.")
@click.option("--payload", "payloads", multiple=True, metavar="URI=FILE",
              help="File with the payload of a URI; may be given several times.")
@click.option("--payload-dir", type=click.Path(file_okay=False, exists=True, path_type=Path),
              help="Folder for payloads of other URIs: .../app.bin is its file app.bin.")
@click.option("--timeout", default=10.0, show_default=True, metavar="SECONDS",
              type=click.FloatRange(min=0.05, max=3600),
              help="Silence after which bytes are sent again.")
@click.option("--retries", default=5, show_default=True, type=click.IntRange(min=0),
              help="How often a transfer that was cut is started again.")
@click.option("--reset", is_flag=True, help="Start the update that was installed.")
@click.option("--unchecked", is_flag=True,
              help="Send the file even if it is no envelope: to see the device refuse it.")
@click.pass_obj
def command(
    out: Output, file: str, port: str, baud: int, payloads: tuple[str, ...],
    payload_dir: Path | None, timeout: float, retries: int, reset: bool, unchecked: bool,
) -> int:  # fmt: skip
    """Send an update to a device, and explain its answer.

    The device asks for payloads that are not in ENVELOPE by their URI. A transfer that is cut, by
    the cable or by a reset of the device, goes on where it was.

    Exit status: 0 installed, 1 the device refused it, 2 bad input or no device.
    """
    data = read_file(file)
    envelope = None if unchecked else Envelope(data, file)
    # A device cannot rewind: what went by in the envelope before its turn it asks for, too.
    inside = {} if envelope is None else {
        key: item.content for key, item in envelope.payloads.items()}  # fmt: skip
    source = Payloads(inside | dict(_payload(given) for given in payloads), payload_dir)
    with out.progress() as bar:
        push = Push(partial(open_port, port, baud), data, source, timeout=timeout,
                    retries=retries, reset=reset, watcher=_Screen(out, bar, file))  # fmt: skip
        try:
            outcome = push.run()
        except Problem as problem:
            raise problem.within(port) from None
    out.emit(_data(outcome, envelope), _text(outcome, envelope))
    return 0 if outcome.is_installed else 1


def _payload(given: str) -> tuple[str, bytes]:
    # From the right: a URI may have a query, and few names of files hold the character.
    uri, equals, name = given.rpartition("=")
    if not equals or not uri:
        raise Problem(f"--payload {given}: not URI=FILE")
    return uri, read_file(name)


class _Screen(Watcher):
    def __init__(self, out: Output, bar: Progress, title: str) -> None:
        self._out, self._bar = out, bar
        self._task = bar.add_task(Path(title).name, total=None)

    def progress(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        if text:
            self._out.note(Text(f"device: {text}", style="dim"))

    def note(self, text: str) -> None:
        self._out.note(Text(printable(text), style="yellow"))


# -- the answer --------------------------------------------------------------------------------


def _text(outcome: Outcome, envelope: Envelope | None) -> Group:
    result = outcome.result
    attempts = "" if outcome.attempts == 1 else f" in {outcome.attempts} attempts"
    lines = [("result", _verdict(result)), ("sent", f"{outcome.sent} bytes{attempts}")]
    if result.code != 0:
        lines[1:1] = _where(result, envelope)
    if outcome.info is not None:
        lines.append(("authenticated", f"sequence number {outcome.info.sequence}, "
                      f"by key {outcome.info.signer}"))  # fmt: skip
    lines += [("asked for", _need(need)) for need in outcome.needs]
    colour = "green" if outcome.is_installed else "red"
    parts: list[RenderableType] = [rows(lines, colour)]
    for title, report in (("Report of the transfer", outcome.report),
                          ("Report of the boot state", outcome.boot)):
        if report is not None:
            parts += [Text(title, style="bold"), rows(reports.in_words(report))]
    parts += [Text(fault, style="yellow") for fault in outcome.faults]
    return Group(*parts)


def _verdict(result: Result) -> str:
    if result.code == 0:
        return "installed"
    return f"refused: {reports.code_name(result.code)}, {picosuit.strerror(result.code)}"


def _where(result: Result, envelope: Envelope | None) -> list[tuple[str, str]]:
    lines = [("at", f"byte {result.offset} of the envelope")]
    if envelope is not None:
        lines.append(("there is", words.at(envelope, result.offset)))
    if result.section:
        where = reports.section_name(result.section)
        if result.component != reports.NONE:
            where += f", component {result.component}"
        lines.append(("in", where))
    if result.label:
        lines.append(("label", _label(result)))
    if result.code in _IN_PAYLOAD:
        lines.append(("payload", f"was read up to byte {result.platform}"))
    elif result.platform:
        lines.append(("platform", f"answer {result.platform} of the port"))
    return lines


def _label(result: Result) -> str:
    if result.code == _E.E_ROOM:
        return f"{result.label} bytes of work buffer are needed"
    name = reports.label_name(result.code, result.label, result.section)
    return f"{result.label} ({name or names.name_of(names.MEMBERS, result.label)})"


def _need(need: Need) -> str:
    start = f", from byte {need.offset} on" if need.offset else ""
    return f"{need.uri!r} for component {need.component}{start}"


def _data(outcome: Outcome, envelope: Envelope | None) -> dict[str, object]:
    result = outcome.result

    there = words.at(envelope, result.offset) if envelope is not None and result.code else None

    def report(of: Report | None) -> object:
        return None if of is None else reports.as_data(of)

    return {
        "installed": outcome.is_installed,
        "result": vars(result) | {"name": reports.code_name(result.code),
                                  "text": picosuit.strerror(result.code), "there": there},
        "sent": outcome.sent,
        "attempts": outcome.attempts,
        "payloads": [vars(need) for need in outcome.needs],
        "authenticated": None if outcome.info is None else vars(outcome.info),
        "report": report(outcome.report),
        "boot_report": report(outcome.boot),
        "faults": outcome.faults,
        "device_text": outcome.lines,
    }  # fmt: skip
