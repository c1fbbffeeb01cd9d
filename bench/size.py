#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Flash of each section of core/picosuit.c on Cortex-M0, sizeof(picosuit), externals.

Three builds (arm.BUILDS): portable C and assembly, both with the default switches and
STRINGS=0, and the smallest; linked alone with --gc-sections. Fails when the core has writable
data, needs a symbol it may not, or multiplies 64 bits by a library call on the curve. Figures
go to build/now/size.csv."""

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


class Build:
    """The image of one configuration and where its bytes belong."""

    def __init__(self, name):
        self.core = arm.compile_build(name)
        self.elf = arm.link(self.core)
        self.sizes, self.support, self.lost = by_section(self.elf, self.core)
        self.boot = self.sizes.get(19, 0)
        self.total = sum(self.sizes.values()) + self.support

    def problems(self):
        yield from (f"not attributed to a section: {x}" for x in self.lost)
        yield from (f"writable data: {x}" for x in writable(self.elf, self.core))
        yield from (f"forbidden external symbol: {x}" for x in externals(self.core)[1])
        yield from (f"64-bit multiply helper called by {x}"
                    for x in multiplies(self.core, self.elf))


def show(builds):
    titles = {b[0]: b[1] for b in arm.source_sections(arm.SOURCE.read_text())}
    print("Cortex-M0, gcc -Os, bytes of flash" + " " * 29 + "".join(f"{b:>9}" for b in builds))
    for number in sorted({n for b in builds.values() for n in b.sizes} | set(titles)):
        sizes = "".join(f"{b.sizes.get(number, 0):9}" for b in builds.values())
        print(f"  {number:2} {titles.get(number, '(no section)')[:58]:58}{sizes}")
    for what, of in (("compiler support (libgcc)", lambda b: b.support),
                     ("sections 1 to 18 with compiler support", lambda b: b.total - b.boot),
                     ("all", lambda b: b.total)):
        print(f"     {what:58}" + "".join(f"{of(b):9}" for b in builds.values()))


def main():
    builds = {name: Build(name) for name in arm.BUILDS}
    plain, fast, small = (builds[name] for name in ("portable", "assembly", "small"))
    (arm.OUT / "size.txt").write_text("".join(
        f"{n:6} {s}\n" for s, n, _ in
        sorted(arm.input_sections(plain.elf), key=lambda x: -x[1])))
    show(builds)
    low = sum(n for s, n in plain.sizes.items() if 9 <= s <= 18)
    context, state = sizeof("picosuit"), sizeof("picosuit_boot")
    print(f"  sections 9 to 18, portable: {low}")
    print(f"  sizeof(picosuit): {context}; sizeof(picosuit_boot): {state}")
    print(f"  externals: {' '.join(externals(plain.core)[0]) or 'none'}")
    print(f"  each function and constant, portable: {arm.OUT / 'size.txt'}")
    problems = [f"{name}: {p}" for name, build in builds.items() for p in build.problems()]
    for p in problems:
        print(f"size: FAIL {p}")
    text = plain.total - plain.boot
    arm.record("size", {"text_9_18": low, "text_all": text, "text_all_stretch": text,
                        "text_asm": fast.total - fast.boot, "text_asm_boot": fast.total,
                        "text_small": small.total, "sizeof_picosuit": context,
                        "boot_text": plain.boot, "boot_ram": state})
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
