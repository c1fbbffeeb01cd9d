#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core beside libsodium on this machine (bench/README.md, "Hosts").

usage: host.py [--record]    the latter also writes bench/host/recorded.json

Builds host.c with both and runs it; prints medians and ratios. A ratio is the median of the
rounds' own ratios, in percent: 100 is as fast as libsodium, 80 takes 1.25 times as long.
Figures go to build/now/host.csv, all of them to build/bench/host.json."""

import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

OUT = Path(os.environ.get("O") or "build")
CC = shlex.split(os.environ.get("CC") or "cc")
ROUNDS = os.environ.get("ROUNDS") or "60"
FLAGS = ["-std=c99", "-O2", "-DPICOSUIT_EXPOSE_PRIMITIVES=1", "-Icore"]
ENVELOPE = "vectors/suit/plain_320.suit"
BYTES = {"sha256": 65536, "sha512": 65536, "chacha20": 65536, "poly1305": 65536,
         "aead": 65536, "aead_1k": 1024}
DEMANDED = ["ed25519", "sha256", "sha512", "aead", "aead_1k"]  # ratio to portable C

os.chdir(Path(__file__).resolve().parents[2])


def run(*args):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True)


def build():
    exe = OUT / "bench" / "host"
    exe.parent.mkdir(parents=True, exist_ok=True)
    r = run(*CC, *FLAGS, "bench/host/host.c", "core/picosuit.c", "-o", exe, "-lsodium")
    if r.returncode:
        sys.exit(f"bench-host: needs libsodium and its headers, see make setup\n{r.stderr}")
    return exe


def measure(exe):
    """({(phase, row): [(ours, theirs)]}, version of libsodium)"""
    r = run(exe, ENVELOPE, ROUNDS)
    if r.returncode:
        sys.exit(r.stderr)
    rounds = {}
    for line in r.stdout.splitlines():
        phase, row, *ns = line.split()
        if ns:
            rounds.setdefault((phase, row), []).append(tuple(map(float, ns)))
    return rounds, line.split()[1]


def processor():
    """As Linux names it."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def rows(rounds):
    for (phase, name), pairs in rounds.items():
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        row = {"name": name, "against": phase, "ours_ns": round(ours), "theirs_ns": None}
        if theirs:
            row["theirs_ns"] = round(theirs)
            row["ratio_pct"] = int(100 * statistics.median(t / o for o, t in pairs))
        else:
            row["against"] = None
            row["per_second"] = int(1e9 / ours)
        if name in BYTES:
            row["bytes"] = BYTES[name]
        yield row


def show(table):
    print(f"{'row':16} {'libsodium':9} {'ours':>10} {'theirs':>10} {'ratio':>7}")
    for row in table:
        theirs = row["theirs_ns"]
        tail = f"{theirs:>7} ns {row['ratio_pct']:>5} %" if theirs else \
            f"{row['per_second']:,} per second"
        print(f"{row['name']:16} {row['against'] or '-':9} {row['ours_ns']:>7} ns {tail}")


def main():
    rounds, version = measure(build())
    table = list(rows(rounds))
    show(table)
    by_name = {(row["name"], row["against"]): row for row in table}
    lines = [f"host_{name}_pct,{by_name[name, 'portable']['ratio_pct']}" for name in DEMANDED]
    lines.append(f"host_manifests_per_s,{by_name['manifest', None]['per_second']}")
    (OUT / "now").mkdir(parents=True, exist_ok=True)
    (OUT / "now" / "host.csv").write_text("\n".join(lines) + "\n")
    compiler = run(*CC, "--version").stdout.splitlines()[0]
    record = {"date": datetime.date.today().isoformat(), "processor": processor(),
              "compiler": compiler, "flags": "-O2", "libsodium": version,
              "rounds": int(ROUNDS), "rows": table}
    text = json.dumps(record, indent=1) + "\n"
    (OUT / "bench" / "host.json").write_text(text)
    if "--record" in sys.argv[1:]:
        Path("bench/host/recorded.json").write_text(text)


if __name__ == "__main__":
    main()
