# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ..author import describe, ids
from ..author.describe import Created, Description
from ..author.envelope import Envelope
from ..author.phrases import safe
from ..author.problem import Problem
from .output import Output, read_file

STEP = 1000  # how far a sequence number may jump
LINE_MAX = 1000  # characters of a line of the summary


@click.command("create")
@click.argument("description", type=click.Path(dir_okay=False))
@click.option("-o", "--output", metavar="FILE", type=click.Path(),
              help="File to write; by default DESCRIPTION.suit.")
@click.option("--sequence", type=click.IntRange(0), help="Sequence number, instead of the file's.")
@click.option("--previous", metavar="OLD.suit", help="The update before this one: the sequence "
              "number must be above its own, and not by more than --max-step.")  # fmt: skip
@click.option("--max-step", type=click.IntRange(1), default=STEP, show_default=True,
              help="How far the sequence number may jump from --previous.")  # fmt: skip
@click.pass_obj
def command(
    out: Output, description: str, output: str | None, sequence: int | None,
    previous: str | None, max_step: int,
) -> None:  # fmt: skip
    """Make an unsigned envelope from a DESCRIPTION in TOML.

    The same description and payloads give the same bytes on every machine.
    """
    before = None if previous is None else Envelope(read_file(previous), previous)
    if output is None and description == "-":
        raise click.UsageError("a description from standard input needs -o FILE")
    inputs: list[str | Path] = [description] if previous is None else [description, previous]

    def read(path: Path) -> bytes:
        inputs.append(path)
        return read_file(path)

    made = describe.create(read_file(description), description, sequence=sequence, read=read)
    if before is not None:
        check_step(made.description, before, max_step)
    target = output or str(Path(description).with_suffix(".suit"))
    out.write({target: made.envelope}, inputs=inputs)
    for warning in made.description.warnings:
        out.note(Text(safe(f"warning: {warning}", LINE_MAX)))
    out.emit(summary(made, target), Text(words(made, target)))


def check_step(d: Description, before: Envelope, most: int) -> None:
    """Refuses a number that devices would refuse, and one that would lock out what follows.
    Source: RFC 9124 REQ.SEC.SEQUENCE; the attack is called fast-forward."""
    step = d.sequence - before.sequence
    if step <= 0:
        raise Problem(f"sequence number {d.sequence} is not above {before.sequence}, that of "
                      f"{before.file}", file=d.file, hint="devices would refuse it")  # fmt: skip
    if step > most:
        raise Problem(
            f"sequence number {d.sequence} is {step} above {before.sequence}, that of "
            f"{before.file}", file=d.file,
            hint=f"at most {most}: devices never go back, so a slip locks out every number below; "
            "--max-step allows more")  # fmt: skip


def summary(made: Created, target: str) -> dict[str, Any]:
    """What --json prints."""
    d = made.description
    return {
        "file": target,
        "sequence": d.sequence,
        "digest": made.digest,
        "vendor": d.vendor if isinstance(d.vendor, bytes) or d.vendor is None else d.vendor.value,
        "classes": d.classes,
        "devices": d.devices,
        "manifest_bytes": len(made.manifest),
        "envelope_bytes": len(made.envelope),
        "severable": made.severable,
        "components": [
            {
                "id": component.id,
                "name": component.name,
                "boot": component.is_booted,
                "payloads": [
                    {"slot": v.slot, "file": v.file, "bytes": v.size, "sha256": v.digest,
                     "uris": v.uris, "key": v.key}
                    for v in component.variants
                ],
            }
            for component in d.components
        ],
        "payloads": {key: len(data) for key, data in d.payloads.items()},
        "languages": sorted(d.text),
        "warnings": d.warnings,
    }  # fmt: skip


def words(made: Created, target: str) -> str:
    """The same for people."""
    d = made.description
    lines = [f"{target}: update {d.sequence}, {len(made.envelope):,} bytes, not signed yet"]
    lines.append(f"  for       {_who(d)}")
    for component in d.components:
        lines += _component(component)
    if d.text:
        place = "severable" if "text" in made.severable else "in the manifest"
        lines.append(f"  text      {', '.join(sorted(d.text))} ({place})")
    severable = [name for name in made.severable if name != "text"]
    if severable:
        lines.append(f"  severable {', '.join(severable)}")
    lines.append(f"  manifest  {len(made.manifest)} bytes, SHA-256 {made.digest.hex()}")
    return "\n".join(safe(line, LINE_MAX) for line in lines)


def _who(d: Description) -> str:
    if d.vendor is None:
        return "any device" if "any-device" in d.table.data else "whom the shared sequence names"
    vendor = str(d.vendor_name or ids.uuid_text(d.vendor))
    classes = d.class_names + [ids.uuid_text(value) for value in d.classes[len(d.class_names):]]
    who = f"{vendor}, class {' or '.join(classes)}" if classes else vendor
    if d.devices:
        who += ", device " + " or ".join(ids.uuid_text(value) for value in d.devices)
    return who


def _component(component: describe.Component) -> list[str]:
    name = ids.component_text(component.id)
    if "name" in component.table.data:
        name += f" ({component.name})"
    verb = "installs" if component.is_installed else "checks"
    lines: list[str] = []
    for variant in component.variants:
        slot = "" if variant.slot is None else f" slot {variant.slot}"
        if component.source is not None:
            verb = "loads"
        where = " from " + ", then ".join(
            f"{uri} in the envelope" if uri == variant.key else uri for uri in variant.uris)
        lines.append(f"  {verb:<9} {name}{slot}: {variant.size:,} bytes"
                     f"{f' of {variant.file}' if variant.file else ''}"
                     f"{where if variant.uris else ''}")  # fmt: skip
    if component.content is not None:
        lines.append(f"  writes    {name}: {len(component.content)} bytes")
    if component.source is not None and not component.variants:
        lines.append(f"  loads     {name} from {component.source.name}")
    if component.is_booted:
        lines.append(f"  boots     {name}")
    return lines
