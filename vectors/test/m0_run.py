#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tests of the core compiled for ARMv6-M, under QEMU: the files of `make test-core`, and its
tests, but for those that LEFT_OUT names. The last line is theirs: `N passed, N failed`.

The default build runs in full on a Cortex-M3 with a memory protection unit (m0_start.c), which
executes ARMv6-M code; that nothing else is in the image is looked up in its disassembly. The suites
of the primitives run on QEMU's Cortex-M0, in that build and in others. Splits are sampled
(TEST_QUICK): `M0_QUICK=1` tries eight times as many. M0_BUILDS="gcc clang" chooses builds."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import arm

HERE = Path("vectors/test")
DIR = arm.OUT / "m0" / "suite"
QEMU = os.environ.get("QEMU") or "qemu-system-arm"
CLANG = os.environ.get("CLANG") or "clang"
QUICK = os.environ.get("M0_QUICK") or "8"
GCC = f"{arm.CROSS}gcc {' '.join(arm.CPU)}"
FLAGS = "-Os -g -ffunction-sections -fdata-sections"
LINK = ["-nostartfiles", "--specs=rdimon.specs", "-T", HERE / "m0.ld", "-Wl,--gc-sections"]
CRYPTO = "bytes sha2 kdf aead aeskw field ed25519".split()

# More memory than any nRF51 was made with, and more regions than any Cortex-M3.
MACHINES = {
    "Cortex-M3": ["-M", "mps2-an385", "-global", "cortex-m3-arm-cpu.pmsav7-dregion=64"],
    "Cortex-M0": ["-M", "microbit", "-global", "nrf51-soc.sram-size=0x2000000", "-global",
                  "nrf51-soc.flash-size=0x400000"],
}

SIZES = {"test_hostile_open_of_4_gib": "needs lengths above 32 bits"}
NO_LOAD = {"test_bytes_load32be": "only C code loads so"}

# name: compiler, switches, [(machine, suites)], tests that are not there and why
BUILDS = {
    "gcc": ("gcc", "", [("Cortex-M3", []), ("Cortex-M0", CRYPTO)], {**SIZES, **NO_LOAD}),
    "gcc-c": ("gcc", "-DPICOSUIT_ASM=0", [("Cortex-M0", CRYPTO)], {}),
    "gcc-whole": ("gcc", "-DPICOSUIT_ED25519_HALVES=0", [("Cortex-M0", CRYPTO)], NO_LOAD),
    "clang": ("clang", "", [("Cortex-M0", CRYPTO)], NO_LOAD),
    "gcc-expanded": ("gcc", "-DPICOSUIT_ED25519_EXPANDED=1", [("Cortex-M0", ["expanded"])], {}),
}
# name: what the host's tests are compiled with, where it is not the default
HOST = {"gcc-expanded": "-DPICOSUIT_ED25519_EXPANDED=1"}


def make_objects(name, compiler, switches):
    """white.o, and with it the core, of one build; everything else for the first."""
    out = DIR / name
    goal = "test-objects" if name == "gcc" else str(out / "test" / "white.o")
    core = f"{GCC} -std=c99 -ffreestanding"
    if compiler == "clang":
        core = (f"{CLANG} --target=thumbv6m-none-eabi -mcpu=cortex-m0 -mfloat-abi=soft "
                "-fshort-enums -isystem /usr/include/newlib -std=c99 -ffreestanding")
        switches += " -Wno-overlength-strings"
    r = subprocess.run(["make", "-s", "--no-print-directory", goal, f"O={out}", f"CC={GCC}",
                        f"CFLAGS={FLAGS}", f"COMPILE_CORE={core}",
                        f"CPPFLAGS=-DTEST_M0=1 {switches}"],
                       capture_output=True, text=True, env=clean_environment())
    if r.returncode or r.stderr:
        sys.exit(f"m0: FAIL {name} does not compile\n{r.stderr}")


def clean_environment():
    """Nothing of the make that runs this is meant for another."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


def link(name):
    """One image; the first build has all objects but white.o."""
    elf, start = DIR / f"{name}.elf", DIR / "m0_start.o"
    arm.run("gcc", *arm.CPU, *FLAGS.split(), "-std=c99", "-Wall", "-Wextra", f"-I{DIR}/gcc/test",
            "-DTEST_M0=1", "-c", HERE / "m0_start.c", "-o", start)
    common = [o for o in sorted((DIR / "gcc" / "test").glob("*.o")) if o.name != "white.o"]
    arm.run("gcc", *arm.CPU, *LINK, start, *common, DIR / name / "test" / "white.o", "-o", elf)
    return elf


def check_instructions(elf):
    """Ends the program if an image holds what ARMv6-M has not."""
    if not re.search(r"Tag_CPU_arch: v6S?-M\b", arm.run("readelf", "-A", elf)):
        sys.exit(f"m0: FAIL {elf} is not for ARMv6-M")
    count = 0
    for line in arm.run("objdump", "-d", elf).splitlines():
        m = re.match(r"\s*[0-9a-f]+:\t([0-9a-f]{4})(?: ([0-9a-f]{4}))?\s+\t([a-z]\S*)", line)
        if not m:
            continue
        one, two = int(m[1], 16), int(m[2], 16) if m[2] else None
        is_bad = (one & 0xf500) == 0xb100 or (one & 0xff00) == 0xbf00 and one & 15  # cbz, it
        if two is not None:
            is_bad = not ((one & 0xf800) == 0xf000 and (two & 0xd000) == 0xd000  # bl
                          or one in (0xf3ef, 0xf3bf) or (one & 0xfff0) == 0xf380)  # mrs, dmb, msr
        if is_bad:
            sys.exit(f"m0: FAIL {elf} has an instruction that ARMv6-M has not: {line}")
        count += 1
    return count


def run(elf, machine, *words):
    """(exit status, output) of an image; words: VARIABLE=value..., program, suites."""
    args = ",".join(f"arg={w}" for w in words)
    r = arm.emulate([QEMU, *MACHINES[machine], "-nographic", "-monitor", "none", "-serial",
                     "null", "-semihosting-config", f"enable=on,target=native,{args}",
                     "-kernel", elf], 1200)
    return r.returncode, r.stdout + r.stderr


def names(output):
    return {line[5:] for line in output.splitlines() if line.startswith("PASS ")}


def host_of(name):
    return DIR / (f"host-{name}" if name in HOST else "host")


def check_suites(name, machine, suites, left_out):
    """Runs suites of one build; the same tests as on the host pass. Returns the last line."""
    status, out = run(DIR / f"{name}.elf", machine, "CI=1", f"TEST_QUICK={QUICK}", "all", "-v",
                      *suites)
    got, last = names(out), (out.splitlines() or [""])[-1]
    r = subprocess.run([host_of(name) / "test" / "all", "-v", *suites], capture_output=True,
                       text=True, env={"TEST_QUICK": "100"})
    want = names(r.stdout)
    gone = {t for t in left_out if t in want}
    label = f"m0: {name} on {machine}, {' '.join(suites) or 'all suites'}"
    if status or r.returncode or got != want - gone or last != f"{len(got)} passed, 0 failed":
        shown = [line for line in out.splitlines() if not line.startswith("PASS ")][-20:]
        for test in sorted(got ^ (want - gone))[:10]:
            shown.append(f"{'only here' if test in got else 'missing'}: {test}")
        sys.exit("\n".join([f"{label}: FAIL, exit status {status}", *shown]))
    print(f"{label}: {last}; {len(want)} on the host", flush=True)
    for test in sorted(gone):
        print(f"    without {test}: {left_out[test]}")
    return last


def check_failures(elf):
    """A failure, a byte too many and an unaligned word are seen, and end in a failure."""
    for kind, machines in (("fail", MACHINES), ("read", ["Cortex-M3"]), ("write", ["Cortex-M3"]),
                           ("unaligned", MACHINES)):
        for machine in machines:
            status, out = run(elf, machine, f"M0_BREAK={kind}", "all", "bytes")
            if not status or (" 1 failed" if kind == "fail" else "fault at instruction") not in out:
                sys.exit(f"m0: FAIL {kind} on {machine} is not seen: status {status}\n{out}")
    print("m0: a failed test, a byte behind a block and an unaligned word are found", flush=True)


def main():
    wanted = (os.environ.get("M0_BUILDS") or " ".join(BUILDS)).split()
    for tool in (CLANG, QEMU):
        if not shutil.which(tool):
            sys.exit(f"m0: needs {tool}, see make setup")
    DIR.mkdir(parents=True, exist_ok=True)
    for out, switches in {host_of(name): HOST.get(name, "") for name in ["gcc", *wanted]}.items():
        goal = str(out / "test" / "all")
        subprocess.run(["make", "-s", f"O={out}", f"CPPFLAGS={switches}", goal], check=True,
                       env=clean_environment())
    jobs, lines = [], {}
    for name in dict.fromkeys(["gcc", *wanted]):
        compiler, switches, runs, left_out = BUILDS[name]
        make_objects(name, compiler, switches)
        count = check_instructions(link(name))
        print(f"m0: {name}: {count} instructions, all of ARMv6-M", flush=True)
        jobs += [(name, *one, left_out) for one in runs if name in wanted]
    check_failures(DIR / "gcc.elf")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = list(pool.map(lambda job: check_suites(*job), jobs))
    print(lines[0])


if __name__ == "__main__":
    main()
