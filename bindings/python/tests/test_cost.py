# SPDX-License-Identifier: MIT
"""The estimate of cycles against what the benchmark has counted: bench/counts.csv."""
from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from picosuit.author import cost, meter, profile
from picosuit.author.cost import Effort
from picosuit.author.envelope import Envelope
from picosuit.author.profile import Processor
from picosuit.author.trace import Trace

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench/m0")]

import bench_make  # type: ignore[import-not-found]  # noqa: E402
import cost_fit as fitted  # type: ignore[import-not-found]  # noqa: E402

GOOD = 5.0  # per cent
ROWS = fitted.rows()


def test_constants_are_made_from_the_counts() -> None:
    assert fitted.made() == fitted.TARGET.read_text(), "make cost"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.build}-{row.core}-{row.name}")
def test_estimate_of_what_was_counted(row: fitted.Row) -> None:
    says = cost.estimate(row.effort, Processor(row.core, row.build)).cycles
    assert abs(says / row.cycles - 1) * 100 < GOOD


def test_all_updates_of_the_benchmark_are_in_it() -> None:
    told = {name for group, name, *_ in fitted.counts() if group in ("update", "growth")}
    assert told == {row.name for row in ROWS if not row.name.startswith("invoke_")}
    assert {(row.build, row.core) for row in ROWS} == {
        (build, core) for build in profile.BUILDS for core in profile.CORES}  # fmt: skip


def test_table_has_all_that_is_counted() -> None:
    table = cost.table()
    members = {f.name for f in fields(Effort)}
    assert members == {name for _, names in cost.PARTS for name in names}
    for build in profile.BUILDS:
        assert table["stack"][build] > 1000
        for core in profile.CORES:
            assert set(table["cycles"][build][core]) == members
            assert all(value > 0 for value in table["cycles"][build][core].values())


def test_parts_add_up() -> None:
    effort = replace(ROWS[0].effort, macs=1)
    whole = cost.estimate(effort, Processor())
    assert whole.cycles == sum(whole.parts.values())
    assert whole.seconds == pytest.approx(whole.cycles / 16e6)
    twice = cost.estimate(effort + effort, Processor(mhz=32.0))
    assert twice.cycles == pytest.approx(2 * whole.cycles, abs=10)
    assert twice.seconds == pytest.approx(whole.seconds, rel=1e-5)


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize("make", [bench_make.plain, bench_make.encrypted])
def test_plan_is_what_a_run_does(make: fitted.Callable, is_inside: bool) -> None:
    """Without payload or key the effort is planned: within 2 % of that of the run."""
    data, _, _ = make(64 * 1024, is_inside=is_inside)
    about = fitted.device("s")
    done = fitted.efforts("s", fitted.partial(make, 64 * 1024, is_inside=is_inside))[0]
    plan = meter.Plan(Trace(Envelope(data)), meter.Facts(about, about.write_slot), "update")
    planned = meter.planned_effort(plan)
    runs = [cost.estimate(effort, Processor()).cycles for effort in (done, planned)]
    assert abs(runs[1] / runs[0] - 1) < 0.02
    assert (planned.erased, planned.signatures) == (done.erased, 1)
