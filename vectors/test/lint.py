#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the house style asks for and a machine can check. The last line counts checks and
findings; a missing tool skips its check by name, which is a finding under CI.

Exceptions to the limits of a function stand in docs/design.md, in tables below a heading
with the word "exceptions": | `name` | lines 80, complexity 14, frame 300 | reason |"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import arm

WARNINGS = "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Wvla".split()
SWITCHES = ["ENCRYPTION", "MAC", "SEVERED", "INTEGRATED", "SLOTS", "SWAP", "REPORT", "BOOT",
            "STRINGS"]
LIMITS = {"lines": 60, "complexity": 10, "frame": 128}
TOP_LEVEL = {"core", "bindings", "fuzz", "bench", "vectors", "docs", "Makefile", "README.md",
             "LICENSE"}
WIDTHS = {".c": 90, ".h": 90, ".S": 90}  # of lines; other code 100
CODE = {".c", ".h", ".S", ".ld", ".py", ".sh", ".i", ".go", ".toml"}
SOURCE, HEADER = arm.SOURCE, Path("core/picosuit.h")


def command(*args):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True)


def tool(name):
    """The command line of a compiler or tool, None if it is not installed."""
    words = (os.environ.get({"cc": "CC", "clang": "CLANG"}.get(name, "")) or name).split()
    return words if shutil.which(words[0]) else None


def files():
    """Files of the project: tracked, or new and not ignored."""
    r = command("git", "ls-files", "-co", "--exclude-standard")
    return [Path(f) for f in r.stdout.splitlines() if Path(f).is_file()]


def text_of(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def place(path, text, offset):
    return f"{path}:{text.count(chr(10), 0, offset) + 1}"


def without_comments(text):
    """The same text with comments and strings blanked, offsets kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


# -- checks: each yields findings --

def check_warnings():
    """No compiler has a remark, in any of five settings of the switches."""
    flips = {"default": [], "all-off": [f"-DPICOSUIT_WITH_{s}=0" for s in SWITCHES],
             "all-on": [f"-DPICOSUIT_WITH_{s}=1" for s in SWITCHES],
             "primitives": ["-DPICOSUIT_EXPOSE_PRIMITIVES=1"],
             "expanded": ["-DPICOSUIT_ED25519_EXPANDED=1"]}
    compilers = {"cc": WARNINGS, "clang": WARNINGS,
                 arm.CROSS + "gcc": [*WARNINGS, *arm.CPU, "-Os", "-Wpadded"],
                 "g++": "-x c++ -std=c++17 -pedantic -Wall -Wextra".split()}
    for name, flags in compilers.items():
        if not (words := tool(name)):
            yield f"SKIP warnings of {name}"
            continue
        for setting, switches in flips.items():
            r = command(*words, *flags, *switches, "-O2" if name != arm.CROSS + "gcc" else "-Os",
                        "-Icore", "-c", SOURCE, "-o", os.devnull)
            for line in r.stderr.splitlines():
                if "warning:" in line or "error:" in line:
                    yield f"{line} ({name}, {setting})"


def used_sections(uses):
    """Numbers on a uses line: `1 2 6`, `1-5 7-11`."""
    numbers = set()
    for first, last in re.findall(r"\b(\d+)(?:\s*(?:-|–|to)\s*(\d+))?", uses):
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def check_layers():
    """Banners in order; a section refers only to those on its uses line."""
    text = SOURCE.read_text()
    code, banners = without_comments(text), arm.source_sections(text)
    numbers = [b[0] for b in banners]
    if not banners:
        yield f"{SOURCE}: no section banner with a `uses:` line"
    if numbers != sorted(set(numbers)):
        yield f"{SOURCE}: sections are out of order: {numbers}"
    home = arm.section_of_name(text, with_locals=False)
    for i, (number, _, uses, offset) in enumerate(banners):
        end = banners[i + 1][3] if i + 1 < len(banners) else len(code)
        allowed = used_sections(uses) | {0, number}
        told = set()
        for m in re.finditer(r"(?<![.>\w])\w+\b", code[offset:end]):
            section = home.get(m[0], 0)
            if section not in allowed and m[0] not in told:
                told.add(m[0])
                yield (f"{place(SOURCE, text, offset + m.start())}: section {number} uses "
                       f"{m[0]} of section {section}, not on its uses line")


def check_declarations():
    """No forward declaration of a static function: the order of the file is the layering."""
    code = without_comments(SOURCE.read_text())
    for m in re.finditer(r"^static\b[^={;]*\)\s*;", code, re.M):
        yield f"{place(SOURCE, code, m.start())}: forward declaration"


def check_callbacks():
    """The platform is called by the dev_ wrappers only."""
    code = without_comments(SOURCE.read_text())
    starts = [(offset, name) for name, offset, is_fn in arm.definitions(code) if is_fn]
    for m in re.finditer(r"platform->\w+\s*\(", code):
        name = max((s for s in starts if s[0] < m.start()), default=(0, ""))[1]
        if not name.startswith("dev_"):
            yield f"{place(SOURCE, code, m.start())}: {name} calls the platform by itself"


def check_symbols():
    """An object defines picosuit_ symbols only; the header defines PICOSUIT_ macros only."""
    obj = arm.OUT / "lint.o"
    for flags in ([], ["-DPICOSUIT_EXPOSE_PRIMITIVES=1"]):
        command(*tool("cc"), "-Icore", *flags, "-c", SOURCE, "-o", obj)
        for line in command("nm", "-g", "--defined-only", obj).stdout.splitlines():
            if not line.split()[2].startswith("picosuit_"):
                yield f"{SOURCE}: global symbol {line.split()[2]}"
    for m in re.finditer(r"^#\s*define\s+(\w+)", HEADER.read_text(), re.M):
        if not m[1].startswith("PICOSUIT_"):
            yield f"{HEADER}: macro {m[1]}"


def exceptions():
    """{function: {limit: number}} of docs/design.md."""
    path, table, is_on = Path("docs/design.md"), {}, False
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("#"):
            is_on = "exceptions" in line.lower()
        if is_on and (m := re.match(r"\|\s*`(\w+)`\s*\|([^|]*)\|", line)):
            table[m[1]] = {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", m[2])}
    return table


def check_functions():
    """Length, complexity and frame of each function; exceptions as listed, none stale."""
    found = {}
    if not tool("pmccabe"):
        yield "SKIP length and complexity: needs pmccabe"
    else:
        plain = arm.OUT / "lint.c"  # attributes would be taken for names
        plain.write_text(arm.without_attributes(SOURCE.read_text()))
        for line in command("pmccabe", plain).stdout.splitlines():
            complexity, _, _, _, lines, _, name = line.split()[:7]
            found.setdefault(name, {}).update(lines=int(lines), complexity=int(complexity))
    if not shutil.which(arm.CROSS + "gcc"):
        yield f"SKIP frames: needs {arm.CROSS}gcc"
    else:
        core = arm.compile_core("lint", *arm.PORTABLE)
        for name, (size, kind) in arm.frames(core).items():
            entry = found.setdefault(arm.base(name), {})
            entry["frame"] = max(size, entry.get("frame", 0))
            if kind != "static":
                yield f"{name}: frame of unknown size ({kind})"
    allowed = exceptions()
    for name, values in found.items():
        for kind, value in values.items():
            limit = allowed.get(name, {}).get(kind, LIMITS[kind])
            if value > limit:
                yield f"{name}: {kind} {value}, limit {limit}"
    for name in allowed:
        if found and name not in found:
            yield f"docs/design.md: exception for {name}, which is not there"


def check_tree():
    """Only the fixed names at the top, two files in core/, a short header."""
    for path in files():
        if path.parts[0] not in TOP_LEVEL and not path.parts[0].startswith("."):
            yield f"{path}: not one of the top-level names"
    if (names := sorted(os.listdir("core"))) != ["picosuit.c", "picosuit.h"]:
        yield f"core/: {names}"
    if (n := len(HEADER.read_text().splitlines())) > 800:  # docs/choices.md: with the boot state
        yield f"{HEADER}: {n} lines, limit 800"


def check_files():
    """Licence lines, width, paths of one machine, trailing blanks, open ends."""
    here = [f"{arm.ROOT.parent}/", f"{Path.home()}/", "/home/"]
    for path in files():
        text = text_of(path)
        is_code = path.suffix in CODE or path.name == "Makefile" or text.startswith("#!")
        if is_code and "SPDX-License-Identifier: MIT" not in text[:300]:
            yield f"{path}: no SPDX line"
        for i, line in enumerate(text.splitlines(), 1) if text else []:
            if is_code and len(line) > WIDTHS.get(path.suffix, 100):
                yield f"{path}:{i}: {len(line)} columns"
            if is_code and line != line.rstrip():
                yield f"{path}:{i}: blanks at the end"
            if path.suffix != ".py" and any(h in line for h in here):
                yield f"{path}:{i}: path of one machine"
            if is_code and re.search(r"\bTO[D]O\b(?!.*#\d)", line):
                yield f"{path}:{i}: open end without the number of an issue"


def check_scripts():
    """shellcheck has no remark."""
    scripts = [p for p in files() if re.match(r"#!.*\b(ba)?sh\b", text_of(p)[:40])]
    if not tool("shellcheck"):
        yield "SKIP scripts: needs shellcheck"
    elif scripts:
        r = command("shellcheck", "-x", "-f", "gcc", *scripts)
        yield from r.stdout.splitlines()


def main():
    arm.OUT.mkdir(exist_ok=True)
    checks = [f for name, f in globals().items() if name.startswith("check_")]
    findings = skips = 0
    for check in checks:
        for finding in check():
            if finding.startswith("SKIP") and not os.environ.get("CI"):
                skips += 1
                print(f"lint: {finding}")
            else:
                findings += 1
                print(f"lint: FAIL {check.__name__[6:]}: {finding}")
    print(f"lint: {len(checks)} checks, {skips} skipped, {findings} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
