"""Eight and sixty-four processes that write at once, each change audited: how long a change takes, and who starves."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from campaigns import figures  # noqa: F401 - a fixture
from rig import Rig

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


@pytest.fixture
def rig(run):
    made = Rig().warm(run)
    yield made
    made.close()


def tell(figures, engine, count, line, took):
    times = sorted(one for each in took for one in each)
    middle, tail = statistics.median(times), times[int(len(times) * 0.99)]
    commits = sorted(len(each) for each in took)
    milliseconds = {"p50": middle, "p99": tail, "longest": times[-1]}
    rounded = {name: round(value * 1000, 1) for name, value in milliseconds.items()}
    counts = {"commits": len(times), "fewest": commits[0], "most": commits[-1]}
    figures("latency", engine=engine, writers=count, line=line, **counts, **rounded)
    print(f"p99 is {tail / middle:.1f} times the median")


@pytest.mark.parametrize(("count", "seconds"), [(1, 10), (8, 20), (64, 40)])
def test_writers(run, rig, figures, count, seconds):
    tell(figures, run.engine, count, "ours", rig.crowd(run, count, "user add w{n}x{i}", seconds=seconds))
    run("audit verify")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("count", [1, 8])
def test_writers_without_the_line(run, rig, figures, count):
    took = rig.crowd(run, count, "user add w{n}x{i}", seconds=20, patch={"unqueued": ["turn"]})
    tell(figures, run.engine, count, "sqlite", took)
