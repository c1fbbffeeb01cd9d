#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Worst-case stack of each public function on Cortex-M0, bounded statically.

Frames from gcc -fstack-usage (and from the pushes seen in the disassembly, for libgcc and
assembly), calls from the disassembly of the linked image. The stack of platform callbacks,
which are called through pointers, is the port's and counts as 0: the functions that call
them are printed. Recursion and frames of unknown size fail. Figures: build/now/stack.csv.

Painted figures (build/painted/*.csv, lines `function,bytes`, written by runs under QEMU) are
compared: the largest must not be above its bound, nor more than 10 % below it. The others
are printed only, as the stack of the callbacks is in them.

usage: stack.py [--quiet]"""

import sys

import arm

TOLERANCE = 0.10


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


def compare(static):
    """Painted figures, callbacks included, against their bounds; a list of problems."""
    seen = [(size, name) for name, size in painted().items() if name in static]
    for size, name in sorted(seen, reverse=True):
        print(f"  painted {name}: {size}, bound {static[name][0]}")
    if not seen:
        return []
    size, name = max(seen)
    bound = static[name][0]
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


def main():
    quiet = "--quiet" in sys.argv[1:]
    core = arm.compile_default("default", "-DPICOSUIT_WITH_STRINGS=0")
    su = arm.frames(core)
    table = arm.functions(arm.link(core), su)
    result = {f: arm.worst(table, f) for f in arm.exports(core)}
    top = max(result, key=lambda f: result[f][0])
    arm.record("stack", {"stack_worst": result[top][0], "boot_stack": of_section(table, 19)})
    problems = [f"frame of unknown size: {f}" for f in su if su[f][1] != "static"]
    if not quiet:
        print("Cortex-M0, gcc -Os, portable C; bytes of stack, callbacks not counted")
        for f in sorted(result, key=lambda f: -result[f][0]):
            print(f"  {result[f][0]:5}  {f}")
        print(f"  the worst path, {result[top][0]} bytes:")
        for f in result[top][1]:
            print(f"    {table[f].frame:5}  {f}")
        pointers = sorted(f.name for f in table.values() if f.is_indirect)
        print(f"  callbacks are called by: {' '.join(pointers) or 'none'}")
        problems += compare(result)
    for p in problems:
        print(f"stack: FAIL {p}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
