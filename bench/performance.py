#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/performance.md and its plots from build/bench/m0.json (`make bench`), or with
--check says whether they are what the counts of now make; date, compiler and simulator may differ.

Every figure in the document is from that file, from bench/rivals.csv (other libraries, each at
three levels of optimisation), bench/silicon.csv (the counter against published measurements)
or bench/targets.csv."""

import csv
import importlib.util
import json
import re
import sys
from pathlib import Path

import arm

if importlib.util.find_spec("drawsvg") is None:
    sys.exit("performance: FAIL needs the Python package drawsvg, see `make setup`")
import plots  # noqa: E402

COUNTS = arm.OUT / "bench" / "m0.json"
PAGE, PLOTS = Path("docs/performance.md"), Path("docs/performance")
DATE = "Measured on "
MAY_DIFFER = (DATE, "- Compiler: ", "- Simulator: ")  # begin lines
HOSTS = Path("bench/host/recorded.json")  # seconds: recorded once, not measured by CI
MHZ = 16
KIB = 1024
CORES = {"m0": "M0", "m0plus": "M0+"}
BUILDS = {"asm": "assembly", "whole": "assembly, whole scalars", "portable": "portable C",
          "expanded": "assembly, expanded key"}
SPECIAL = {"expanded"}  # of these builds: what other libraries do not have
LEVELS = {"Os": "-Os", "O2": "-O2", "O3": "-O3", "asm": "assembly"}
TABLES = "secret-indexed tables"  # as the notes of rivals.csv have it
BLOCKS = 24  # of AES in the unwrapping of 40 bytes


class Subject:
    """A primitive that rivals have, too."""

    def __init__(self, key, title, name, target, scale=1.0, remark="", special=None):
        self.key, self.title = key, title  # in rivals.csv and of files; for readers
        self.name, self.target = name, target  # in m0.json; row of targets.csv
        self.special = special or {}  # {build of SPECIAL: name in m0.json}
        self.scale, self.remark = scale, remark  # of the plot; a sentence, or nothing
        self.is_per_byte = scale == 1
        self.unit = {1: "cycles per byte", 1e3: "thousand cycles", 1e6: "million cycles"}[scale]

    def shown(self, cycles):
        return f"{cycles:,.1f}" if self.is_per_byte else f"{cycles:,.0f}"


SUBJECTS = [
    Subject("ed25519", "Ed25519 verification, 150-byte message", "ed25519_150",
            "ed25519_m0_asm", 1e6, special={"expanded": "ed25519_expanded"}),
    Subject("x25519", "X25519", "x25519", "x25519_m0_asm", 1e6),
    Subject("sha256", "SHA-256", "sha256", "sha256_m0_ccpb"),
    Subject("sha512", "SHA-512", "sha512", "sha512_m0_ccpb"),
    Subject("chacha20", "ChaCha20", "chacha20", "chacha20_m0_ccpb"),
    Subject("poly1305", "Poly1305", "poly1305", "poly1305_m0_ccpb"),
    Subject("aes_unwrap40", "AES-128 key unwrap, 40 bytes", "aes_unwrap_40",
            "aes_unwrap40_m0", 1e3,
            f"Of the others: key set-up and {BLOCKS} blocks, without the steps between them. Ours "
            "have no address that depends on the key; see the notes for the others."),
]
SHORT = {  # updates of the first table
    "plain_64k": "Plain update of 64 KiB, first frame to installed",
    "plain_64k_without_flash": "The same without the flash driver",
    "encrypted_64k": "Encrypted A/B update of 64 KiB, first frame to installed",
    "encrypted_64k_without_flash": "The same without the flash driver",
}
# Plots of growth: file, title, what x is, units of x in one of the plot, {name: label}.
GROWTH = [
    ("growth-slot", "Update into a slot", "image, KiB", KIB,
     {"plain_slot": "plain", "encrypted_slot": "encrypted"}),
    ("growth-sink", "Update into a counting sink", "image, KiB", KIB,
     {"plain_sink": "plain", "encrypted_sink": "encrypted"}),
    ("growth-commands", "Manifest with more commands", "commands of 64 bytes", 1,
     {"commands": "whole update"}),
    ("growth-components", "More components", "components of 64 bytes", 1,
     {"components": "whole update"}),
]


def is_number(cell):
    return re.fullmatch(r"[-+\d,. %]*( \(-O\w\))?", cell) is not None


def table(heads, rows):
    """A table without the columns that are empty; numbers stand to the right."""
    columns = [(head, [str(cell) for cell in column])
               for head, column in zip(heads, zip(*rows, strict=True), strict=True)]
    columns = [(head, "--:" if all(map(is_number, cells)) else "---", *cells)
               for head, cells in columns if any(cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in zip(*columns, strict=True))


def number(n):
    return "" if n in (None, "") else f"{int(n):,}"


def short(value):
    """Three or four digits, as the labels of a plot have them."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 30 else f"{value:.2f}"


def read_csv(name):
    with open(f"bench/{name}.csv", newline="") as f:
        return list(csv.DictReader(f))


# -- beside other libraries --

class Entry:
    """One line of a comparison: cycles (or cycles per byte), bytes of RAM and of text."""

    def __init__(self, name, level, cycles, ram, text, note="", is_ours=False):
        self.name, self.level, self.cycles, self.ram = name, level, cycles, ram
        self.text, self.note, self.is_ours = text, note, is_ours
        self.ram_level = ""  # if RAM is of another level than the rest
        self.is_special = False  # ours, and not what the others do

    def label(self):
        if self.is_ours:
            return f"picosuit, {self.name}"
        return f"{self.name}, {self.level}" + (" *" if TABLES in self.note else "")

    def ram_label(self):
        return number(self.ram) + (f" ({self.ram_level})" if self.ram_level else "")


def rivals(subject):
    """The best level of each library for one subject."""
    best, smallest = {}, {}
    for row in read_csv("rivals"):
        if row["primitive"] != subject:
            continue
        cycles, library = float(row["cycles"]), row["library"]
        if row["unit"] == "cycles/block":
            cycles = BLOCKS * cycles + int(row["setup"])
        ram = int(row["stack"]) + int(row["static"] or 0) if row["stack"] else None
        text = int(row["text"]) if row["text"] else None
        entry = Entry(library, LEVELS[row["level"]], cycles, ram, text, row["note"])
        smallest.setdefault(library, entry)
        if library not in best or cycles < best[library].cycles:
            best[library] = entry
    for library, entry in best.items():
        if entry.ram is None and smallest[library].ram is not None:
            entry.ram, entry.ram_level = smallest[library].ram, smallest[library].level
    return list(best.values())


def ours(rows, subject):
    """An entry for each build that differs; per byte: the slope between two messages."""
    found = []
    for build in dict.fromkeys(r["build"] for r in rows):
        name = subject.special.get(build) if build in SPECIAL else subject.name
        mine = [r for r in rows if (r["group"], r["core"], r["build"]) == ("primitive", "m0", build)
                and (r["name"].rpartition("_")[0] if subject.is_per_byte else r["name"]) == name]
        if not mine:
            continue
        low, high = (pick(mine, key=lambda r: r["bytes"] or 0) for pick in (min, max))
        cycles = high["cycles"]
        if subject.is_per_byte:
            cycles = (high["cycles"] - low["cycles"]) / (high["bytes"] - low["bytes"])
        if (cycles, high["stack"], high["text"]) not in [(e.cycles, e.ram, e.text) for e in found]:
            entry = Entry(BUILDS.get(build, build), "-Os", cycles, high["stack"], high["text"],
                          high["note"], is_ours=True)
            entry.is_special = build in SPECIAL
            found.append(entry)
    return found


def headline(entries):
    """Our build with the fewest cycles that does just what the others do."""
    return next(e for e in entries if e.is_ours and not e.is_special)


def better(entries):
    """A sentence on who needs less of something than our fastest build."""
    best = headline(entries)
    words = []
    for what, name in (("cycles", "fewer cycles"), ("ram", "less RAM"), ("text", "less text")):
        mine = getattr(best, what)
        names = [e.name for e in entries if not e.is_ours and mine is not None
                 and getattr(e, what) is not None and getattr(e, what) < mine]
        words.append(f"{name}: {', '.join(names) or 'none'}")
    return f"Compared with `{best.name}`, {'; '.join(words)}."


def demanded(subject, targets):
    limit = targets.get(subject.target, "")
    if not limit:
        return ""
    if subject.is_per_byte:  # targets.csv has hundredths
        return f"Demanded of assembly: at most {int(limit) / 100:.0f} cycles per byte."
    return f"Demanded of assembly: at most {int(limit):,} cycles."


def compared(rows, subject):
    """Entries of all libraries, the fastest first."""
    mine = ours(rows, subject)
    if not mine:
        sys.exit(f"performance: FAIL {COUNTS} has no primitive {subject.name}")
    return sorted(rivals(subject.key) + mine, key=lambda e: e.cycles)


def in_short(subjects, rows):
    """Our fastest build and the fastest of the others; and whole updates."""
    for subject, entries in subjects:
        mine = headline(entries)
        other = next(e for e in entries if not e.is_ours)
        best = f"{subject.shown(other.cycles)} ({other.name}, {other.level})"
        ms = "" if subject.is_per_byte else milliseconds(mine.cycles)
        title = subject.title + (", per byte" if subject.is_per_byte else "")
        yield title, mine.name, subject.shown(mine.cycles), ms, number(mine.ram), best
        for e in entries:
            if e.is_special:
                yield (title, e.name, subject.shown(e.cycles), milliseconds(e.cycles),
                       number(e.ram), "")
    for name, title in SHORT.items():
        row = min((r for r in rows if r["name"] == name and r["core"] == "m0"
                   and r["build"] not in SPECIAL), key=lambda r: r["cycles"])
        yield (title, BUILDS.get(row["build"], row["build"]), number(row["cycles"]),
               milliseconds(row["cycles"]), number(row["stack"]), "")


def comparison(subject, entries, targets):
    """(section of the document, plot) of one subject."""
    lines = [(e.label(), e.is_ours, [(e.cycles / subject.scale, short(e.cycles / subject.scale)),
                                     (e.ram, e.ram_label()) if e.ram is not None else None])
             for e in entries]
    marked = ", * with " + TABLES if any(TABLES in e.note for e in entries) else ""
    plot = plots.bars(f"{subject.title}, Cortex-M0{marked}", [subject.unit, "RAM, bytes"], lines)
    shown = [(f"**picosuit, {e.name}**" if e.is_ours else e.name, e.level, e.note,
              subject.shown(e.cycles), e.ram_label(), number(e.text)) for e in entries]
    cycles = "cycles per byte" if subject.is_per_byte else "cycles"
    return f"""### {subject.title}

![Cycles and RAM of {subject.title}: the table below]({PLOTS.name}/{subject.key}.svg)

{" ".join(filter(None, [demanded(subject, targets), better(entries), subject.remark]))}

{table(["library", "level", "note", cycles, "RAM", "text"], shown)}
""", plot


# -- what was measured --

def milliseconds(cycles):
    return f"{cycles / MHZ / 1e3:,.2f}"


def side_by_side(rows, group):
    """A table of one group: a line for each thing and build that differs, both cores in it."""
    lines = {}
    for row in rows:
        if row["group"] == group:
            lines.setdefault((row["name"], row["build"]), {})[row["core"]] = row
    if not lines:
        sys.exit(f"performance: FAIL {COUNTS} has no rows of group {group}")
    out, seen = [], set()
    order = list(dict.fromkeys(name for name, _ in lines))
    for (name, build), by_core in sorted(lines.items(), key=lambda item: order.index(item[0][0])):
        row = by_core["m0"]
        same = name, row["cycles"], row["stack"], row["text"]
        if same in seen:
            continue
        seen.add(same)
        figures = []
        for core in CORES:
            n = by_core[core]["cycles"] if core in by_core else None
            figures += ["", ""] if n is None else [number(n), milliseconds(n)]
        out.append((f"`{name}`", BUILDS.get(build, build), row["note"], *figures,
                    number(row["stack"]), number(row["text"])))
    heads = [f"{core} {unit}" for core in CORES.values() for unit in ("cycles", "ms")]
    return table(["", "build", "note", *heads, "stack", "text"], out)


def all_series(rows):
    """{name: [row, ...]}: what grows, on the Cortex-M0 with assembly, by its size."""
    found = {}
    for row in rows:
        if (row["group"], row["core"], row["build"]) == ("growth", "m0", "asm"):
            found.setdefault(row["name"], []).append(row)
    return {name: sorted(line, key=lambda r: r["x"]) for name, line in found.items()}


def steps(line):
    """Lines of a table of growth, with what one more of x cost since the line before."""
    before = None
    for row in line:
        slope = ""
        if before:
            slope = f"{(row['cycles'] - before['cycles']) / (row['x'] - before['x']):,.2f}"
        yield (number(row["x"]), number(row["bytes"]), number(row["cycles"]),
               milliseconds(row["cycles"]), slope)
        before = row


def growth(rows):
    """(text of the document, {file: plot})."""
    series, parts, files = all_series(rows), [], {}
    for file, title, x_name, unit, names in GROWTH:
        if missing := [name for name in names if name not in series]:
            sys.exit(f"performance: FAIL {COUNTS} has no growth of {', '.join(missing)}")
        points = [(label, [(r["x"] / unit, r["cycles"] / 1e6) for r in series[name]])
                  for name, label in names.items()]
        files[file] = plots.lines(f"{title}, Cortex-M0, assembly", x_name, "million cycles", points)
        parts.append(f"### {title}\n\n![Cycles by size: the tables below]"
                     f"({PLOTS.name}/{file}.svg)\n")
        of = "byte" if unit == KIB else x_name.split(" of ")[0].rstrip("s")
        for name in names:
            heads = [f"{of}s", "manifest", "cycles", "ms", f"for each {of} more"]
            note = series[name][0]["note"]
            parts.append(f"`{name}`{': ' + note if note else ''}\n\n"
                         f"{table(heads, steps(series[name]))}\n")
    return "\n".join(parts), files


def silicon():
    """The counter's tables against figures that others published."""
    for row in read_csv("silicon"):
        published, counted = int(row["published"]), int(row["counted"])
        yield (row["code"], row["core"], number(published), number(counted),
               f"{round(100 * (counted - published) / published, 2) + 0:+} %", row["note"])


def versions():
    found = {}
    for row in read_csv("rivals"):
        if row["version"]:
            found[row["library"].split(" (")[0].removesuffix(" small")] = row["version"]
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def document(counts):
    """(text of docs/performance.md, {name of a plot: SVG})."""
    rows, build = counts["rows"], counts["build"]
    targets = {row["name"]: row["target"] for row in read_csv("targets")}
    files, parts = {}, []
    subjects = [(subject, compared(rows, subject)) for subject in SUBJECTS]
    for subject, entries in subjects:
        part, files[subject.key] = comparison(subject, entries, targets)
        parts.append(part)
    comparisons = "\n".join(parts)
    builds = "\n".join(f"  - {BUILDS.get(name, name)}: `{flags}`"
                       for name, flags in build["builds"].items())
    growing, plots_of_growth = growth(rows)
    files |= plots_of_growth
    heads = ["code", "core", "published", "counted", "difference", "note"]
    short_heads = ["", "build", "cycles", "ms", "RAM", "fastest of the others"]
    return f"""# Performance

Written by `make bench-doc` from what `{build["command"]}` measured; CI checks that it is current.

- Compiler: {build["compiler"]}
- Flags: `{build["flags"]}`
- Simulator: {build["qemu"]}

{DATE}{build["date"]}.

Cortex-M0, gcc `-Os`; milliseconds at {MHZ} MHz; RAM is stack, contexts included:

{table(short_heads, in_short(subjects, rows))}

## How it is measured

- **Cycles** are counted, not timed: a plugin for QEMU charges each instruction the latency of the
  Cortex-M0 or Cortex-M0+ manual, with zero wait states and the multiplier of one cycle. The count
  of the same code is always the same, so CI compares it for equality.
- **Stack** is painted in the same run. **Text** is code and constants that a program links which
  calls the function, compiler support included; memcpy, memset and memcmp are the firmware's and
  left out (the text of the others has newlib's, where they use them). All sizes are bytes.
- **Ed25519** verifies public inputs, in a time that depends on them: a row is one signature,
  others take a few per cent more or less. All else takes the same for inputs of one length.
- **Builds** have the flags above and those below. *Assembly* is what a compiler for ARMv6-M makes
  by itself, with Ed25519's scalars of half the size. A build whose figures are those of another
  has no line.
{builds}
- **Counted**: calls of picosuit and the callbacks in them. **Not counted**: waiting for the flash
  controller, the transport, interrupts, wait states of a real part's flash.

The counter is checked at every run with an image whose cycles were added up by hand, for both
cores. Its tables, against what others published, mostly measured on silicon:

{table(heads, silicon())}

## Beside other libraries

The others were built with gcc 12.2 for Cortex-M0 at `-Os`, `-O2` and `-O3`, with upstream's default
options, and measured with a counter of the same tables. **Shown is the level at which each needs
fewest cycles, with RAM and text of that level**; `bench/rivals.csv` has all of them. RAM is stack,
contexts included, and static data. A bar with a cut is longer than it is drawn.

What ours do, and not all others: Ed25519 refuses S >= L, points that are not canonical or of small
order, and checks the equation without the cofactor ([choices](choices.md), 3). X25519 refuses an
all-zero result. X25519, AES key unwrap, ChaCha20 and Poly1305 have no branch and no address that
depends on a secret; libraries with table look-ups have a note.

Versions: {versions()}.

{comparisons}
## Primitives

{side_by_side(rows, "primitive")}

## Reception of an envelope

{side_by_side(rows, "reception")}

`plain_320` has a manifest of 320 bytes, `encrypted_ab` is the demo's encrypted A/B update.

## Procedures

`begin`, `update`, `invoke`: the calls that begin and run UPDATE and INVOKE; `boot_...`: functions
of the boot state. All of one image of 64 KiB, plain or encrypted.

{side_by_side(rows, "procedure")}

## Whole updates

From the first frame of 64 bytes until the procedure has ended; `..._without_flash` leaves out
the port's driver of the flash controller, `match_in_install` reads the image back once more.

{side_by_side(rows, "update")}

## Growth

Each component is compared with all before it, so the cost of one more rises a little; there are
at most 32. All else is linear, which `make bench` checks.

{growing}
{hosts(json.loads(HOSTS.read_text()))}""", files


def hosts(recorded):
    """The recorded run of `make bench-host`."""
    beside, alone = [], []
    for row in recorded["rows"]:
        if row["against"]:
            beside.append((row["name"], row["against"], number(row.get("bytes")),
                           number(row["ours_ns"]), number(row["theirs_ns"]), row["ratio_pct"]))
        else:
            alone.append((row["name"], number(row["ours_ns"]), number(row["per_second"])))
    return f"""## Hosts

Recorded by `make bench-host-record` on {recorded["date"]}: {recorded["processor"]},
{recorded["compiler"]}, `{recorded["flags"]}`, beside libsodium {recorded["libsodium"]} in one
program, medians of {recorded["rounds"]} rounds; 100 % is as fast as libsodium. Times vary, so
nothing is decided by them; `bench/README.md` says what each row does.

{table(["", "libsodium", "bytes", "ours, ns", "theirs, ns", "speed, %"], beside)}

{table(["", "ours, ns", "per second"], alone)}
"""


def undated(text):
    return [line for line in text.splitlines() if not line.startswith(MAY_DIFFER)]


def stale(text, files):
    """What is not as it would be written."""
    if not PAGE.exists() or undated(PAGE.read_text()) != undated(text):
        yield PAGE
    for path, plot in files.items():
        if not path.exists() or path.read_text() != plot:
            yield path
    yield from (path for path in sorted(PLOTS.glob("*")) if path not in files)


def main():
    if not COUNTS.exists():
        sys.exit(f"performance: FAIL no {COUNTS}, run `make bench`")
    text, plots_by_name = document(json.loads(COUNTS.read_text()))
    files = {PLOTS / f"{name}.svg": plot for name, plot in plots_by_name.items()}
    if "--check" in sys.argv[1:]:
        if old := [str(path) for path in stale(text, files)]:
            sys.exit(f"performance: FAIL not up to date, run `make bench-doc`: {' '.join(old)}")
        print(f"performance: {PAGE} and {len(files)} plots are current")
        return
    PLOTS.mkdir(exist_ok=True)
    for path in PLOTS.glob("*"):
        path.unlink()
    PAGE.write_text(text)
    for path, plot in files.items():
        path.write_text(plot)


if __name__ == "__main__":
    main()
