#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/sizes.md, the tables of what picosuit costs, or with --check says whether it is
as the code is now."""

import csv
import sys
from pathlib import Path

import arm
import size
import stack

PAGE = Path("docs/sizes.md")
WHAT = {
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
OPTIONS = {  # macro: (build in which it matters, what 1 means)
    "ED25519_HALVES": ("assembly", "verification with scalars of half the size"),
    "ED25519_EXPANDED": ("assembly", "a key may be an expanded one, a table"),
    "AES_SLICED": ("assembly", "AES key unwrap on words instead of bytes"),
    "FIELD_UNROLLED": ("portable", "field arithmetic without loops"),
}


def flash(build, *flags):
    """Bytes of flash of a build with something changed, compiler support included."""
    core = arm.compile_build(build, *flags)
    return sum(n for _, n, file in arm.input_sections(arm.link(core))
               if file.endswith(core.name) or "libgcc" in file)


def table(heads, lines, left=1):
    rule = ["---"] * left + ["--:"] * (len(heads) - left)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (heads, rule, *lines))


def switches(whole):
    """What each switch costs: the difference when it alone is flipped."""
    for name in arm.SWITCHES:
        flip = 1 if name in OFF_BY_DEFAULT or name == "STRINGS" else 0
        other = flash("portable", f"-UPICOSUIT_WITH_{name}", f"-DPICOSUIT_WITH_{name}={flip}")
        yield f"`{name}`", 0 if name in OFF_BY_DEFAULT else 1, WHAT[name], abs(other - whole)


def options():
    """Flash and deepest stack with each option off and on."""
    for name, (build, what) in OPTIONS.items():
        flags = [f"-DPICOSUIT_{name}={value}" for value in (0, 1)]
        bounds = [stack.Bounds(build, flag) for flag in flags]
        yield (f"`PICOSUIT_{name}`", build, what, *(flash(build, flag) for flag in flags),
               *(b.of(b.top) for b in bounds))


def sections(builds):
    titles = {b[0]: b[1] for b in arm.source_sections(arm.SOURCE.read_text())}
    for n in sorted({n for b in builds for n in b.sizes}):
        title = titles.get(n, "(before the first section)")
        yield n, title, *(b.sizes.get(n, 0) for b in builds)
    yield "", "compiler support (libgcc)", *(b.support for b in builds)
    yield "", "**1 to 18, with compiler support**", *(b.total - b.boot for b in builds)
    yield "", "**everything**", *(b.total for b in builds)


def memory(bounds):
    """Context, work and stack together, for the updates whose work buffer is on record."""
    with open("bench/targets.csv", newline="") as f:
        now = {row["name"]: row["now"] for row in csv.DictReader(f)}
    context = size.sizeof("picosuit")
    for what, name in (("plain, manifest of 320 bytes", "work_plain"),
                       ("encrypted A/B, the demo's", "work_demo_ab")):
        if now.get(name):
            work = int(now[name])
            yield what, context, work, *(context + work + b.of(b.top) for b in bounds)


def page():
    builds = [size.Build(name) for name in ("portable", "assembly", "small")]
    bounds = [stack.Bounds(name) for name in ("portable", "assembly")]
    plain, fast = bounds
    lines = [(f"`{f}`", plain.of(f), fast.of(f)) for f in
             sorted(plain.chains, key=lambda f: (-plain.of(f), f))]
    return f"""# Sizes

Written by `make sizes`, checked in CI. Cortex-M0, gcc 12 `-Os`, linked with `--gc-sections`;
bytes. `bench/README.md` says how. Three builds:

- **portable**: C alone (`-DPICOSUIT_ASM=0`), default switches but for `STRINGS`, which is off;
- **assembly**: the same with the assembly that a compiler for ARMv6-M takes by itself;
- **small**: verifies and installs without encryption, no boot state:
  `{" ".join(arm.BUILDS["small"][:2])}` and every `PICOSUIT_WITH_` switch 0.

## Flash by section of `core/picosuit.c`

{table(["", "Section", "portable", "assembly", "small"], sections(builds), 2)}

## Memory of an update

The context is `sizeof(picosuit)`; the work buffer is the caller's, `PICOSUIT_WORK(wrapper,
manifest, components, depth)` in the header; the stack is the deepest of any public function,
callbacks not counted: {plain.of(plain.top)} with portable C, {fast.of(fast.top)} with assembly.

{table(["Update", "context", "work", "with stack, portable", "with stack, assembly"],
       memory(bounds))}

## Switches

What each `PICOSUIT_WITH_` costs in the portable build, when the others are as above.

{table(["Switch", "default", "what it is for", "flash"],
       switches(builds[0].total), 3)}

## Options

Macros that trade flash and stack for time; `make cycles` tells the time.

{table(["Macro", "build", "1 means", "flash: 0", "1", "stack: 0", "1"], options(), 3)}

## Stack of the public functions

{table(["Function", "portable", "assembly"], lines)}
"""


def main():
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"sizes: FAIL {PAGE} is not up to date, run `make sizes`")


if __name__ == "__main__":
    main()
