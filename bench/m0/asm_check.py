#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Assembly of sections 6 to 8 of the core against its C twins on Cortex-M0, under QEMU: one image
with both, for each compiler of the assembly.

asm_twin.c, which includes the core, is compiled twice; only its own functions stay global, so
the two do not meet. asm_check.c calls both on edge and random inputs: 100,000, where clang makes
what stands around the assembly 20,000."""

import os
import shutil
import subprocess

import cycles
from cycles import BUILD, COMMON, DIR, HERE, LINK, arm

CLANG = os.environ.get("CLANG") or "clang"
TWINS = ["run", "canonical"]


def twin(asm, tool="gcc"):
    """asm_twin.c with or without assembly."""
    obj = DIR / f"asm_twin{asm}.o"
    flags = [f"-DPICOSUIT_ASM={asm}", "-c", HERE / "asm_twin.c", "-o", obj]
    if tool == "clang":
        libc = arm.run("gcc", "-print-file-name=include").strip()
        flags = ["--target=thumbv6m-linux-gnueabi", "-fshort-enums", "-isystem", libc, "-isystem",
                 "/usr/include/newlib", *arm.FLAGS, "-fno-builtin", "-Icore", "-Ibench/m0", *flags]
        subprocess.run([CLANG, *map(str, flags)], check=True)
    else:
        arm.run("gcc", *BUILD, *flags)
    keep = [f"-G{'asm' if asm else 'c'}_{name}" for name in TWINS]
    arm.run("objcopy", *keep, obj)
    return obj


def check(tool, runs):
    elf, libc = DIR / "asm_check.elf", DIR / "asm_nolibc.o"
    arm.run("gcc", *BUILD, "-c", "-D_start=unused_start", "bench/nolibc.c", "-o", libc)
    arm.run("gcc", *BUILD, f"-DASM_CHECK_N={runs}", *LINK, *COMMON, HERE / "asm_check.c", twin(0),
            twin(1, tool), libc, "-lgcc", "-o", elf)
    for line in cycles.simulate(elf, "m0"):
        name, n, count = line.split()
        name = ("sc_" if name == "row" else "fe_") + name
        print(f"{tool} {name:13} {n:>7} inputs as its C twin, {count:>5} cycles with the call")


def main():
    cycles.build_plugin()
    check("gcc", 100000)
    if shutil.which(CLANG):
        check("clang", 20000)


if __name__ == "__main__":
    main()
