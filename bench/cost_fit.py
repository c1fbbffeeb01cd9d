#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Constants of `picosuit check`'s estimate of cycles, from what `make bench` has counted.

The envelopes of bench_make.py run on a virtual device, which says how many signatures, bytes,
commands, pages there were. Primitives cost what counts.csv has for them; what the rest costs in
the build `asm` on M0 is fitted to its rows, by least squares of the relative error. In other
builds and on M0+ the rest costs that times one factor, fitted in the same way.

usage: cost_fit.py           write cost.json of the Python package
       cost_fit.py --check  compare with it: exit status 1 if it differs
       cost_fit.py --errors  print what the estimate says of each row
"""
from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bindings/python/src"), str(ROOT / "bench/m0")]

import bench_make as make  # noqa: E402

from picosuit import Procedure  # noqa: E402
from picosuit.author import cost, meter, profile  # noqa: E402
from picosuit.author.cost import Effort  # noqa: E402
from picosuit.author.envelope import Envelope  # noqa: E402
from picosuit.author.trace import Trace  # noqa: E402
from picosuit.author.virtual import run_update  # noqa: E402

COUNTS, SIZES = ROOT / "bench/counts.csv", ROOT / "docs/sizes.md"
TARGET = ROOT / "bindings/python/src/picosuit/author/cost.json"
KIB = 1024
Costs = dict[str, float]  # cycles by member of Effort
WORK = 6144  # bytes, as bench.c has
# What is fitted: its cost beside the primitives.
GLUE = ("procedures", "kept", "commands", "components", "pairs", "fed", "given", "read",
        "programmed", "erased")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of counts.csv, and what was done in it."""

    name: str
    build: str
    core: str
    cycles: int
    effort: Effort


# -- what was done -------------------------------------------------------------------------------


def device(mode: str) -> profile.Profile:
    """The device of bench.c: s slots, t slots declared TRUSTED, c counting sink, m many components
    in RAM. Slot A is written."""
    base = profile.load(ROOT / "bench/m0/device.toml")
    image, keys, spool = base.components
    components = {
        "s": base.components,
        "t": (replace(image, kind=profile.TRUSTED), keys, spool),
        "c": (replace(image, kind=profile.TRUSTED, capacity=2048 * KIB), spool),
        "m": tuple(profile.Component((bytes([n]),), profile.STORED, 64) for n in range(32)),
    }[mode]
    return replace(base, components=components, write_slot=0, work=WORK)


@cache
def efforts(mode: str, build: Callable[[], tuple[bytes, bytes, int]]) -> tuple[Effort, Effort]:
    """What update and boot of a measured envelope come to."""
    data, payload, _ = build()
    about = device(mode)
    virtual = meter.device_of(about, about.device_keys, about.write_slot)
    keys = [meter.key_of(key) for key in about.anchors]
    outcome = run_update(data, virtual, keys, Procedure.UPDATE, lambda _: payload or None, WORK)
    if outcome.error is not None:
        sys.exit(f"cost: FAIL {outcome.error}")
    trace, facts = Trace(Envelope(data)), meter.Facts(about, about.write_slot)
    plans = [meter.Plan(trace, facts, procedure) for procedure in ("update", "invoke")]
    done = meter.update_effort(plans[0], virtual, outcome)
    if mode in "cm":  # no flash
        done = replace(done, programmed=0, erased=0)
    return done, Effort(commands=len(plans[1].visits), read=plans[1].matched)


plain, encrypted = partial(partial, make.plain), partial(partial, make.encrypted)
UPDATES = {
    "plain_64k": ("s", plain(64 * KIB)),
    "plain_64k_match_in_install": ("s", plain(64 * KIB, is_twice=True)),
    "plain_64k_trusted": ("t", plain(64 * KIB)),
    "plain_64k_by_uri": ("s", plain(64 * KIB, is_inside=False)),
    "encrypted_64k": ("s", encrypted(64 * KIB)),
    "encrypted_64k_match_in_install": ("s", encrypted(64 * KIB, is_twice=True)),
    "encrypted_64k_by_uri": ("s", encrypted(64 * KIB, is_inside=False)),
}
GROWTH: dict[str, tuple[str, Callable[[int], tuple[bytes, bytes, int]]]] = {
    "plain_slot": ("s", lambda n: make.plain(n, is_inside=False)),
    "encrypted_slot": ("s", lambda n: make.encrypted(n, is_inside=False)),
    "plain_sink": ("c", lambda n: make.plain(n, is_inside=False)),
    "encrypted_sink": ("c", lambda n: make.encrypted(n, is_inside=False)),
    "commands": ("s", make.commands),
    "components": ("m", make.components),
}


def effort_of(group: str, name: str) -> Effort | None:
    """What was done in a row; None: it is no update and no boot."""
    if group == "update":
        mode, build = UPDATES[name.removesuffix("_without_flash")]
        done = efforts(mode, build)[0]
        is_bare = name.endswith("_without_flash")
        return replace(done, programmed=0, erased=0) if is_bare else done
    if group == "growth":
        series, _, x = name.partition("/")
        mode, _ = GROWTH[series]
        return replace(efforts(mode, _grown(series, int(x)))[0], signatures=0)
    if name.startswith("invoke_"):
        return efforts(*UPDATES[name.removeprefix("invoke_") + "_64k"])[1]
    return None


@cache
def _grown(series: str, x: int) -> Callable[[], tuple[bytes, bytes, int]]:
    return partial(GROWTH[series][1], x)


def counts() -> Iterator[tuple[str, str, str, str, int]]:
    with COUNTS.open(newline="") as f:
        for group, name, build, core, cycles, *_ in list(csv.reader(f))[2:]:
            yield group, name, build, core, int(cycles)


def rows() -> list[Row]:
    """All that the model speaks of."""
    found = ((line, effort_of(line[0], line[1])) for line in counts())
    return [Row(line[1], *line[2:], effort) for line, effort in found if effort is not None]


# -- what it costs --------------------------------------------------------------------------------


def primitives(build: str, core: str) -> Costs:
    """Costs that are those of primitives. Of the expanded build, all but the signature are those
    of assembly."""
    table = {(name, b, c): n for group, name, b, c, n in counts() if group == "primitive"}

    def one(name: str) -> float:
        return table.get((name, build, core)) or table[name, "asm", core]

    def per_byte(name: str) -> float:
        return (one(f"{name}_1088") - one(f"{name}_64")) / 1024

    unwrap, sha = one("aes_unwrap_40"), per_byte("sha256")
    signature = "ed25519_expanded" if build == "expanded" else "ed25519_150"
    return {
        "signatures": one(signature),
        "macs": one("hkdf_32") / 2,  # two HMACs
        "agreements": one("x25519") + one("hkdf_32") + unwrap,
        "unwraps": unwrap,
        "kept": sha, "read": sha, "hashed": sha,
        "decrypted": per_byte("aead"),
    }  # fmt: skip


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss-Jordan with pivots."""
    n = len(right)
    m = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(m[r][i]))
        m[i], m[pivot] = m[pivot], m[i]
        m[i] = [value / m[i][i] for value in m[i]]
        for r in range(n):
            if r != i:
                factor = m[r][i]
                m[r] = [a - factor * b for a, b in zip(m[r], m[i], strict=True)]
    return [row[n] for row in m]


def fit(rows: Sequence[Row], costs: Costs, columns: Sequence[Costs]) -> list[float]:
    """How often each column of costs goes into the rows beside `costs`, so that the sum of the
    squares of the relative errors is least."""
    points = [([known(row, column) / row.cycles for column in columns],
               1 - known(row, costs) / row.cycles) for row in rows]  # fmt: skip
    n = range(len(columns))
    matrix = [[sum(a[i] * a[j] for a, _ in points) for j in n] for i in n]
    return solve(matrix, [sum(a[i] * b for a, b in points) for i in n])


def known(row: Row, costs: Costs) -> float:
    done = row.effort.items()
    return sum(done[key] * value for key, value in costs.items())


def total(*parts: Costs) -> Costs:
    return {key: sum(part.get(key, 0.0) for part in parts) for key in Effort().items()}


def model() -> dict[str, dict[str, Costs]]:
    """Costs by build, core and member of Effort."""
    by_build: dict[tuple[str, str], list[Row]] = {}
    for row in rows():
        by_build.setdefault((row.build, row.core), []).append(row)
    base = primitives("asm", "m0")
    fitted = fit(by_build["asm", "m0"], base, [{key: 1.0} for key in GLUE])
    glue = dict(zip(GLUE, fitted, strict=True))
    if min(fitted) < 0:
        sys.exit(f"cost: FAIL something costs less than nothing: {glue}")
    glue["copied"] = glue["given"] + glue["read"]  # not measured: bytes that are read and given
    out: dict[str, dict[str, Costs]] = {}
    for build in profile.BUILDS:
        for core in profile.CORES:
            costs = primitives(build, core)
            (factor,) = fit(by_build[build, core], costs, [glue])
            costs = total(costs, {key: factor * value for key, value in glue.items()})
            out.setdefault(build, {})[core] = {key: round(n, 3) for key, n in costs.items()}
    return out


def stacks() -> dict[str, int]:
    """Bytes of the deepest call, by build: docs/sizes.md."""
    text = SIZES.read_text()
    deepest = re.search(r"not counted: (\d+) with portable C, (\d+) with assembly", text)
    halves = re.search(r"`PICOSUIT_ED25519_HALVES` \|.*\| (\d+) \| \d+ \|\n", text)
    if deepest is None or halves is None:
        sys.exit(f"cost: FAIL {SIZES} has no stack")
    asm = int(deepest[2])
    return {"asm": asm, "whole": int(halves[1]), "expanded": asm, "portable": int(deepest[1])}


def made() -> str:
    """Text of cost.json."""
    data = {"command": "make cost", "source": "bench/counts.csv, docs/sizes.md",
            "cycles": model(), "stack": stacks()}  # fmt: skip
    return json.dumps(data, indent=1) + "\n"


def errors() -> Iterator[tuple[Row, float]]:
    """What the estimate says of each row, in per cent more or less than what was counted."""
    for row in rows():
        says = cost.estimate(row.effort, profile.Processor(row.core, row.build)).cycles
        yield row, 100 * (says / row.cycles - 1)


def main() -> None:
    if "--errors" in sys.argv[1:]:
        for row, error in errors():
            print(f"{error:+6.2f} %  {row.cycles:12,}  {row.build} {row.core} {row.name}")
        return
    text = made()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
    elif text != TARGET.read_text():
        sys.exit(f"cost: FAIL {TARGET.relative_to(ROOT)} is not made from {COUNTS.name}: make cost")
    print(f"cost: {len(rows())} rows, {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
