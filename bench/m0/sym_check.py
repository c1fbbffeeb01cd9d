#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SHA-2, ChaCha20, Poly1305 and AES for Cortex-M0 against their twins, under QEMU: one image
with both builds of the core for each compiler and level (sym_check.c)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import arm

HERE = Path("bench/m0")
DIR = arm.OUT / "m0" / "sym"
QEMU = os.environ.get("QEMU") or "qemu-system-arm"
CLANG = os.environ.get("CLANG") or "clang"
FLAGS = [*arm.CPU, "-std=c99", "-ffreestanding", "-ffunction-sections", "-Icore",
         "-Ibench/m0"]
LINK = ["-nostartfiles", "-nostdlib", "-T", HERE / "prim.ld", "-Wl,--gc-sections"]


def twin(name, level, tool):
    """The core built one way, nothing visible but its table."""
    path = DIR / f"{name}.o"
    flags = [*FLAGS, level, f"-DPICOSUIT_ASM={int(name == 'asm')}",
             "-DPICOSUIT_EXPOSE_PRIMITIVES=1", "-c", HERE / "sym_twin.c", "-o", path]
    if tool == "clang":
        libc = arm.run("gcc", "-print-file-name=include").strip()
        flags += ["--target=thumbv6m-linux-gnueabi", "-fshort-enums", "-isystem", libc, "-isystem",
                  "/usr/include/newlib"]
        subprocess.run([CLANG, *map(str, flags)], check=True)
    else:
        arm.run("gcc", *flags)
    arm.run("objcopy", f"--keep-global-symbol=sym_{name}", path)
    return path


def check(tool, level, runs):
    """Runs one image; what its twins in C are made with does not change."""
    elf = DIR / "check.elf"
    parts = [twin("asm", level, tool), twin("c", "-O2", "gcc")]
    common = [HERE / "prim_start.S", HERE / "prim_io.c", HERE / "sym_check.c"]
    arm.run("gcc", *FLAGS, *arm.NOLIBC, "-O2", f"-DSYM_RUNS={runs}", "-D_start=unused_start",
            *LINK, *common, "bench/nolibc.c", *parts, "-lgcc", "-o", elf)
    cmd = [QEMU, "-M", "microbit", "-nographic", "-monitor", "none", "-serial", "null",
           "-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    r = arm.emulate(cmd)
    for line in (r.stdout + r.stderr).splitlines():
        print(f"{tool} {level}: {line}")
    return r.returncode


def main():
    DIR.mkdir(parents=True, exist_ok=True)
    bad = check("gcc", "-Os", 100000)
    bad += check("gcc", "-O0", 500)
    bad += check("gcc", "-O3", 500)
    if shutil.which(CLANG):
        bad += check("clang", "-O0", 500)
        bad += check("clang", "-Os", 500)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
