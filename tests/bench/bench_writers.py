"""Eight and sixty-four processes that write at once, each change audited: how long a change takes, and who starves."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from rig import Rig

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


@pytest.fixture
def rig(run):
    made = Rig().warm(run)
    yield made
    made.close()


def figures(name, took):
    times = sorted(one for each in took for one in each)
    middle, tail = statistics.median(times), times[int(len(times) * 0.99)]
    commits = sorted(len(each) for each in took)
    print(
        f"\n{name}: {len(times)} commits, {commits[0]} to {commits[-1]} each; p50 {middle * 1000:.1f} ms, "
        f"p99 {tail * 1000:.1f} ms ({tail / middle:.1f}x), longest {times[-1] * 1000:.1f} ms"
    )


@pytest.mark.parametrize(("count", "seconds"), [(1, 10), (8, 20), (64, 40)])
def test_writers(run, rig, count, seconds):
    figures(f"{run.engine}, {count} writers", rig.crowd(run, count, "user add w{n}x{i}", seconds=seconds))
    run("audit verify")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("count", [1, 8])
def test_writers_without_the_line(run, rig, count):
    took = rig.crowd(run, count, "user add w{n}x{i}", seconds=15, patch={"unqueued": ["turn"]})
    figures(f"{run.engine}, {count} writers, SQLite's own waiting", took)
