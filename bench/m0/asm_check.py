#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Assembly of sections 6 to 8 of the core against its C twins on Cortex-M0, under QEMU: one image
with both.

asm_twin.c, which includes the core, is compiled twice; only its own functions stay global, so
the two do not meet. asm_check.c calls both on edge and 100,000 random inputs."""

import cycles
from cycles import BUILD, COMMON, DIR, HERE, LINK, arm

TWINS = ["run", "canonical"]


def twin(asm):
    """asm_twin.c with or without assembly."""
    obj = DIR / f"asm_twin{asm}.o"
    arm.run("gcc", *BUILD, f"-DPICOSUIT_ASM={asm}", "-c", HERE / "asm_twin.c", "-o", obj)
    keep = [f"-G{'asm' if asm else 'c'}_{name}" for name in TWINS]
    arm.run("objcopy", *keep, obj)
    return obj


def main():
    cycles.build_plugin()
    elf, libc = DIR / "asm_check.elf", DIR / "asm_nolibc.o"
    arm.run("gcc", *BUILD, "-c", "-D_start=unused_start", "bench/nolibc.c", "-o", libc)
    arm.run("gcc", *BUILD, *LINK, *COMMON, HERE / "asm_check.c", twin(0), twin(1), libc, "-lgcc",
            "-o", elf)
    for line in cycles.simulate(elf, "m0"):
        name, n, count = line.split()
        print(f"{'sc' if name == 'row' else 'fe'}_{name:10} {n:>7} inputs as its C twin, {count:>5} cycles with the call")


if __name__ == "__main__":
    main()
