# SPDX-License-Identifier: MIT
"""Cortex-M0 builds of the core, and what can be read from them: used by size.py,
stack.py, m0/cycles.py and vectors/test/lint.py. Standard library only."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(os.environ.get("O") or "build")
CROSS = os.environ.get("CROSS") or "arm-none-eabi-"
SOURCE = Path("core/picosuit.c")
CPU = ["-mcpu=cortex-m0", "-mthumb"]
FLAGS = ["-std=c99", *CPU, "-Os", "-ffreestanding", "-ffunction-sections",
         "-fdata-sections"]
NOLIBC = ["-fno-builtin", "-fno-tree-loop-distribute-patterns"]  # memcpy is not memcpy
PORTABLE = ["-DPICOSUIT_ASM=0"]  # most demanded figures are those of the C code
SWITCHES = ["ENCRYPTION", "MAC", "SEVERED", "INTEGRATED", "SLOTS", "SWAP", "REPORT", "BOOT",
            "STRINGS"]
# Configurations whose sizes are told; `assembly` is what a compiler for ARMv6-M makes by itself.
BUILDS = {
    "portable": [*PORTABLE, "-DPICOSUIT_WITH_STRINGS=0"],
    "assembly": ["-DPICOSUIT_WITH_STRINGS=0"],
    "small": [*PORTABLE, "-DPICOSUIT_FIELD_UNROLLED=0",
              *(f"-DPICOSUIT_WITH_{name}=0" for name in SWITCHES)],
}
ALLOWED = {"memcpy", "memmove", "memset", "memcmp"}

os.chdir(ROOT)


def run(tool, *args):
    """The output of a cross tool; the program ends with its message if it fails."""
    r = subprocess.run([CROSS + tool, *map(str, args)], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{CROSS}{tool} {' '.join(map(str, args))}\n{r.stdout}{r.stderr}")
    return r.stdout


def emulate(cmd, seconds=300):
    """What an image did under QEMU, with its output; the program ends if it does not."""
    try:
        return subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)
    except FileNotFoundError:
        sys.exit(f"{cmd[0]}: FAIL not found, see `make setup`")
    except subprocess.TimeoutExpired:
        sys.exit(f"{cmd[0]}: FAIL no end within {seconds} s: {' '.join(map(str, cmd))}")


def record(name, rows):
    """Leaves measured figures for targets.py, as build/now/<name>.csv."""
    path = OUT / "now" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key},{value}\n" for key, value in rows.items()))


def compile_core(name, *flags):
    """core.o (and core.su) of one configuration in build/m0/<name>."""
    path = OUT / "m0" / name / "core.o"
    path.parent.mkdir(parents=True, exist_ok=True)
    run("gcc", *FLAGS, *flags, "-g", "-fstack-usage", "-Icore", "-c", SOURCE, "-o", path)
    return path


def compile_build(name, *flags):
    """One of BUILDS, as it is or with something changed."""
    return compile_core("-".join(["size", name, *flags]), *BUILDS[name], *flags)


def exports(core):
    """Names of the functions that an object defines for others."""
    lines = run("nm", "-g", "--defined-only", core).splitlines()
    return sorted(f[2] for f in map(str.split, lines) if f[1] in "TW")


def link(core):
    """Links one object alone (bench/nolibc.c), all its public functions kept."""
    elf = core.with_suffix(".elf")
    keep = [f"-Wl,-u,{name}" for name in exports(core)]
    run("gcc", *FLAGS, *NOLIBC, "-nostdlib", "-Wl,--gc-sections,-e,_start", *keep,
        f"-Wl,-Map,{elf.with_suffix('.map')}", "bench/nolibc.c", core, "-lgcc", "-o", elf)
    return elf


def input_sections(elf):
    """(section, size, file) of all that the linker kept and that occupies memory."""
    text = elf.with_suffix(".map").read_text().split("Linker script and memory map")[1]
    text = re.sub(r"^( \.\S+)\n +", r"\1 ", text, flags=re.M)  # long names wrap
    pattern = r"^ (\.\S+) +0x[0-9a-f]+ +(0x[0-9a-f]+) (\S.*)$"
    for name, size, file in re.findall(pattern, text, re.M):
        if int(size, 16) and re.match(r"\.(text|rodata|data|bss)\b", name):
            yield name, int(size, 16), file


# -- the source: which section of the file a name belongs to --

def source_sections(text):
    """[(number, title, uses, offset)] of the banners: comments with a `uses:` line."""
    found = []
    for m in re.finditer(r"/\*.*?\*/", text, re.S):
        uses = re.search(r"\buses:(.*?)(?:\n[ *=-]*\n|\*/|$)", m[0], re.S | re.I)
        head = re.search(r"\b(\d{1,2})[.: )-]+\s*([^\n]*?)[ =*/-]*$", m[0], re.M)
        if uses and head:
            found.append((int(head[1]), head[2].strip(), uses[1], m.start()))
    return found


def without_attributes(text):
    """The same text with GNU attributes blanked, offsets kept."""
    return re.sub(r"__attribute__\(\(.*?\)\)", lambda m: " " * len(m[0]), text)


def definitions(text):
    """(name, offset, is_function) of all that is defined, constants in functions too."""
    text = without_attributes(text)
    function = (r"^(?!typedef|return|else|#)[A-Za-z_][\w \t*]*?\b(\w+)"
                r"\((?:[^;{}()]|\([^()]*\))*\)\s*\{")
    data = r"^[ \t]*static\s+const\s+[\w \t*]*?\b(\w+)\s*(?:\[[^=;]*\])?\s*="
    for m in re.finditer(function, text, re.M):
        yield m[1], m.start(), True
    for m in re.finditer(data, text, re.M):
        yield m[1], m.start(), False


def section_of_name(text, with_locals=True):
    """{name: section number}; 0 is what stands before the first banner."""
    banners = source_sections(text)
    table = {}
    for name, offset, _ in definitions(text):
        if text[offset].isspace() and not with_locals:
            continue
        table.setdefault(name, max((b[0] for b in banners if b[3] < offset), default=0))
    return table


# -- the image: frames and calls --

class Function:
    """One function of an image: own stack bytes, callees, whether it calls pointers."""

    def __init__(self, name):
        self.name, self.frame, self.calls, self.is_indirect = name, 0, set(), False


def frames(core):
    """{function: (bytes, kind)} from the compiler's .su file."""
    table = {}
    for line in core.with_suffix(".su").read_text().splitlines():
        where, size, kind = line.split("\t")
        name = where.split(":")[-1]
        if int(size) >= table.get(name, (0, ""))[0]:
            table[name] = int(size), kind
    return table


def base(name):
    """A name without the suffixes of the compiler's clones."""
    return re.sub(r"\.(constprop|part|isra|cold|lto_priv)\b.*", "", name)


def functions(elf, su):
    """{name: Function} of an image; a frame is the larger of .su and what is seen."""
    table, here, literal, last = {}, None, {}, ""
    lines = run("objdump", "-d", "--no-show-raw-insn", elf).splitlines()
    for line in lines:
        if m := re.match(r"\s*([0-9a-f]+):\s+\.word\s+(0x[0-9a-f]+)", line):
            literal[int(m[1], 16)] = int(m[2], 16)
    for line in lines:
        if m := re.match(r"[0-9a-f]+ <(.+)>:", line):
            caller, here = here, table.setdefault(m[1], Function(m[1]))
            if caller and not re.match(r"(b|b\.n|bx)\s|pop.*pc|mov\s+pc|\.", last):
                caller.calls.add(m[1])
            registers = {}
        elif here and (m := re.match(r"\s*[0-9a-f]+:\s+(.*)", line)):
            note_instruction(here, m[1], registers, literal)
            if not m[1].startswith("nop"):  # padding behind a function
                last = m[1]
    for f in table.values():
        size = su.get(f.name) or su.get(base(f.name))
        if size and size[0] > f.frame:
            f.frame = size[0]
    return table


def note_instruction(f, text, registers, literal):
    """Adds what one instruction does to the frame and the calls of f."""
    if m := re.match(r"push\s+\{(.*)\}", text):
        f.frame += 4 * len(m[1].split(","))
    elif m := re.match(r"sub\s+sp, (?:sp, )?#(\d+)", text):
        f.frame += int(m[1])
    elif m := re.match(r"ldr\s+(r\d+), \[pc.*@ \(([0-9a-f]+)", text):
        registers[m[1]] = literal.get(int(m[2], 16), 0)
    elif m := re.match(r"add\s+sp, (r\d+)", text):
        value = registers.get(m[1], 0)
        f.frame += 2**32 - value if value >= 2**31 else 0
    elif m := re.match(r"b\w*(?:\.n|\.w)?\s+[0-9a-f]+ <([^>+]+)", text):
        if m[1] != f.name:
            f.calls.add(m[1])
    elif re.match(r"blx\s+r", text):
        f.is_indirect = True


# Calls that the graph has and no run can take: (from somewhere below, never this, why).
NEVER = [
    ("chk_section", "cose_try", "begin checks encryption-info without trying a key"),
    ("picosuit_drive", "ed25519_verify", "a running procedure asks for decryption keys only"),
]


def worst(table, name, path=(), never=frozenset()):
    """(bytes, [names]) of the deepest chain from a function; recursion ends all."""
    if name in path:
        sys.exit(f"stack: FAIL recursion: {' > '.join(path[path.index(name):])} > {name}")
    f = table[name]
    never = never | {callee for above, callee, _ in NEVER if name.startswith(above)}
    known = f.__dict__.setdefault("worst", {})
    if never not in known:
        below = [worst(table, callee, (*path, name), never) for callee in sorted(f.calls)
                 if callee.split(".")[0] not in never]
        depth, chain = max(below, key=lambda b: b[0], default=(0, []))
        known[never] = f.frame + depth, [name, *chain]
    return known[never]
