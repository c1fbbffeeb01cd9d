#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Flash of each section of core/picosuit.c on Cortex-M0, sizeof(picosuit), externals.

Built with portable C, default switches and STRINGS=0, linked alone with --gc-sections.
Fails when the core has writable data, needs a symbol it may not, or multiplies 64 bits by a
library call on the curve. Figures go to build/now/size.csv."""

import re
import subprocess
import sys

import arm

HOT = re.compile(r"fe_|ge_|(picosuit_)?(x25519|ed25519)")
SUPPORT = re.compile(r"__aeabi_|__gnu_thumb1_case_|__\w+[sd]i3$")


def owners(core):
    """{section of the object: function that refers to it}, for data without a name in C."""
    found, here = {}, ""
    for line in arm.run("objdump", "-r", core).splitlines():
        if m := re.match(r"RELOCATION RECORDS FOR \[\.text\.(.+)\]", line):
            here = m[1]
        elif here and (f := line.split()) and len(f) == 3:
            found.setdefault(f[2].split("+")[0], here)
    return found


def code_by_line(elf):
    """{line of the source: bytes of code}; what was inlined counts where it is written."""
    lines, line = {}, 0
    for text in arm.run("objdump", "-d", "-l", elf).splitlines():
        if m := re.match(r"\S*/core/picosuit\.c:(\d+)", text):
            line = int(m[1])
        elif re.match(r"[0-9a-f]+ <", text):  # another function, maybe not of the core
            line = 0
        elif line and (m := re.match(r"\s*[0-9a-f]+:\t([0-9a-f ]+)\t", text)):
            lines[line] = lines.get(line, 0) + len(m[1].replace(" ", "")) // 2
    return lines


def by_section(elf, core):
    """({source section: bytes}, compiler support bytes, [what could not be attributed])."""
    text = arm.SOURCE.read_text()
    starts = [(text.count("\n", 0, b[3]) + 1, b[0]) for b in arm.source_sections(text)]
    names, owner = arm.section_of_name(text), owners(core)
    sizes, support, lost = {}, 0, []
    for line, size in code_by_line(elf).items():
        number = max((s for s in starts if s[0] <= line), default=(0, 0))[1]
        sizes[number] = sizes.get(number, 0) + size
    for section, size, file in arm.input_sections(elf):
        if "libgcc" in file:
            support += size
        if not file.endswith(core.name) or section.startswith(".text"):
            continue
        name = arm.base(re.sub(r"^\.\w+\.|(\.str\d.*|\.cst\d+|\.\d+)$", "", section))
        if name not in names:  # a constant that the compiler made
            name = arm.base(owner.get(section, ""))
        if name not in names:
            lost.append(f"{section} ({size} bytes)")
        number = names.get(name, 0)
        sizes[number] = sizes.get(number, 0) + size
    total = sum(n for _, n, file in arm.input_sections(elf) if file.endswith(core.name))
    if abs(total - sum(sizes.values())) > 32:
        lost.append(f"{total} bytes in the map, {sum(sizes.values())} in the sections")
    return sizes, support, lost


def sizeof(name):
    path = arm.OUT / "m0" / "sizeof.o"
    text = f'#include "picosuit.h"\nchar sizeof_{name}[sizeof({name})];\n'
    subprocess.run([arm.CROSS + "gcc", *arm.FLAGS, "-fno-common", "-Icore", "-x", "c", "-c", "-",
                    "-o", str(path)], input=text, text=True, check=True)
    return int(arm.run("nm", "-S", path).split()[1], 16)


def externals(core):
    undefined = [line.split()[-1] for line in arm.run("nm", "-u", core).splitlines()]
    bad = [s for s in undefined if s not in arm.ALLOWED and not SUPPORT.match(s)]
    return undefined, bad


def writable(elf, core):
    return [f"{s} ({n} bytes)" for s, n, file in arm.input_sections(elf)
            if file.endswith(core.name) and not re.match(r"\.(text|rodata)", s)]


def multiplies(core, elf):
    table = arm.functions(elf, arm.frames(core))
    return sorted(f.name for f in table.values()
                  if HOT.match(f.name) and f.calls & {"__aeabi_lmul", "__muldi3"})


def main():
    core = arm.compile_default("default", "-DPICOSUIT_WITH_STRINGS=0")
    elf = arm.link(core)
    sizes, support, lost = by_section(elf, core)
    (arm.OUT / "size.txt").write_text("".join(
        f"{n:6} {s}\n" for s, n, _ in sorted(arm.input_sections(elf), key=lambda x: -x[1])))
    titles = {b[0]: b[1] for b in arm.source_sections(arm.SOURCE.read_text())}
    print("Cortex-M0, gcc -Os, portable C, default switches, STRINGS=0; bytes of flash")
    for number in sorted(set(sizes) | set(titles)):
        print(f"  {number:2} {titles.get(number, '(no section)')[:58]:58} {sizes.get(number, 0):6}")
    print(f"     {'compiler support (libgcc)':58} {support:6}")
    low = sum(n for s, n in sizes.items() if 9 <= s <= 18)
    boot = sizes.get(19, 0)
    total = sum(sizes.values()) + support - boot
    texts = arm.input_sections(arm.link(arm.compile_default("strings")))
    strings = sum(n for _, n, file in texts if file.endswith(core.name))
    context, state = sizeof("picosuit"), sizeof("picosuit_boot")
    undefined, bad = externals(core)
    print(f"  sections 9 to 18: {low}")
    print(f"  sections 1 to 18 with compiler support: {total}; boot state: {boot}; "
          f"all, STRINGS=1: {strings + support}")
    print(f"  sizeof(picosuit): {context}; sizeof(picosuit_boot): {state}")
    print(f"  externals: {' '.join(undefined) or 'none'}")
    print(f"  each function and constant: {arm.OUT / 'size.txt'}")
    problems = [f"not attributed to a section: {x}" for x in lost]
    problems += [f"writable data: {x}" for x in writable(elf, core)]
    problems += [f"forbidden external symbol: {x}" for x in bad]
    problems += [f"64-bit multiply helper called by {x}" for x in multiplies(core, elf)]
    for p in problems:
        print(f"size: FAIL {p}")
    arm.record("size", {"text_9_18": low, "text_all": total, "text_all_stretch": total,
                        "sizeof_picosuit": context, "boot_text": boot, "boot_ram": state})
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
