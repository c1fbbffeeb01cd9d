# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from ..author import check as checks
from ..author import lint, profile
from ..author.check import ACCEPTED, REFUSED, UNSEEN, Refusal, Result, Run
from ..author.cost import Estimate
from ..author.envelope import Envelope
from ..author.phrases import count, safe, size
from ..author.problem import Problem
from ..author.push import file_name
from ..author.virtual import VirtualDevice
from . import keyfiles
from .output import Output, read_file

FINDINGS_MAX = 40  # that are printed
PASSES = 4  # times that a byte of payload moves: written, read by up to three image-matches
STYLE = {ACCEPTED: "bold green", UNSEEN: "bold yellow", REFUSED: "bold red", "error": "bold red",
         "warning": "bold yellow"}  # fmt: skip


@click.command("check")
@click.argument("file", metavar="ENVELOPE", type=click.Path())
@click.option("--profile", "device", required=True, metavar="FILE", type=click.Path(),
              help="Device profile, TOML.")
@click.option("--payload", "payloads", multiple=True, metavar="URI=FILE",
              help="File with the payload of a URI; may be given several times.")  # fmt: skip
@click.option("--payload-dir", type=click.Path(file_okay=False, exists=True, path_type=Path),
              help="Folder for payloads of other URIs: .../app.bin is its file app.bin.")
@click.option("--device-key", "private", multiple=True, metavar="FILE", type=click.Path(),
              help="Private key of a device, to decrypt with.")  # fmt: skip
@click.option("--previous", metavar="ENVELOPE|NUMBER",
              help="The update before this one, or its sequence number.")  # fmt: skip
@click.option("--capabilities", metavar="FILE", type=click.Path(),
              help="SUIT_Capability_Report of the device, CBOR.")
@click.option("--strict", is_flag=True, help="Warnings, and what could not be checked, count, too.")
@keyfiles.insecure_option
@click.pass_obj
def command(
    out: Output, file: str, device: str, payloads: tuple[str, ...], payload_dir: Path | None,
    private: tuple[str, ...], previous: str | None, capabilities: str | None, strict: bool,
    insecure: bool,
) -> int:  # fmt: skip
    """Run an envelope on a virtual device: what would the device in FILE do with it?

    The same C code as on the device takes the update, for each slot, and boots it. Said are
    verdict and error, memory, flash work, time on a Cortex-M0, and what an author should not have
    written. Payloads that are not in ENVELOPE are given with --payload.

    Exit status: 0 accepted, 1 refused or an error found, 2 bad input.
    """
    data = read_file(file)
    about = profile.load(device)
    given = dict(_payload(text) for text in payloads)
    device_keys = [_device_key(path, n, insecure) for n, path in enumerate(private)]
    before = None if previous is None else _previous(previous)
    able = None if capabilities is None else lint.capabilities(read_file(capabilities),
                                                               capabilities)  # fmt: skip
    devices: list[VirtualDevice] = []
    with out.watching("checking", PASSES * (len(data) + sum(map(len, given.values()))),
                      lambda: sum(_moved(one) for one in devices)):  # fmt: skip
        result = checks.check(
            data, file, about, lambda uri: _find(uri, given, payload_dir),
            device_keys=device_keys, previous=before, capabilities=able, devices=devices,
        )  # fmt: skip
    _readable(data, file, result)
    out.emit({"file": file} | checks.as_data(result), _text(file, result))
    is_bad = result.verdict == REFUSED or result.has_errors
    return int(is_bad or (strict and (result.verdict != ACCEPTED or bool(result.findings))))


def _moved(device: VirtualDevice) -> int:
    return device.counters.bytes_written + device.counters.bytes_read


def _payload(given: str) -> tuple[str, bytes]:
    uri, equals, name = given.rpartition("=")
    if not equals or not uri:
        raise Problem(f"--payload {given}: not URI=FILE")
    return uri, read_file(name)


def _find(uri: str, given: dict[str, bytes], folder: Path | None) -> bytes | None:
    name = file_name(uri)
    if uri not in given and folder is not None and name and (folder / name).is_file():
        given[uri] = read_file(folder / name)
    return given.get(uri)


def _device_key(path: str, n: int, insecure: bool) -> profile.DeviceKey:
    key = keyfiles.load_private(path, insecure)
    if key.alg not in profile.DEVICE_ALGORITHMS.values():
        raise Problem(f"holds a key for {key.name}, wanted is one for decryption", file=path)
    assert key.secret is not None
    return profile.DeviceKey(key.secret, key.alg, 0, 0xFF00 + n, key.kid, path)


def _previous(text: str) -> lint.Previous:
    if text.isascii() and text.isdigit():
        if len(text) > 20 or int(text) > lint.SEQUENCE_MAX:
            raise Problem(f"--previous {text}: a sequence number has 64 bits")
        return lint.Previous(int(text), "--previous")
    return lint.Previous(Envelope(read_file(text), text).sequence, text)


def _readable(data: bytes, file: str, result: Result) -> None:
    """What is no envelope is bad input, not an answer of the device: one line, what the device
    would say included."""
    try:
        Envelope(data, file)
    except Problem as e:
        refusal = result.runs[0].refusal
        if refusal is not None:
            e.hint = f"the device answers {refusal.name} at byte {refusal.offset}"
            raise e from None


# -- text ---------------------------------------------------------------------------------------


def _text(file: str, result: Result) -> RenderableType:
    lines = [_line(("", safe(f"{file} on {result.profile.name}: ")),
                   (STYLE[result.verdict], result.verdict))]  # fmt: skip
    if result.sequence is not None:
        by = f", signed by {safe(result.signer)}" if result.signer else ""
        lines.append(_line(("", f"  sequence number {result.sequence:,}{by}")))
    for run in result.runs:
        lines += _run(run, result)
    lines += _memory(result)
    for finding in result.findings[:FINDINGS_MAX]:
        place = result.places.get(finding.offset or -1)
        where = "" if finding.offset is None else f" at byte {finding.offset:,}"
        hint = f" ({finding.hint})" if finding.hint else ""
        lines.append(_line((STYLE[finding.severity], f"{finding.severity} {finding.name}"),
                           ("", safe(f"{where}: {finding.what}{hint}", 400))))  # fmt: skip
        if place:
            lines.append(_line(("dim", f"    there: {safe(place, 300)}")))
    if len(result.findings) > FINDINGS_MAX:
        more = len(result.findings) - FINDINGS_MAX
        lines.append(_line(("", f"and {count(more, 'finding')} more, see --json")))
    return Group(*lines)


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((text, style) for style, text in parts))


def _run(run: Run, result: Result) -> list[Text]:
    title = "update" if run.slot is None else f"update into slot {run.slot}"
    lines = [_line(("", f"  {title}: "), (STYLE[run.verdict], run.verdict))]
    if run.refusal is not None:
        return lines + _refusal(run.refusal)
    lines += [_line(("yellow", f"    not checked: {safe(what)}")) for what in run.unseen]
    is_plan = " (planned)" if run.unseen else ""
    lines.append(_line(("", f"    receives {size(run.received)}{is_plan}")))
    pages = count(run.erased, "page")
    written = ", ".join(f"{safe(name)} {size(n)}" for name, n in run.written.items()) or "nothing"
    lines.append(_line(("", f"    writes {written if not run.unseen else size(run.programmed)}; "
                        f"erases {pages}{is_plan}")))  # fmt: skip
    waits = "" if run.flash_seconds is None else f", and {run.flash_seconds:.2f} s of flash"
    if run.update is not None:
        lines.append(_line(("", f"    takes {_time(run.update)}{waits}")))
    if run.boot is not None:
        lines.append(_line(("", f"    check at each boot: {_time(run.boot)}")))
    return lines


def _time(estimate: Estimate) -> str:
    parts = sorted(estimate.parts.items(), key=lambda part: -part[1])
    whole = max(1, estimate.cycles)
    most = ", ".join(f"{name} {100 * n // whole} %" for name, n in parts[:3] if n)
    return (f"about {estimate.cycles / 1e6:.2f} million cycles, {estimate.seconds:.2f} s at "
            f"{estimate.mhz:g} MHz ({most})")  # fmt: skip


def _refusal(refusal: Refusal) -> list[Text]:
    facts: list[tuple[str, Any]] = [("section", refusal.section), ("component", refusal.component),
                                    ("", refusal.label_name)]  # fmt: skip
    if refusal.platform:
        facts.append(("answer of the device", refusal.platform))
    where = ", ".join(f"{name} {value}".strip() for name, value in facts if value not in (None, ""))
    when = " when it boots" if refusal.during == "boot" else ""
    lines = [_line(("bold", f"    {refusal.name}"),
                   ("", f" at byte {refusal.offset:,}{when}: {refusal.words}"))]  # fmt: skip
    if where:
        lines.append(_line(("", f"    {safe(where)}")))
    if refusal.place:
        lines.append(_line(("", f"    there: {safe(refusal.place, 300)}")))
    return lines


def _memory(result: Result) -> list[Text]:
    about = result.profile
    stack = "" if about.stack is None else f" of {about.stack:,}"
    style = "" if result.work <= about.work else "red"
    lines = [_line(("", f"  memory: context {profile.CONTEXT}, work "),
                   (style, f"{result.work:,} of {about.work:,}"),
                   ("", f", stack {result.stack:,}{stack}: {result.ram:,} bytes of RAM"))]
    if result.updates is not None:
        lines.append(_line(("", f"  flash endures {result.updates:,} such updates")))
    return lines
