#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cycles and stack of the primitives on Cortex-M0, under QEMU with the counter cycles.c.

First the counter is checked with the calibration image, for both timing tables. Then each
primitive is measured: cycles, painted stack, and the static bound of the same code, which
must hold and be within 10 % for Ed25519. Figures go to build/now/cycles.csv."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import arm

HERE = Path("bench/m0")
DIR = arm.OUT / "m0"
QEMU = os.environ.get("QEMU") or "qemu-system-arm"
LINK = ["-nostartfiles", "-nostdlib", "-T", HERE / "prim.ld", "-Wl,--gc-sections"]
COMMON = [HERE / "prim_start.S", HERE / "prim_io.c"]
PER_BYTE = ["sha256", "sha512", "chacha20", "poly1305"]
BUILD = [*arm.FLAGS, *arm.NOLIBC, "-Icore", "-Ibench/m0"]


def simulate(elf, core):
    """Lines that an image prints; it must end with status 0."""
    cmd = [QEMU, "-M", "microbit", "-nographic", "-monitor", "none", "-serial", "null",
           "-semihosting-config", "enable=on,target=native", "-kernel", str(elf),
           "-plugin", f"{DIR / 'cycles.so'},core={core},quiet=on"]
    r = arm.emulate(cmd)
    lines = (r.stdout + r.stderr).splitlines()
    if r.returncode:
        sys.exit(f"cycles: FAIL {elf.name} on {core}: status {r.returncode}\n" + "\n".join(lines))
    return lines


def calibrate():
    elf = DIR / "calib.elf"
    arm.run("gcc", *BUILD, *LINK, *COMMON, HERE / "calib.c", HERE / "calib.S", "-lgcc", "-o", elf)
    for core, mark in (("m0", "M0"), ("m0plus", "M0+")):
        lines = simulate(elf, core)
        wrong = [line for line in lines if mark not in line.split()]
        if wrong or len(lines) != 10:
            sys.exit(f"cycles: FAIL the counter is off on {core}: {wrong or lines}")
    print("counter: all 20 calibration figures are equal")


def build(name, *build_flags):
    """The image, and its functions with their stack bounds."""
    core = arm.compile_core(name, *build_flags, "-DPICOSUIT_EXPOSE_PRIMITIVES=1")
    prim, elf = DIR / "prim.o", DIR / f"{name}.elf"
    flags = ["-fstack-usage", "-DPICOSUIT_EXPOSE_PRIMITIVES=1", f"-I{DIR}", *build_flags]
    arm.run("gcc", *BUILD, *flags, "-c", HERE / "prim.c", "-o", prim)
    libc = DIR / "prim_nolibc.o"
    arm.run("gcc", *BUILD, "-c", "-D_start=unused_start", "bench/nolibc.c", "-o", libc)
    arm.run("gcc", *BUILD, *LINK, *COMMON, prim, core, libc, "-lgcc", "-o", elf)
    return elf, arm.functions(elf, arm.frames(core) | arm.frames(prim))


def write_key():
    """prim_key.h: the key of prim.c, expanded by the tool as an engineer would."""
    text = (HERE / "prim.c").read_text().split("ed_key[32] = {")[1].split("}")[0]
    key = bytes(int(byte, 16) for byte in text.replace(",", " ").split())
    subprocess.run([sys.executable, "vectors/make/expand_key.py", key.hex(), "--c", "ed_expanded",
                    "-o", DIR / "prim_key.h"], check=True)


def measure(name, *build_flags):
    """({primitive: cycles}, {primitive: hundredths of a cycle per byte}, problems)."""
    elf, table = build(name, *build_flags)
    cycles, per_byte, problems = {}, {}, []
    print(f"{name:16} {'cycles':>10} {'painted':>8} {'bound':>6}   (bytes of stack)")
    for line in simulate(elf, "m0"):
        name, count, painted, *marks = line.split()
        cycles[name] = int(count)
        bound = cycles[f"{name} stack"] = arm.worst(table, f"run_{name}")[0]
        print(f"{name:16} {count:>10} {painted:>8} {bound:6} {' '.join(marks)}")
        if marks:
            problems.append(f"{name}: {' '.join(marks)}")
        if int(painted) > bound or name == "ed25519_55" and int(painted) < 0.9 * bound:
            problems.append(f"{name}: painted {painted} bytes of stack, bound {bound}")
    for name in PER_BYTE:
        slope = cycles[f"{name}_1088"] - cycles[f"{name}_64"]
        per_byte[name] = -(-100 * slope // 1024)
        print(f"{name}: {slope / 1024:.1f} cycles per byte")
    return cycles, per_byte, problems


def build_plugin():
    DIR.mkdir(parents=True, exist_ok=True)
    subprocess.run([os.environ.get("CC") or "cc", "-O2", "-fPIC", "-shared", "-o",
                    str(DIR / "cycles.so"), str(HERE / "cycles.c")], check=True)


def main():
    build_plugin()
    calibrate()
    cycles, _, problems = measure("primitives", *arm.PORTABLE)
    fast, per_byte, more = measure("assembly", "-DPICOSUIT_ASM=1")  # with half-size scalars
    _, _, again = measure("whole", "-DPICOSUIT_ASM=1", "-DPICOSUIT_ED25519_HALVES=0")
    write_key()
    table, _, third = measure("expanded", "-DPICOSUIT_ASM=1", "-DPICOSUIT_ED25519_EXPANDED=1")
    more += again + third
    arm.record("cycles", {"ed25519_m0_cycles": cycles["ed25519_55"],
                          "x25519_m0_cycles": cycles["x25519"],
                          "ed25519_m0_asm": fast["ed25519_150"],
                          "ed25519_m0_halves": fast["ed25519_150"],
                          "stack_ed25519_halves": fast["ed25519_150 stack"],
                          "ed25519_m0_expanded": table["ed25519_expanded"],
                          "stack_ed25519_expanded": table["ed25519_expanded stack"],
                          "x25519_m0_asm": fast["x25519"],
                          "stack_ed25519": fast["ed25519_150 stack"],
                          "aes_unwrap40_m0": fast["aes_unwrap_40"],
                          **{f"{name}_m0_ccpb": n for name, n in per_byte.items()}})
    for p in problems + more:
        print(f"cycles: FAIL {p}")
    sys.exit(1 if problems or more else 0)


if __name__ == "__main__":
    main()
