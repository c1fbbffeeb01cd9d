#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cycles, stack and text on Cortex-M0 and M0+: primitives, reception, procedures, whole
updates, growth. Writes build/bench/m0.json (bench/README.md has the keys) and compares the
counts with bench/counts.csv: they are exact, so any difference fails until it is accepted.

usage: bench.py            measure, compare
       bench.py --accept   measure, write bench/counts.csv
"""

from __future__ import annotations

import bisect
import csv
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import arm
import cycles

for module in ("cbor2", "cryptography"):
    if importlib.util.find_spec(module) is None:
        sys.exit(f"bench: FAIL needs the Python package {module}, see `make setup`")
import bench_make as make  # noqa: E402

DIR = arm.OUT / "bench"
COUNTS = Path("bench/counts.csv")
HERE = cycles.HERE
QUIET = "-DPICOSUIT_WITH_STRINGS=0"
BUILDS = {  # default switches but for STRINGS; of assembly, with scalars of half the size
    "asm": ["-DPICOSUIT_ASM=1"],
    "whole": ["-DPICOSUIT_ASM=1", "-DPICOSUIT_ED25519_HALVES=0"],
    "expanded": ["-DPICOSUIT_ASM=1", "-DPICOSUIT_ED25519_EXPANDED=1"],
    "portable": ["-DPICOSUIT_ASM=0"],
}
ONLY = {"expanded": ["ed25519_expanded"]}  # primitives: the others are those of asm
CORES = ("m0", "m0plus")
IMAGE = ["bench.c", "device_port.c", "device_slots.c", "device_text.c", "device_mem.c",
         "nrf51_flash.c"]
IMAGE_FLAGS = ["--param=min-pagesize=0", "-fno-tree-loop-distribute-patterns", "-Wall",
               "-Wextra", "-Wshadow"]
SIGNATURE = ("ed25519_verify", "ed25519_verify_expanded")
DRIVER = ("nrf51_flash_program", "nrf51_flash_erase")
HARNESS = {"stack_since", "semi_call", "note", "refill", "call_next", "transfer", "m0_cycles",
           "main", "prepare", "next_call", "calibrate"}
KIB = 1024
SLOT = [n * KIB for n in (1, 4, 16, 32, 64, 96)]
SINK = [n * KIB for n in (64, 128, 256, 512, 1024)]
TOLERANCE = 0.001  # see `straight`
PAIRS = {"components": 1000}  # identifiers are compared, 32 at most: no two may be equal
TAKEN = 2  # cycles that a taken conditional branch costs more, on M0
HEADS = 5000  # cycles: a longer head in the manifest, and one SHA-256 block for it
DURING = ("receive", "begin", "run")  # first frame to installed
FIGURES = ["group", "name", "build", "core", "cycles", "stack", "text"]


@dataclass
class Row:
    group: str
    name: str
    build: str
    core: str
    cycles: int
    stack: int | None = None
    text: int | None = None
    bytes: int | None = None
    x: int | None = None
    note: str = ""

    @property
    def key(self):
        name = self.name if self.x is None else f"{self.name}/{self.x}"
        return self.group, name, self.build, self.core


@dataclass
class Case:
    """An update to measure: mode of bench.c, what makes it, on which builds and cores."""

    mode: str
    make: object  # function: (envelope, payload, bytes of the manifest)
    builds: tuple = ("asm",)
    cores: tuple = ("m0",)
    x: int | None = None
    files: list = field(default_factory=list)
    manifest: int = 0


@dataclass
class Run:
    """What one run of the bench image told."""

    steps: dict = field(default_factory=dict)  # name: (cycles, stack, calls)
    signature: int = 0  # cycles inside signature checks
    driver: int = 0     # cycles inside the flash driver


# -- images --

def compile_image(build):
    """The bench image of a build."""
    out = DIR / build
    out.mkdir(parents=True, exist_ok=True)
    keys = DIR / "device_keys.h"
    r = subprocess.run([sys.executable, HERE / "device_keys.py", "vectors/keys.txt"],
                       capture_output=True, text=True, check=True)
    keys.write_text(r.stdout)
    subprocess.run([sys.executable, "vectors/make/expand_key.py", make.ROOT.public.hex(), "--c",
                    "bench_root", "-o", DIR / "bench_key.h"], check=True)
    script = DIR / "bench.ld"
    arm.run("gcc", *arm.CPU, "-E", "-P", "-x", "c", f"-I{HERE}", HERE / "bench.ld", "-o", script)
    arm.run("gcc", *arm.FLAGS, *BUILDS[build], QUIET, "-g", "-Icore", "-c", arm.SOURCE, "-o",
            out / "core.o")
    arm.run("gcc", *arm.FLAGS, *BUILDS[build], "-g", *IMAGE_FLAGS, "-Icore", f"-I{HERE}",
            f"-I{DIR}", "-nostartfiles", "-specs=nano.specs", "-Wl,--gc-sections,--fatal-warnings",
            "-T", script, HERE / "prim_start.S", HERE / "bench_start.S", HERE / "prim_io.c",
            *[HERE / name for name in IMAGE], out / "core.o", "-o", out / "bench.elf")
    return out / "bench.elf"


@functools.cache
def symbols(elf):
    """[(address, name)] of the functions of an image, by address."""
    lines = arm.run("nm", "-n", elf).splitlines()
    fields = [line.split() for line in lines]
    return [(int(f[0], 16) & ~1, f[2]) for f in fields
            if f[1] in "tTwW" and not f[2].startswith("$")]


def watched(elf):
    """{address: name} of the functions whose share is told."""
    table = {f"{at:x}": arm.base(name) for at, name in symbols(elf)}
    found = {at: name for at, name in table.items() if name in (*SIGNATURE, *DRIVER)}
    names = set(found.values())
    if not {*DRIVER, SIGNATURE[0]} <= names or len(names) < len(found):
        sys.exit(f"bench: FAIL watches {found}; see SIGNATURE and DRIVER in bench.py")
    return found


@functools.cache
def text_object(build):
    core = DIR / build / "text.o"
    arm.run("gcc", *arm.FLAGS, *BUILDS[build], QUIET, "-DPICOSUIT_EXPOSE_PRIMITIVES=1",
            "-Icore", "-c", arm.SOURCE, "-o", core)
    return core


@functools.cache
def text_of(build, *names):
    """Bytes of code and constants that a program links which calls these functions."""
    core = text_object(build)
    elf = DIR / build / "text.elf"
    arm.run("gcc", *arm.FLAGS, *arm.NOLIBC, "-nostdlib", "-Wl,--gc-sections,-e,_start",
            *[f"-Wl,-u,{name}" for name in names], f"-Wl,-Map,{elf.with_suffix('.map')}",
            "bench/nolibc.c", core, "-lgcc", "-o", elf)
    return sum(n for _, n, file in arm.input_sections(elf)
               if file.endswith(core.name) or "libgcc" in file)


# -- runs --

def simulate(elf, core, mode, files, *options):
    """Output lines of one run of the bench image."""
    words = ["bench", mode, *map(str, files)]
    cmd = [cycles.QEMU, "-M", "microbit", "-nographic", "-monitor", "none", "-serial", "null",
           "-semihosting-config",
           ",".join(["enable=on,target=native", *[f"arg={word}" for word in words]]),
           "-kernel", str(elf), "-plugin",
           ",".join([f"{cycles.DIR / 'cycles.so'},core={core},quiet=on", *options])]
    r = arm.emulate(cmd)
    lines = (r.stdout + r.stderr).splitlines()
    if r.returncode:
        sys.exit(f"bench: FAIL {' '.join(words)} on {core}, {elf.parent.name}: status "
                 f"{r.returncode}\n" + "\n".join(lines))
    return lines


def write_files(name, case):
    """Envelope and payload, into build/bench."""
    envelope, payload, case.manifest = case.make()
    case.files = [DIR / f"{name}.suit"]
    case.files[0].write_bytes(envelope)
    if payload:
        case.files.append(DIR / f"{name}.bin")
        case.files[1].write_bytes(payload)


def run_case(elf, core, mode, files):
    """What one update took; the shares are of the whole run."""
    names = watched(elf)
    run = Run()
    for line in simulate(elf, core, mode, files, *[f"watch={at}" for at in names]):
        name, *rest = line.split()
        if name != "watch":
            run.steps[name] = tuple(map(int, rest))
        elif "OPEN" in rest:
            sys.exit(f"bench: FAIL {names[rest[0]]} does not return to its caller")
        elif names[rest[0]] in SIGNATURE:
            run.signature += int(rest[2])
        else:
            run.driver += int(rest[2])
    return run


def check_shares():
    """The counter tells the share of a function whose cycles are known: 2,000 and its return."""
    elf = cycles.DIR / "calib.elf"
    at = next(at for at, name in symbols(elf) if name == "k_nop2000")
    for core, expected in (("m0", 2003), ("m0plus", 2002)):
        lines = [line for line in simulate(elf, core, "", [], f"watch={at:x}") if "watch" in line]
        if lines != [f"watch {at:x} 1 {expected}"]:
            sys.exit(f"bench: FAIL the counter's shares are off on {core}: {lines}")


# -- what is measured --

plain, encrypted = partial(partial, make.plain), partial(partial, make.encrypted)
ALL = tuple(BUILDS)
UPDATES = {
    "plain_64k": Case("s", plain(64 * KIB), ALL, CORES),
    "plain_64k_match_in_install": Case("s", plain(64 * KIB, is_twice=True)),
    "plain_64k_trusted": Case("t", plain(64 * KIB)),
    "plain_64k_by_uri": Case("s", plain(64 * KIB, is_inside=False)),
    "encrypted_64k": Case("s", encrypted(64 * KIB), ALL, CORES),
    "encrypted_64k_match_in_install": Case("s", encrypted(64 * KIB, is_twice=True), ("asm",),
                                           CORES),
    "encrypted_64k_by_uri": Case("s", encrypted(64 * KIB, is_inside=False), ALL, CORES),
}
BOOTS = {
    "plain": Case("sb", plain(64 * KIB), ("asm", "portable"), CORES),
    "encrypted": Case("sb", encrypted(64 * KIB), ("asm", "portable"), CORES),
}
INVOKES = {
    "plain": Case("si", plain(64 * KIB), ("asm", "portable"), CORES),
    "encrypted": Case("si", encrypted(64 * KIB), ("asm", "portable"), CORES),
}
GROWTH = {
    "plain_slot": [Case("s", plain(n, is_inside=False), x=n) for n in SLOT],
    "encrypted_slot": [Case("s", encrypted(n, is_inside=False), x=n) for n in SLOT],
    "plain_sink": [Case("c", plain(n, is_inside=False), x=n) for n in SINK],
    "encrypted_sink": [Case("c", encrypted(n, is_inside=False), x=n) for n in SINK],
    "commands": [Case("s", partial(make.commands, n), x=n) for n in (1, 2, 4, 8, 16, 32, 64)],
    "components": [Case("m", partial(make.components, n), x=n) for n in (1, 2, 4, 8, 16, 32)],
}


def primitives(build):
    """Rows of the primitives, from the image of cycles.py."""
    if build == "expanded":
        cycles.write_key()
    elf, _ = cycles.build(f"bench-{build}", *BUILDS[build])
    for core in CORES:
        for line in cycles.simulate(elf, core):
            name, count, painted, *marks = line.split()
            if marks:
                sys.exit(f"bench: FAIL {name}: {' '.join(marks)}")
            if name not in ONLY.get(build, [name]):
                continue
            title, _, size = name.rpartition("_")
            if not size.isdigit():
                title, size = name, ""
            function, length, note = PRIMITIVES[title]
            yield Row("primitive", name, build, core, int(count), int(painted),
                      text_of(build, function), int(size) if size else length, note=note)


PRIMITIVES = {  # function, length if the name has none, note
    "ed25519": ("picosuit_ed25519_verify", None, ""),
    "ed25519_expanded": ("picosuit_ed25519_verify_expanded", 150,
                         "and 1,568 bytes of flash for each key"),
    "x25519": ("picosuit_x25519", None, ""),
    "aes_unwrap": ("picosuit_aes128_unwrap", None, ""),
    "hkdf": ("picosuit_hkdf_sha256", None, ""),
    "sha256": ("picosuit_sha256", None, ""), "sha512": ("picosuit_sha512", None, ""),
    "chacha20": ("picosuit_chacha20", None, ""), "poly1305": ("picosuit_poly1305", None, ""),
    "aead": ("picosuit_aead_open", None, ""),
}

RECEIVE = ["picosuit_init", "picosuit_feed", "picosuit_feed_end"]
UPDATE = [*RECEIVE, "picosuit_boot_begin", "picosuit_run", "picosuit_get_fetch",
          "picosuit_payload", "picosuit_payload_end"]
SELECT = ["picosuit_boot_init", "picosuit_init", "picosuit_boot_select", "picosuit_boot_address"]
STEPS = {  # step of bench.c: (row, what a program links that does this, for both updates)
    "init": ("init", ["picosuit_init"], False),
    "begin": ("begin", [*RECEIVE, "picosuit_boot_begin"], True),
    "run": ("update", UPDATE, True),
    "invoke": ("invoke", [*RECEIVE, "picosuit_begin", "picosuit_run"], True),
    "candidate": ("boot_candidate", [*UPDATE, "picosuit_boot_candidate"], True),
    "boot_init": ("boot_init", ["picosuit_boot_init"], False),
    "select": ("boot_select_trial", SELECT, True),
    "confirm": ("boot_confirm", ["picosuit_boot_confirm"], False),
    "reselect": ("boot_select", SELECT, True),
    "report": ("report", ["picosuit_report"], False),
    "capabilities": ("capabilities", ["picosuit_capabilities"], False),
    "boot_report": ("boot_report", ["picosuit_boot_report"], False),
}


def procedures(cases, images):
    """Rows of the steps of an update of 64 KiB and of the boot state behind it."""
    seen = set()
    for name, case in cases:
        write_files(f"{name}_{case.mode}", case)
        for build in case.builds:
            for core in case.cores:
                run = run_case(images[build], core, case.mode, case.files)
                for step, (title, calls, is_both) in STEPS.items():
                    row = f"{title}_{name}" if is_both else title
                    if step not in run.steps or (row, build, core) in seen:
                        continue
                    seen.add((row, build, core))
                    count, stack, n = run.steps[step]
                    yield Row("procedure", row, build, core, count, stack, text_of(build, *calls),
                              64 * KIB if is_both else None, note=f"{n} call{'s' * (n > 1)}")


def updates(images):
    """Rows of whole updates, from the first frame until the procedure is done; and of reception."""
    for name, case in UPDATES.items():
        write_files(name, case)
        for build in case.builds:
            for core in case.cores:
                run = run_case(images[build], core, case.mode, case.files)
                total = sum(run.steps[step][0] for step in DURING)
                stack = max(run.steps[step][1] for step in DURING)
                text = text_of(build, *UPDATE)
                yield Row("update", name, build, core, total, stack, text, 64 * KIB,
                          note=f"manifest of {case.manifest} bytes")
                yield Row("update", f"{name}_without_flash", build, core, total - run.driver,
                          None, None, 64 * KIB, note="without the flash driver")
                if name in RECEPTION:
                    count, stack, _ = run.steps["receive"]
                    text = text_of(build, *RECEIVE)
                    yield Row("reception", RECEPTION[name], build, core, count, stack, text,
                              case.manifest)
                    yield Row("reception", f"{RECEPTION[name]}_without_signature", build, core,
                              count - run.signature, None, None, case.manifest,
                              note="without the signature")


RECEPTION = {"plain_64k": "plain_320", "encrypted_64k": "encrypted_ab"}


def growth(images):
    """Rows of the series; all without the signature, whose time varies with its value."""
    for name, cases in GROWTH.items():
        for case in cases:
            write_files(f"{name}_{case.x}", case)
            run = run_case(images["asm"], "m0", case.mode, case.files)
            total = sum(run.steps[step][0] for step in DURING)
            stack = max(run.steps[step][1] for step in DURING[1:])  # behind the signature
            yield Row("growth", name, "asm", "m0", total - run.signature, stack, None,
                      case.manifest, case.x, "without the signature; bytes: of the manifest")


def pair_cost(points):
    """Cycles for each pair of units: through the first, the middle and the last point."""
    (x0, y0), (x1, y1), (x2, y2) = points[0], points[len(points) // 2], points[-1]
    return 2 * ((y2 - y1) / (x2 - x1) - (y1 - y0) / (x1 - x0)) / (x2 - x0)


def straight(rows):
    """Problems of the series. Each step from one point to the next must cost per unit what the
    whole series costs, give or take TOLERANCE of it and HEADS cycles. Where all units are
    compared with each other (PAIRS) that is so after a cost for each pair is taken off, which
    has a limit itself."""
    for name in GROWTH:
        points = [(row.x, row.cycles) for row in rows if row.group == "growth" and row.name == name]
        pair = pair_cost(points) if name in PAIRS else 0
        points = [(x, y - pair * x * (x - 1) / 2) for x, y in points]
        (low, first), (high, last) = points[0], points[-1]
        slope = (last - first) / (high - low)
        worst = 0.0
        for (x, y), (xx, yy) in zip(points, points[1:]):
            off = abs((yy - y) - slope * (xx - x))
            worst = max(worst, off)
            if off > TOLERANCE * slope * (xx - x) + HEADS:
                yield f"{name}: from {x} to {xx} it takes {off:.0f} cycles more or less than linear"
        if pair > PAIRS.get(name, 0):
            yield f"{name}: {pair:.0f} cycles for each pair, {PAIRS[name]} are accepted"
        also = f" and {pair:.0f} for each pair" if pair else ""
        print(f"{name}: {slope:.2f} cycles for each more{also}, linear within {worst:.0f} cycles")


def profile(elf, case):
    """[[function, cycles]] of one update, itself only, the most expensive first."""
    hist = DIR / "blocks.txt"
    simulate(elf, "m0", case.mode, case.files, f"hist={hist}")
    table = symbols(elf)
    starts, spent = [at for at, _ in table], {}
    for line in hist.read_text().splitlines():
        at, _, cost, runs, taken = line.split()
        name = arm.base(table[bisect.bisect_right(starts, int(at, 16)) - 1][1])
        spent[name] = spent.get(name, 0) + int(cost) * int(runs) + TAKEN * int(taken)
    return sorted(([name, n] for name, n in spent.items() if name not in HARNESS),
                  key=lambda row: (-row[1], row[0]))


# -- the record --

def version(*command):
    r = subprocess.run(command, capture_output=True, text=True, check=True)
    return r.stdout.splitlines()[0]


def write_json(rows, profiles):
    build = {
        "command": "make bench", "compiler": version(arm.CROSS + "gcc", "--version"),
        "flags": " ".join([*arm.FLAGS, QUIET]), "qemu": version(cycles.QEMU, "--version"),
        "builds": {name: " ".join(flags) for name, flags in BUILDS.items()},
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }
    data = {"schema": 1, "build": build, "rows": [row.__dict__ for row in rows],
            "profile": profiles}
    (DIR / "m0.json").write_text(json.dumps(data, indent=1) + "\n")


def counts(rows):
    """{row: its figures as text}, as counts.csv has them."""
    text = lambda n: "" if n is None else str(n)
    return {row.key: (str(row.cycles), text(row.stack), text(row.text)) for row in rows}


def read_counts():
    with COUNTS.open(newline="") as f:
        lines = list(csv.reader(f))
    return lines[0][0] if lines else "", {tuple(line[:4]): tuple(line[4:]) for line in lines[2:]}


def write_counts(now):
    with COUNTS.open("w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow([version(arm.CROSS + "gcc", "--version")])
        writer.writerow(FIGURES)
        writer.writerows([*key, *now[key]] for key in now)
    print(f"bench: {len(now)} rows accepted, {COUNTS}")


def compare(now):
    """Lines that say what is not as accepted. Rows whose text alone changed, by the same number
    of bytes, are one line: a byte more in a parser is in every program that parses."""
    compiler, old = read_counts() if COUNTS.exists() else ("", {})
    here = version(arm.CROSS + "gcc", "--version")
    if compiler and compiler != here:
        yield f"{COUNTS} was made with {compiler}, this is {here}"
    texts = {}
    for key in [*now, *(key for key in old if key not in now)]:
        name = " ".join(key)
        if key not in old:
            yield f"new: {name} {now[key][0]}"
        elif key not in now:
            yield f"gone: {name} {old[key][0]}"
        elif old[key][:2] != now[key][:2]:
            pairs = zip(FIGURES[4:], old[key], now[key])
            what = ", ".join(f"{title} {a} -> {b}" for title, a, b in pairs if a != b)
            yield f"changed: {name}: {what}"
        elif old[key] != now[key]:
            change = int(now[key][2] or 0) - int(old[key][2] or 0)
            texts.setdefault((change, key[2]), []).append(key[1])
    for (change, build), names in texts.items():
        yield (f"changed: text {change:+} bytes, {build}: {len(names)} rows from {names[0]} "
               f"to {names[-1]}")


def record(rows):
    """Figures for bench/targets.csv."""
    table = {row.key: row.cycles for row in rows}
    figures = {f"update_{name}{suffix}": table["update", name, build, "m0"]
               for name in ("plain_64k", "encrypted_64k")
               for build, suffix in (("asm", ""), ("whole", "_whole"), ("expanded", "_expanded"))}
    figures["update_encrypted_64k_no_flash"] = table["update", "encrypted_64k_without_flash",
                                                     "asm", "m0"]
    arm.record("bench", figures)


def check_tools():
    tools = [arm.CROSS + "gcc", arm.CROSS + "nm", cycles.QEMU, os.environ.get("CC") or "cc"]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        sys.exit(f"bench: FAIL needs {', '.join(missing)}, see `make setup`")


def main():
    check_tools()
    DIR.mkdir(parents=True, exist_ok=True)
    cycles.build_plugin()
    cycles.calibrate()
    check_shares()
    images = {build: compile_image(build) for build in BUILDS}
    rows = [row for build in BUILDS for row in primitives(build)]
    rows += updates(images)
    rows += procedures([*BOOTS.items(), *INVOKES.items()], images)
    rows += growth(images)
    problems = list(straight(rows))
    write_json(rows, {name: profile(images["asm"], UPDATES[name])[:40]
                      for name in ("plain_64k", "encrypted_64k")})
    record(rows)
    now = counts(rows)
    if "--accept" in sys.argv[1:]:
        write_counts(now)
    else:
        changes = list(compare(now))
        problems += changes
        if changes:
            problems.append("`make bench-accept` accepts what is measured now")
    for line in problems:
        print(f"bench: FAIL {line}")
    print(f"bench: {len(rows)} rows, {DIR / 'm0.json'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
