#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Worst-case stack of each public function on Cortex-M0, bounded statically, for the builds of
portable C and with assembly.

Frames from gcc -fstack-usage (and from the pushes seen in the disassembly, for libgcc and
assembly), calls from the disassembly of the linked image. The stack of platform callbacks,
which are called through pointers, is the port's and counts as 0: the functions that call
them are printed. Recursion and frames of unknown size fail. Figures: build/now/stack.csv.

Painted figures (build/painted/*.csv, lines `function,bytes`, written by runs of the reference
device under QEMU) are compared with the bounds of that very image, whose frames are read from
its code: the largest must not be above its bound, nor more than 10 % below it. The others are
printed only, as the stack of the callbacks is in them.

usage: stack.py [--quiet]"""

import sys

import arm

TOLERANCE = 0.10
DEVICE = arm.OUT / "m0" / "boot.elf"


def painted():
    """{function: bytes}: the largest figure of all painted runs of this very source."""
    table = {}
    for path in sorted((arm.OUT / "painted").glob("*.csv")):
        if path.stat().st_mtime < arm.SOURCE.stat().st_mtime:
            print(f"  {path} is older than the source: make demo")
            continue
        for line in path.read_text().splitlines():
            name, size = line.split(",")
            table[name] = max(int(size), table.get(name, 0))
    return table


def compare():
    """Painted figures, callbacks included, against the device's bounds; a list of problems."""
    sizes = painted() if DEVICE.exists() else {}
    table = arm.functions(DEVICE, {}) if sizes else {}
    seen = sorted(((n, name) for name, n in sizes.items() if name in table), reverse=True)
    for size, name in seen:
        print(f"  painted {name}: {size}, bound {arm.worst(table, name)[0]}")
    if not seen:
        return []
    size, name = seen[0]
    bound = arm.worst(table, name)[0]
    if not (1 - TOLERANCE) * bound <= size <= bound:
        return [f"{name}: painted {size} bytes, not within 10 % below the bound {bound}"]
    return []


def of_section(table, number):
    """Largest sum of frames of one section's functions on any path: what it adds itself."""
    home = arm.section_of_name(arm.SOURCE.read_text())
    known = {}

    def own(name):
        if name not in known:
            known[name] = 0  # no recursion: arm.worst has seen to that
            f = table[name]
            frame = f.frame if home.get(arm.base(name)) == number else 0
            known[name] = frame + max((own(callee) for callee in f.calls), default=0)
        return known[name]

    return max(own(name) for name in table)


class Bounds:
    """What the public functions of one build may need at most."""

    def __init__(self, name, *flags):
        core = arm.compile_build(name, *flags)
        su = arm.frames(core)
        self.table = arm.functions(arm.link(core), su)
        self.chains = {f: arm.worst(self.table, f) for f in arm.exports(core)}
        self.top = max(self.chains, key=self.of)
        self.problems = [f"{name}: frame of unknown size: {f}" for f in su if su[f][1] != "static"]

    def of(self, function):
        return self.chains[function][0]


def show(plain, fast):
    print("Cortex-M0, gcc -Os; bytes of stack, callbacks not counted\nportable assembly")
    for f in sorted(fast.chains, key=lambda f: -fast.of(f)):
        print(f"  {plain.of(f):6} {fast.of(f):8}  {f}")
    for name, build in (("portable", plain), ("assembly", fast)):
        print(f"  the worst path, {name}, {build.of(build.top)} bytes:")
        for f in build.chains[build.top][1]:
            print(f"    {build.table[f].frame:5}  {f}")
    pointers = sorted(f.name for f in plain.table.values() if f.is_indirect)
    print(f"  callbacks are called by: {' '.join(pointers) or 'none'}")


def main():
    plain, fast = Bounds("portable"), Bounds("assembly")
    arm.record("stack", {"stack_worst": plain.of(plain.top), "stack_worst_asm": fast.of(fast.top),
                         "boot_stack": of_section(plain.table, 19)})
    problems = plain.problems + fast.problems
    if "--quiet" not in sys.argv[1:]:
        show(plain, fast)
        problems += compare()
    for p in problems:
        print(f"stack: FAIL {p}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
