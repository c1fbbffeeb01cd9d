#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keys and R with parts of small order: on a Cortex-M0, half-size scalars in assembly and the
equation itself in C say the same (m0_twins.c), and what is known: S B = R + k A, without a
cofactor. ED25519_TWINS=n tries n signatures, 1,000 by default; 100,000 take most of an hour."""

import hashlib
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "make"))
import arm
import curve
import m0_run

DIR = arm.OUT / "m0" / "twins"
MANY = int(os.environ.get("ED25519_TWINS") or 1000)
BUILDS = {"halves": ["-DPICOSUIT_ASM=1", "-DPICOSUIT_ED25519_HALVES=1"],
          "whole": ["-DPICOSUIT_ASM=0", "-DPICOSUIT_ED25519_HALVES=0"]}


def torsion():
    """n T for n = 0..7, T of order 8: what is left of a point times L."""
    y = 2
    while True:
        x = curve.root(y, 0)
        if x is not None:
            t = curve.times(curve.L, (x, y))
            if curve.times(4, t) != (0, 1):
                return [curve.times(n, t) for n in range(8)]
        y += 1


class Walk:
    """Points of known multiple of the base point, one addition each."""

    def __init__(self, rng):
        self.rng = rng
        self.steps = [self.random() for _ in range(32)]
        self.s, self.point = self.random()

    def random(self):
        s = self.rng.randrange(1, curve.L)
        return s, curve.times(s, curve.BASE)

    def next(self):
        s, point = self.rng.choice(self.steps)
        self.s, self.point = (self.s + s) % curve.L, curve.add(self.point, point)
        return self.s, self.point


def records(many, seed=1):
    """key, signature, message, verdict. Half are sought to be right, one in 16 is spoiled."""
    rng = random.Random(seed)
    keys, nonces, small = Walk(rng), Walk(rng), torsion()
    for i in range(many):
        (a, a_point), (r, r_point) = keys.next(), nonces.next()
        n, m = rng.randrange(8), 0 if i % 3 == 0 else rng.randrange(8)
        key = curve.encode(curve.add(a_point, small[n]))
        big_r = curve.encode(curve.add(r_point, small[m]))
        for _ in range(64 if i % 2 else 1):
            data = rng.randbytes(4)
            k = int.from_bytes(hashlib.sha512(big_r + key + data).digest(), "little") % curve.L
            is_good = (m + k * n) % 8 == 0
            if is_good:
                break
        sig = bytearray(big_r + ((r + k * a) % curve.L).to_bytes(32, "little"))
        if i % 16 == 15:
            sig[rng.randrange(64)] ^= 1 << rng.randrange(8)
            is_good = False
        yield key + sig + data + bytes([is_good])


def build():
    """One image with both builds of the core; only their verify functions are visible."""
    objects, elf = [], DIR / "twins.elf"
    for name, flags in BUILDS.items():
        obj = arm.compile_core(f"twins-{name}", *flags, "-DPICOSUIT_EXPOSE_PRIMITIVES=1")
        arm.run("objcopy", "--redefine-sym", f"picosuit_ed25519_verify={name}_verify", obj)
        arm.run("objcopy", f"--keep-global-symbol={name}_verify", obj)
        objects.append(obj)
    arm.run("gcc", *arm.CPU, "-std=c99", "-Os", "-Wall", "-Wextra", *m0_run.LINK,
            m0_run.HERE / "m0_start.c", m0_run.HERE / "m0_twins.c", *objects, "-o", elf)
    m0_run.check_instructions(elf)
    return elf


def main():
    DIR.mkdir(parents=True, exist_ok=True)
    elf, data, parts = build(), DIR / "twins.bin", os.cpu_count() or 1
    data.write_bytes(b"".join(records(MANY)))
    size = max(1, min(1000, MANY // parts))
    jobs = [(at, min(size, MANY - at)) for at in range(0, MANY, size)]
    totals = [0, 0, 0]
    with ThreadPoolExecutor(parts) as pool:
        for job, (status, out) in zip(jobs, pool.map(
                lambda j: m0_run.run(elf, "Cortex-M0", "twins", data, *j), jobs)):
            words = out.split()
            if status or "0 differ" not in out:
                sys.exit(f"m0-twins: FAIL at {job}, exit status {status}\n{out}")
            totals = [t + int(words[i]) for t, i in zip(totals, (0, 2, 4))]
    print(f"m0-twins: {totals[0]} signatures, {totals[1]} accepted, half-size scalars in assembly "
          f"and the equation in C agree")
    if totals[0] != MANY or not MANY // 4 < totals[1] < MANY:
        sys.exit("m0-twins: FAIL not as many as asked for, or a verdict is missing")


if __name__ == "__main__":
    main()
