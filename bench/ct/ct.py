#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Constant time on Cortex-M0, of the object code (bench/ct/README.md).

Each build of the core is run twice: by taint.c, which interprets the machine code with all
secrets unknown, and under QEMU with random secrets, where trace.c hashes every address. No
branch, address or jump may depend on a secret but for the verdicts that are declared below,
and every hash seen must be one that the interpreter predicted. Then the same for builds with
flaws (mutants.py): both have to find each of them.

usage: ct.py [BUILD...]    builds by name; without mutants then"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import arm
import mutants
import vectors

HERE = Path("bench/ct")
DIR = arm.OUT / "ct"
QEMU = os.environ.get("QEMU") or "qemu-system-arm"
CLANG = os.environ.get("CLANG") or "clang"
CC = (os.environ.get("CC") or "cc").split()
FLAGS = [*arm.CPU, "-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-g",
         "-Icore", "-DPICOSUIT_EXPOSE_PRIMITIVES=1"]
LINK = ["-nostartfiles", "-nostdlib", "-T", "bench/m0/prim.ld", "-Wl,--gc-sections"]
# name, compiler, flags
BUILDS = [
    ("gcc -Os", "gcc", ["-Os"]),
    ("gcc -Os, portable", "gcc", ["-Os", "-DPICOSUIT_ASM=0"]),
    ("gcc -O2, portable", "gcc", ["-O2", "-DPICOSUIT_ASM=0"]),
    ("gcc -O3, portable", "gcc", ["-O3", "-DPICOSUIT_ASM=0"]),
    ("gcc -Os, loops", "gcc", ["-Os", "-DPICOSUIT_ASM=0", "-DPICOSUIT_FIELD_UNROLLED=0"]),
    ("clang -Os", "clang", ["-Os"]),
    ("clang -Os, portable", "clang", ["-Os", "-DPICOSUIT_ASM=0"]),
]

# Where a secret may decide: function, what stands in the source line, why.
DECLARED = [
    ("picosuit_aead_open", "ct_equal(tag, data + len, 16)",
     "the verdict on a tag is public: success or failure is seen from outside"),
    ("aes128_unwrap", "if (ct_equal(block, iv, 8)",
     "the same for the integrity value of a wrapped key; wrong keys only fail"),
    ("x25519", "if (fe_is_zero(&s.x2)",
     "whether the shared secret is zero: that tells a point of small order, which is public"),
    ("cose_agree", "if (st == PICOSUIT_OK)", "the same verdict, where it was computed as a value"),
    ("cose_unwrap", "return st == PICOSUIT_OK", "that, and the verdict on the wrapped key"),
    ("pay_tag", "ct_equal(p->block, p->tag, 16)", "the verdict on the tag of a payload"),
    ("cose_check", "ct_equal(p->block, sig, 32)", "the verdict on the MAC of an envelope"),
]
COMPARISONS = {"ct_equal", "fe_is_zero"}
# What the compiler or the C library brings and may run on secrets: no branch, no address.
LIBRARY = {"memcpy": "bytes in order, whatever they are"}
# Functions that have to run to their last instruction when they run on secrets at all; in the
# builds whose name is not here, where compilers copy and specialise, to their last line. What
# of them cannot run: function, what stands in the source line, why.
SECTIONS = range(1, 8)
EXACT = {"gcc -Os", "gcc -Os, portable", "gcc -Os, loops"}
NEVER = [("wipe", "p[--len] = 0;", "all that is wiped is a multiple of four bytes long"),
         ("wipe", "while (len > 0)", "the same"),
         ("poly_update", "(fill == 16)", "every caller brings whole blocks before its last bytes"),
         ("poly_update", "poly_blocks(a, a->buf, 1, 1)", "the same"),
         ("poly_update", "fill = 0;", "the same"),
         ("fe_pow252", "n < 250;", "the loop ends where n has become 250")]


class Case:
    """What ct_run takes, and how often it runs under QEMU."""

    kinds = "x25519 unwrap chacha20 poly1305 aead short hkdf sha256 suit".split()

    def __init__(self, kind, a=0, b=0, seeds=0):
        self.number = self.kinds.index(kind) | a << 4 | b << 16
        self.name, self.seeds = f"{kind} {a}, {b}", seeds


def cases():
    """All cases: lengths and alignments one by one, and a few of them under QEMU, too."""
    yield Case("x25519", seeds=4)
    for n in range(16, 81):
        yield Case("unwrap", n, 0, {24: 3, 40: 4, 72: 2, 41: 2}.get(n, 0))
    for n in range(131):
        for align in range(4):
            seeds = 3 if (n, align) in [(0, 0), (1, 1), (64, 0), (64, 2), (65, 0), (130, 3)] else 0
            yield Case("chacha20", n, align, seeds)
            yield Case("poly1305", n, align, seeds)
            yield Case("sha256", n, align, seeds)
    for n in range(131):
        for aad in (0, 1, 12, 15, 16, 17):
            seeds = 36 if n in (0, 33, 64, 130) and aad == 12 else 0
            yield Case("aead", n, n & 3 | aad << 2, seeds)
    for n in range(16):
        yield Case("short", n, 0, 2 if n == 15 else 0)
    for salt in (0, 1, 32, 63, 64, 65, 100):
        for out in (0, 16, 32, 33):
            yield Case("hkdf", salt, out, 3 if salt in (32, 65) and out in (16, 33) else 0)
    for envelope in range(len(vectors.ENVELOPES)):
        yield Case("suit", envelope, 0, 3)
    yield Case("suit", 0, 64, 1)


def tool(*args):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{' '.join(map(str, args))}\n{r.stdout}{r.stderr}")
    return r.stdout


def build_tools():
    DIR.mkdir(parents=True, exist_ok=True)
    tool(*CC, "-std=c99", "-O2", "-o", DIR / "taint", HERE / "taint.c")
    tool(*CC, "-O2", "-fPIC", "-shared", "-o", DIR / "trace.so", HERE / "trace.c")
    (DIR / "ct_vectors.h").write_text(vectors.header())
    arm.run("gcc", *FLAGS, *arm.NOLIBC, "-Os", "-c", "-D_start=unused_start", "bench/nolibc.c",
            "-o", DIR / "nolibc.o")
    arm.run("gcc", *FLAGS, "-c", HERE / "mark.S", "-o", DIR / "mark.o")
    arm.run("gcc", *FLAGS, *arm.NOLIBC, "-Os", "-Wno-unused-result", f"-I{DIR}", "-c",
            HERE / "cases.c", "-o", DIR / "cases.o")


def compile_core(compiler, flags, source, path):
    flags = [*FLAGS, *flags, "-c", source, "-o", path]
    if compiler == "gcc":
        return arm.run("gcc", *flags)
    libc = arm.run("gcc", "-print-file-name=include").strip()
    return tool(CLANG, "--target=thumbv6m-linux-gnueabi", "-fshort-enums", "-isystem", libc,
                "-isystem", "/usr/include/newlib", *flags)


def plan_header(plan):
    """What image.c and host.c run, of [(number, mutant, seeds)]."""
    rows = "".join(f"    {{{n}, {mutant}, {seeds}}},\n" for n, mutant, seeds in plan if seeds)
    return ("static const struct {\n    uint32_t number;\n    int mutant;\n    uint32_t seeds;\n"
            f"}} ct_plan[] = {{\n{rows}    {{0, 0, 0}},\n}};\n")


class Build:
    """One image, and what both checks say about it. plan: [(number, mutant, seeds)]"""

    def __init__(self, name, compiler, flags, plan, source=arm.SOURCE):
        base = DIR / re.sub(r"[^a-z0-9]+", "_", name.lower())
        self.name, self.elf, self.cover = name, base.with_suffix(".elf"), base.with_suffix(".cover")
        self.source = Path(source)
        self.known_places = {}
        self.lines = self.source.read_text().splitlines()
        (DIR / "ct_plan.h").write_text(plan_header(plan))
        compile_core(compiler, flags, source, base.with_suffix(".o"))
        arm.run("gcc", *FLAGS, *arm.NOLIBC, *LINK, "-Os", f"-I{DIR}", "-Ibench/m0",
                "bench/m0/prim_start.S", "bench/m0/prim_io.c", DIR / "mark.o", HERE / "image.c",
                DIR / "cases.o", DIR / "nolibc.o", base.with_suffix(".o"), "-lgcc", "-o", self.elf)
        self.plan = plan

    def interpret(self):
        """{(number, mutant): (hashes, findings, stops)}, all secrets unknown."""
        keys = sorted({(n, mutant) for n, mutant, _ in self.plan})
        result = {key: (set(), [], []) for key in keys}
        by_order = iter(keys)
        lines = tool(DIR / "taint", self.elf, self.cover,
                     *[f"{n}:{mutant}" for n, mutant in keys]).splitlines()
        for line in lines:
            word, *rest = line.split()
            if word == "case":
                here = result[next(by_order)]
            elif word == "trace":
                here[0].add(rest[1])
            else:
                here[1 if word == "find" else 2].append(rest[1:])
        return result

    def observe(self):
        """{(number, mutant): {status: {hash}}} under QEMU, and lines that are wrong."""
        cmd = [QEMU, "-M", "microbit", "-nographic", "-monitor", "none", "-serial", "null",
               "-semihosting-config", "enable=on,target=native", "-kernel", str(self.elf),
               "-plugin", str(DIR / "trace.so")]
        r = arm.emulate(cmd)
        result, wrong = {}, []
        for line in (r.stdout + r.stderr).splitlines():
            m = re.fullmatch(r"(\d+) (\d+) (\d+) ([0-9a-f]{16}) (\d+)( WRONG)?", line)
            if m is None or m[6]:
                wrong.append(line)
            if m:
                here = result.setdefault((int(m[1]), int(m[2])), {})
                here.setdefault(int(m[5]), set()).add(m[4])
        if r.returncode and not wrong:
            wrong.append(f"QEMU ends with {r.returncode}")
        return result, wrong

    # -- what stands at an address --

    def places(self, addresses):
        """{address: [(function, source line number)]}, innermost of inlined calls first."""
        table = self.known_places
        addresses = sorted(set(addresses) - set(table))
        if not addresses:
            return table
        out = arm.run("addr2line", "-a", "-i", "-f", "-e", self.elf, *map(hex, addresses))
        for line in out.splitlines():
            if m := re.fullmatch(r"0x([0-9a-f]+)", line):
                here = table.setdefault(int(m[1], 16), [])
            elif m := re.match(r"(.*):(\d+|\?)(?: .*)?$", line):
                is_core = Path(m[1]).name == self.source.name
                here.append((name, int(m[2]) if is_core and m[2] != "?" else 0))
            else:
                name = arm.base(line)
        return table

    def text(self, line):
        return self.lines[line - 1].strip() if line else ""

    def statement(self, line):
        """The source from the start of a statement to a line of it."""
        first = line - 1
        while 0 < first < line and not re.search(r"[;{}]\s*(/\*.*)?$", self.lines[first - 1]):
            first -= 1
        return " ".join(self.lines[max(first, 0):line]) if line else ""

    def declared(self, place):
        """Index of the verdict that a branch is, or None. It may stand in the return of an
        inlined comparison, but not anywhere else in there."""
        place = place[:]
        while len(place) > 1 and place[0][0] in COMPARISONS and (
                self.text(place[0][1]).startswith("return ")):
            place.pop(0)
        name, line = place[0]
        for i, (function, snippet, _) in enumerate(DECLARED):
            if name == function and snippet in self.statement(line):
                return i
        return None

    def code(self):
        """{function: [(address, text)]} of the image, without data."""
        table, here = {}, []
        for line in arm.run("objdump", "-d", "--no-show-raw-insn", self.elf).splitlines():
            if m := re.match(r"[0-9a-f]+ <(.+)>:", line):
                here = table.setdefault(m[1], [])
            elif (m := re.match(r"\s*([0-9a-f]+):\s+(.*)", line)) and m[2][0] != ".":
                here.append((int(m[1], 16), " ".join(m[2].split())))
        return table

    def describe(self, finding, places, code):
        """kind, function, address, instruction, source line; then the path of the secret."""
        kind, *path, origin = [w for w in finding if w != "<"]
        path = [int(a, 16) for a in path]
        inside = {a: (f, text) for f, rows in code.items() for a, text in rows}
        function, text = inside.get(path[0], ("?", "?"))
        name, line = next((p for p in places[path[0]] if p[1]), ("?", 0))
        way = [f"{inside.get(a, ('?', ''))[0]}+{a:#x}" for a in reversed(path[1:])]
        return (f"{kind} on a secret in {function} at {path[0]:#x}: {text}\n"
                f"      {name}, line {line}: {self.text(line)}\n"
                f"      secret: {' > '.join([origin, *way])}")


def split(build, findings):
    """Findings that are declared ({index}) and those that are not ([finding])."""
    places = build.places(int(a, 16) for f in findings for a in f[1:-1] if a != "<")
    known, other = set(), []
    for f in findings:
        i = build.declared(places[int(f[1], 16)]) if f[0] == "branch" else None
        if i is None:
            other.append(f)
        else:
            known.add(i)
    return known, other, places


def check_library(build, code):
    """Names outside of the core that ran on secrets, and those of them not on the list."""
    ran = dict(line.split() if " " in line else (line, "")
               for line in build.cover.read_text().splitlines())
    names = {f for f, rows in code.items() if any(ran.get(f"{a:x}") for a, _ in rows)}
    for path in (build.elf.with_suffix(".o"), DIR / "cases.o", DIR / "mark.o"):
        names -= {line.split()[2] for line in arm.run("nm", "--defined-only", path).splitlines()}
    return names & set(LIBRARY), sorted(names - set(LIBRARY))


def check_cover(build, code):
    """Instructions of sections 1 to 7 that never ran, in functions that ran on secrets."""
    lines = [line.split() for line in build.cover.read_text().splitlines()]
    ran = {int(a, 16) for a, *_ in lines}
    on_secret = {int(a, 16) for a, *s in lines if s}
    whole, missing, excused = 0, [], set()
    for f, rows in code.items():
        if section_of(f) in SECTIONS and any(a in on_secret for a, _ in rows):
            whole += 1
            missing += [(f, a, text) for a, text in rows if a not in ran and text != "nop"
                        and "(mov r8, r8)" not in text]
    exact = build.name in EXACT
    places = build.places({a for _, a, _ in missing} | (set() if exact else ran))
    lines = set() if exact else {place for a in ran for place in places[a][:1]}
    for f, a, text in missing[:]:
        excuse = [i for i, (function, snippet, _) in enumerate(NEVER) if any(
            name == function and (snippet in build.text(line) or not line)
            for name, line in places[a])]
        excused.update(excuse)
        if excuse or places[a][0] in lines:
            missing.remove((f, a, text))
    return whole, missing, excused


def section_of(function, table={}):
    """Number of the section of core/picosuit.c in which a function is defined."""
    if not table:
        text = arm.SOURCE.read_text()
        banners = arm.source_sections(text)
        for m in re.finditer(r"^(?:[A-Za-z_][\w \t*]*[ *])?(\w+)\(", text, re.M):
            table.setdefault(m[1], max((b[0] for b in banners if b[3] < m.start()), default=0))
    return table.get(arm.base(function), 0)


def check(build, names):
    """Both checks of one build without mutants. Declared verdicts seen, and problems."""
    problems, seen = [], set()
    predicted = build.interpret()
    code = build.code()
    build.places(int(f[1], 16) for _, found, _ in predicted.values() for f in found)
    told = set()
    for (number, _), (hashes, findings, stops) in predicted.items():
        known, other, places = split(build, findings)
        seen |= known
        for f in other:
            if (f[0], f[1]) not in told:
                told.add((f[0], f[1]))
                problems.append(f"{names[number]}: {build.describe(f, places, code)}")
        if not other:  # after a finding both ways of a loop may be too many to follow
            problems += [f"{names[number]}: stopped: {' '.join(s)}" for s in stops]
        if not hashes:
            problems.append(f"{names[number]}: no trace")
    observed, wrong = build.observe()
    problems += [f"under QEMU: {line}" for line in wrong]
    for key, by_status in observed.items():
        for status, hashes in by_status.items():
            if len(hashes) > 1:
                problems.append(f"{names[key[0]]}: {len(hashes)} traces with status -{status}")
            if not hashes <= predicted[key][0]:
                problems.append(f"{names[key[0]]}: a trace that was not predicted")
    if set(observed) != {(n, m) for n, m, seeds in build.plan if seeds}:
        problems.append("QEMU did not run the whole plan")
    used, foreign = check_library(build, code)
    problems += [f"{f} runs on secrets and is not on the list" for f in foreign]
    whole, missing, excused = check_cover(build, code)
    places = build.places(a for _, a, _ in missing)
    problems += [f"never run: {f} {a:#x} {text}: {build.text(places[a][0][1])}"
                 for f, a, text in missing]
    runs = sum(seeds for *_, seeds in build.plan)
    print(f"{build.name}: {len(predicted)} cases, {whole} functions on secrets, {runs} runs "
          f"traced, {len(problems)} problems; library: {' '.join(sorted(used))}", flush=True)
    return seen, used, excused, problems


def check_mutants():
    """A problem for each flaw that one of the two checks does not find."""
    problems = []
    for flavour, flags in (("portable", ["-DPICOSUIT_ASM=0"]), ("assembly", [])):
        rows = [row for row in mutants.MUTANTS if row.flavour == flavour]
        source = DIR / f"mutants_{flavour}.c"
        source.write_text(mutants.patched(arm.SOURCE.read_text(), flavour))
        plan = [(Case(*row.case).number, i, row.seeds) for i, row in enumerate(rows, 1)]
        build = Build(f"mutants {flavour}", "gcc", ["-Os", *flags], plan, source)
        predicted, (observed, _) = build.interpret(), build.observe()
        for (number, i, _), row in zip(plan, rows):
            found = split(build, predicted[number, i][1])[1]
            kinds = " ".join(sorted({f[0] for f in found}))
            by_status = observed.get((number, i), {})
            traces = max((len(h) for h in by_status.values()), default=0)
            print(f"mutant {row.name}, {flavour}: {kinds or 'NOT FOUND'}; {traces} traces under "
                  "QEMU", flush=True)
            if row.kind not in kinds.split():
                problems.append(f"mutant {row.name}: no {row.kind} found in the object code")
            if traces < 2:
                problems.append(f"mutant {row.name}: same trace for all secrets under QEMU")
    return problems


def main():
    build_tools()
    wanted = sys.argv[1:]
    all_cases = list(cases())
    plan = [(c.number, 0, c.seeds) for c in all_cases]
    names = {c.number: c.name for c in all_cases}
    seen, library, never, problems = set(), set(), set(), []
    for name, compiler, flags in BUILDS:
        if not wanted or name in wanted:
            verdicts, used, excused, bad = check(Build(name, compiler, flags, plan), names)
            seen |= verdicts
            library |= used
            never |= excused
            problems += [f"{name}: {b}" for b in bad]
    if not wanted:
        problems += [f"declared, but nowhere seen: {f}: {snippet}"
                     for i, (f, snippet, _) in enumerate(DECLARED) if i not in seen]
        problems += [f"on the list, but not used: {f}" for f in sorted(set(LIBRARY) - library)]
        problems += [f"said never to run, but it does: {f}: {snippet}"
                     for i, (f, snippet, _) in enumerate(NEVER) if i not in never]
        problems += check_mutants()
    for p in problems:
        print(f"ct: FAIL {p}")
    print(f"ct: {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
