#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python, Go and the author's tool on this machine, in one run; figures to build/now/bindings.csv.

py_verify_pct   picosuit.verify of an envelope, in percent of the same calls in C
go_verify_pct   the same of Go: bindings/go/internal/bench, which measures in the same way
check_1mib_ms   `picosuit check` of an encrypted A/B update of 1 MiB: two updates, two boots
author_1mib_ms  `picosuit create`, `encrypt` and `sign` of 1 MiB, one process after the other

Turns of C and Python alternate in one process, with the same flags of the compiler; told is the
median of the turns' ratios. Of a process its processor time is told, start and imports included,
as bench/host does: the clock on the wall, which is printed beside it, has what else the machine
does, too. Both are the least of some runs. They never decide whether a test passes.
"""
from __future__ import annotations

import csv
import ctypes
import hashlib
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bindings/python/src"
OUT = ROOT / (os.environ.get("O") or "build")
sys.path[:0] = [str(PACKAGE), str(ROOT / "bench/m0")]

import bench_make  # noqa: E402
import picosuit  # noqa: E402

TURNS, ROUNDS = 101, 10  # verifications in a turn
PROCESSES = 5
MIB = 1 << 20
ENVELOPE = ROOT / "vectors/suit/plain_320.suit"
TARGETS = {"py_verify_pct": 130, "go_verify_pct": 110, "check_1mib_ms": 1000,
           "author_1mib_ms": 1000}  # fmt: skip


def fail(what: str) -> NoReturn:
    sys.exit(f"bench-bindings: FAIL {what}")


def run(command: Sequence[str | Path], **more: Any) -> str:
    """Its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode:
        fail(f"{shlex.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


# -- verify --------------------------------------------------------------------------------------


def c_verify() -> ctypes.CDLL:
    """bench_verify of the Go bench, with the core as setup.py compiles it."""
    library = OUT / "bench/verify.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    flags = shlex.split(sysconfig.get_config_var("CFLAGS") or "-O2")
    run([*shlex.split(os.environ.get("CC") or "cc"), *flags, "-std=c99", "-fPIC", "-shared",
         "-D_POSIX_C_SOURCE=199309L", "-DPICOSUIT_ED25519_EXPANDED=1", "-DPICOSUIT_WITH_SWAP=1",
         "-DPICOSUIT_EXPOSE_PRIMITIVES=1", ROOT / "bindings/go/internal/bench/verify.c",
         ROOT / "core/picosuit.c", "-o", library])  # fmt: skip
    loaded = ctypes.CDLL(str(library))
    loaded.bench_verify.restype = ctypes.c_int64
    loaded.bench_verify.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int]
    return loaded


def py_verify() -> tuple[float, float]:
    """Percent of C, and microseconds of C."""
    data, root = ENVELOPE.read_bytes(), bench_make.ROOT.public
    keys = [picosuit.Key(root, picosuit.Algorithm.ED25519, id=1)]
    library = c_verify()
    ratios, in_c = [], []
    for _ in range(TURNS):
        ns = library.bench_verify(data, len(data), root, ROUNDS)
        if ns < 0:
            fail("C refuses the envelope")
        start = time.perf_counter_ns()
        for _ in range(ROUNDS):
            picosuit.verify(data, keys)
        ratios.append(100 * (time.perf_counter_ns() - start) / ns)
        in_c.append(ns / ROUNDS / 1000)
    return statistics.median(ratios), statistics.median(in_c)


def go_verify() -> float | None:
    """None: there is no Go here."""
    if shutil.which("go") is None:
        return None
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    text = run(["go", "run", "./internal/bench", ROOT / "vectors"], cwd=ROOT / "bindings/go",
               env=environment)  # fmt: skip
    name, _, value = text.splitlines()[-1].partition(" ")
    if name != "go_verify_pct":
        fail(f"Go says {text!r}")
    return float(value)


# -- processes -----------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Took:
    """Milliseconds."""

    processor: float = 0.0
    wall: float = 0.0

    def __add__(self, other: Took) -> Took:
        return Took(self.processor + other.processor, self.wall + other.wall)


def tool(folder: Path, *arguments: str) -> Took:
    """The command, from the start of its process to its end."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run([sys.executable, "-m", "picosuit.cli", *arguments], cwd=folder, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(1000 * used, 1000 * wall)


def check(folder: Path) -> Took:
    """An update of 1 MiB for a device with room for it."""
    device = (ROOT / "bench/m0/device.toml").read_text()
    (folder / "big.toml").write_text(device.replace("capacity = 106496", f"capacity = {2 * MIB}"))
    (folder / "big.suit").write_bytes(bench_make.encrypted(MIB)[0])
    return min(tool(folder, "check", "big.suit", "--profile", "big.toml")
               for _ in range(PROCESSES))  # fmt: skip


DESCRIPTION = """
sequence = 2
vendor-domain = "example.com"
class = "bench"
[[component]]
id = ["app"]
file = "firmware.bin"
boot = true
"""


def author(folder: Path) -> Took:
    """From a description to a signed envelope with an encrypted payload of 1 MiB."""
    (folder / "update.toml").write_text(DESCRIPTION)
    (folder / "firmware.bin").write_bytes(hashlib.shake_256(b"picosuit bench").digest(MIB))
    tool(folder, "keygen", "root.pem")
    tool(folder, "keygen", "--type", "x25519", "device.pem")
    return min(sum(_author(folder), Took()) for _ in range(PROCESSES))


def _author(folder: Path) -> Iterator[Took]:
    yield tool(folder, "create", "update.toml", "-o", "plain.suit")
    yield tool(folder, "encrypt", "plain.suit", "-o", "encrypted.suit", "--to", "device.pub")
    yield tool(folder, "sign", "encrypted.suit", "-o", "signed.suit", "--key", "root.pem")


def main() -> None:
    percent, in_c = py_verify()
    figures: dict[str, float | None] = {"py_verify_pct": percent, "go_verify_pct": go_verify()}
    with tempfile.TemporaryDirectory() as name:
        processes = {"check_1mib_ms": check(Path(name)), "author_1mib_ms": author(Path(name))}
    figures |= {key: took.processor for key, took in processes.items()}
    walls = ", ".join(f"{key} {took.wall:.0f}" for key, took in processes.items())
    print(f"verification in C: {in_c:.1f} us; by the clock on the wall: {walls}")
    found = {name: round(value) for name, value in figures.items() if value is not None}
    for name, target in TARGETS.items():
        print(f"{name:15} {found.get(name, 'no Go'):>6}   target {target}")
    path = OUT / "now/bindings.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(found.items())


if __name__ == "__main__":
    main()
