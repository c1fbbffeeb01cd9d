#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make power`: cuts the power at every flash operation of the real boot state; power.h says how,
docs/boot.md what has to hold. Two processes at a time (JOBS=n). Also builds the known-bad variants
of power_mutants.py and wants each of them caught. Exit status 0 only if all is as it has to be.
With --doc the summary is written to docs/boot.md. Figures: build/now/power.csv."""

import concurrent.futures
import datetime
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import power_mutants

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("O", "build")) / "power"
CC = os.environ.get("CC", "cc").split()
RIG = ["power.c", "power_flash.c", "power_device.c", "power_check.c"]
CALL = "key_len == 32 ? ed25519_verify("  # of the keys without tables
DECLARATION = """#include <stddef.h>
#include <stdint.h>
int power_verify(const uint8_t *sig, const uint8_t *key, const uint8_t *data, size_t len);
"""
LEAST = 1_000_000  # cut cases

# Unlimited cuts: until no new state is found.
ANY = "cuts=200"
SCRIPTS = ("life", "both", "keys", "replace", "first")


def small():
    """Three pages: L0 and L1 to any depth, L2 two deep; plain resets on top with one cut less."""
    for script in SCRIPTS:
        yield f"script={script} level=0 {ANY}"
        yield f"script={script} level=1 cuts=3"
        yield f"script={script} level=2 cuts=2"
        yield f"script={script} level=1 cuts=1 resets=1"
        yield f"script={script} level=2 cuts=1 resets=1"
    yield f"script=first level=1 {ANY}"
    for unit, erased in ((2, 0xff), (4, 0), (8, 0)):
        yield f"script=life unit={unit} erased={erased} level=1 cuts=2"
        yield f"script=life unit={unit} erased={erased} level=2 cuts=2"


def two_pages():
    """Two pages: L0 and L1 two deep, L2 one."""
    for script in SCRIPTS:
        yield f"journal=2 script={script} level=0 cuts=2"
        yield f"journal=2 script={script} level=1 cuts=2"
        yield f"journal=2 script={script} level=2 cuts=1"
        yield f"journal=2 script={script} level=1 cuts=1 resets=1"
    yield "journal=2 script=life unit=4 erased=0 level=2 cuts=1"


def full():
    """An image of several pages, each geometry, one cut at every operation."""
    for pages in ("page=1024 image=6 manifest=1", "page=4096 image=2 manifest=1"):
        for unit in (2, 4, 8):
            for erased in (0, 0xff):
                for level in (0, 1, 2):
                    yield f"script=full {pages} unit={unit} erased={erased} level={level} cuts=1"


# Beyond what the journal promises, the loss has to be found: else the rig is blind.
LOSSES = ["script=life level=2 cuts=3 journal_only=1 loss=1",
          "script=life journal=2 level=2 cuts=2 journal_only=1 loss=1"]
FLEET = ["script=fleet devices=600", "script=fleet devices=600 unit=4 erased=0",
         "script=fleet devices=600 journal=2 unit=2"]
# A mutant is tried with these, in this order, until it is caught.
HUNT = ["script=life level=0 cuts=1 no_legal=1", "script=life level=0 cuts=1",
        "script=keys level=0 cuts=1", "script=replace level=0 cuts=1",
        "script=life level=1 cuts=1", "script=life level=2 cuts=1 resets=1",
        "script=life level=2 cuts=2"]


def build(name, mutate):
    """One program from the core with its one call of Ed25519 led through the rig's memory."""
    OUT.mkdir(parents=True, exist_ok=True)
    sources = []
    for path in (power_mutants.CORE, power_mutants.SLOTS):
        text = (ROOT / path).read_text()
        if path == power_mutants.CORE:
            if text.count(CALL) != 1:
                sys.exit(f"power: {text.count(CALL)} calls of Ed25519 in {path}, 1 expected")
            text = text.replace(CALL, CALL.replace("ed25519", "power"))
        if mutate:
            text = power_mutants.patched(path, text)
        sources.append(OUT / f"{name}_{Path(path).name}")
        sources[-1].write_text(DECLARATION + text)
    sources += [ROOT / "vectors/test" / f for f in RIG]
    program = OUT / name
    subprocess.run([*CC, "-std=c99", "-O2", "-w", "-DPICOSUIT_EXPOSE_PRIMITIVES=1",
                    f"-I{ROOT}/core", f"-I{ROOT}/bench/m0", f"-I{ROOT}/vectors/test",
                    "-o", program, *sources], check=True)
    return program.resolve()


def run(program, arguments, **more):
    start = time.monotonic()
    words = [program, *arguments.split(), *(f"{k}={v}" for k, v in more.items())]
    r = subprocess.run([str(w) for w in words], capture_output=True, text=True, cwd=ROOT)
    return arguments, r, time.monotonic() - start


def figures(text):
    m = re.search(r"(\d+) cases, (\d+) states, (\d+) updates, (\d+) violations", text)
    return [int(n) for n in m.groups()] if m else [0, 0, 0, 1]


SUMMARY = []


def say(line):
    """A line of the summary."""
    SUMMARY.append(line)
    print(line, flush=True)


def record(cases, updates):
    path = OUT.parent / "now" / "power.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"power_cases,{cases}\npower_endurance,{updates}\n")


def write_doc():
    page = ROOT / "docs" / "boot.md"
    compiler = subprocess.run([*CC, "--version"], capture_output=True, text=True).stdout
    head = f"`make power-doc`, {compiler.splitlines()[0]}, {datetime.date.today()}:"
    block = "\n".join([head, "", "```text", *SUMMARY, "```"])
    text, n = re.subn(r"(<!-- power:begin[^\n]*-->\n).*?(<!-- power:end -->)",
                      lambda m: m[1] + block + "\n" + m[2], page.read_text(), flags=re.S)
    if n != 1:
        sys.exit(f"power: no place for the summary in {page}")
    page.write_text(text)


def prove(pool, program, kind, table):
    """Runs that must have no violation. Returns cases, states, updates, violations."""
    total = [0, 0, 0, 0]
    slow = sorted(table, key=lambda a: ("unit=2" in a, ANY in a, "cuts=3" in a), reverse=True)
    for arguments, r, seconds in pool.map(lambda a: run(program, a), slow):
        numbers = figures(r.stdout)
        failed = r.returncode != 0 or numbers[3] != 0
        numbers[3] = max(numbers[3], int(failed))
        total = [a + b for a, b in zip(total, numbers)]
        if failed or os.environ.get("V"):
            verdict = "FAIL" if failed else "ok"
            print(f"{verdict} {arguments} ({seconds:.1f} s)\n{r.stdout}{r.stderr}", flush=True)
    say(f"{kind}: {len(table)} runs, {total[0]} cut cases, {total[1]} states, "
        f"{total[2]} updates, {total[3]} violations")
    return total


def find_losses(pool, program):
    """Runs that must find a violation; what they find is printed. Returns how many did not."""
    missed = 0
    for arguments, r, _ in pool.map(lambda a: run(program, a), LOSSES):
        found = r.returncode == 3
        missed += not found
        say(f"{'loss found' if found else 'FAIL no loss found'}, as it has to be: {arguments}")
        print("".join(f"    {line}\n" for line in r.stdout.splitlines()[:12]), end="", flush=True)
    return missed


def hunt(program, number):
    for arguments in HUNT:
        _, r, _ = run(program, arguments, mutant=number, loss=1)
        if r.returncode == 3:
            return arguments, r.stdout.splitlines()[0]
    return None


def hunt_all(pool, program):
    caught = 0
    names = [m[0] for m in power_mutants.MUTANTS]
    for name, found in zip(names, pool.map(lambda n: hunt(program, n), range(1, len(names) + 1))):
        caught += found is not None
        verdict = f"mutant caught: {name}: {found[1]} ({found[0]})" if found else ""
        print(verdict or f"FAIL mutant not caught: {name}", flush=True)
    return caught, len(names)


def main():
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        good, bad = pool.map(lambda a: build(*a), [("power", False), ("power_mutants", True)])
        parts = [prove(pool, good, kind, list(table)) for kind, table in (
            ("small geometry, three pages", small()), ("two pages", two_pages()),
            ("full geometry", full()), ("endurance", FLEET))]
        missed = find_losses(pool, good)
        caught, mutants = hunt_all(pool, bad)
    cases, states, _, failed = (sum(column) for column in zip(*parts[:3]))
    failed += parts[3][3]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time")
    if cases < LEAST:
        print(f"FAIL fewer than {LEAST} cut cases")
    say(f"power: {cases} cut cases, {states} states, {failed} violations, "
        f"{caught} of {mutants} mutants caught")
    record(cases, parts[3][2])
    is_bad = failed != 0 or missed != 0 or caught != mutants or cases < LEAST
    if "--doc" in sys.argv[1:] and not is_bad:
        write_doc()
    return is_bad


if __name__ == "__main__":
    sys.exit(main())
