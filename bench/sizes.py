#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/sizes.md, the tables of what picosuit costs, or with --check says whether it is
as the code is now."""

import sys
from pathlib import Path

import arm
import size

PAGE = Path("docs/sizes.md")
SWITCHES = {
    "ENCRYPTION": "encryption-info, X25519, AES key wrap, ChaCha20-Poly1305",
    "MAC": "COSE_Mac0",
    "SEVERED": "severable members in the envelope",
    "INTEGRATED": "payloads in the envelope",
    "SLOTS": "condition component-slot",
    "SWAP": "directive swap",
    "REPORT": "SUIT_Report and capability report",
    "BOOT": "boot state",
    "STRINGS": "texts of `picosuit_strerror`",
}
OFF_BY_DEFAULT = {"SWAP"}


def build(name, *flags):
    """(bytes of flash with compiler support, largest stack, the image's object and elf)."""
    core = arm.compile_default(name, *flags)
    elf = arm.link(core)
    flash = sum(n for _, n, file in arm.input_sections(elf)
                if file.endswith(core.name) or "libgcc" in file)
    table = arm.functions(elf, arm.frames(core))
    bounds = {f: arm.worst(table, f)[0] for f in arm.exports(core)}
    return flash, bounds, core, elf


def rows(lines):
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def page():
    flash, bounds, core, elf = build("default", "-DPICOSUIT_WITH_STRINGS=0")
    sections, support, _ = size.by_section(elf, core)
    titles = {b[0]: b[1] for b in arm.source_sections(arm.SOURCE.read_text())}
    costs = []
    for name, what in SWITCHES.items():
        flip = 1 if name in OFF_BY_DEFAULT or name == "STRINGS" else 0
        other = build(f"flip-{name}", "-DPICOSUIT_WITH_STRINGS=0",
                      f"-UPICOSUIT_WITH_{name}", f"-DPICOSUIT_WITH_{name}={flip}")[0]
        costs.append((f"`{name}`", 0 if name in OFF_BY_DEFAULT else 1, what, abs(other - flash)))
    smallest = build("all-off", *[f"-DPICOSUIT_WITH_{name}=0" for name in SWITCHES])[0]
    return f"""# Sizes

Written by `make sizes`, checked in CI. Cortex-M0, gcc 12 `-Os`, portable C
(`-DPICOSUIT_ASM=0`), default switches but for `STRINGS`, which is off; linked with
`--gc-sections`. `bench/README.md` says how.

| | bytes |
|---|--:|
| flash, everything, with what libgcc adds | {flash} |
| flash, all switches off | {smallest} |
| context, `sizeof(picosuit)` | {size.sizeof("picosuit")} |
| deepest stack of any public function, callbacks not counted | {max(bounds.values())} |

The work buffer is the caller's: `PICOSUIT_WORK(wrapper, manifest, components, depth)` in
the header.

## Flash by section of `core/picosuit.c`

| | Section | bytes |
|--:|---|--:|
{rows((n, titles.get(n, "(before the first section)"), sections[n]) for n in sorted(sections))}
| | compiler support (libgcc) | {support} |

## Switches

What each `PICOSUIT_WITH_` costs, when the others are as above.

| Switch | default | what it is for | flash |
|---|--:|---|--:|
{rows(costs)}

## Stack of the public functions

| Function | bytes |
|---|--:|
{rows((f"`{f}`", bounds[f]) for f in sorted(bounds, key=lambda f: (-bounds[f], f)))}
"""


def main():
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"sizes: FAIL {PAGE} is not up to date, run `make sizes`")


if __name__ == "__main__":
    main()
