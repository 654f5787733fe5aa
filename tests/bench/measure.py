"""Paired timing: the peer and us in turn, so that the ratio holds while the machine's speed drifts."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROGRAM = [sys.executable, str(Path(sys.executable).parent / "usermgmt")]


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` took, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def process(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> Callable[[], object]:
    """Return the work of running a whole process."""
    return lambda: subprocess.run(argv, env=env, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def paired(title: str, ours: Callable[[], object], peers: Mapping[str, Callable[[], object]], runs: int = 7) -> float:
    """Run ours and each peer in turn, print medians and the median of the ratios; return the ratio to the last peer."""
    for work in (ours, *peers.values()):
        work()
    mine: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for _round in range(runs):
        mine.append(seconds(ours))
        for name, work in peers.items():
            theirs[name].append(seconds(work))
    ratio = math.nan
    print(f"\n{title}: {statistics.median(mine) * 1000:.1f} ms")
    for name, times in theirs.items():
        ratio = statistics.median(a / b for a, b in zip(mine, times, strict=True))
        print(f"  {name}: {statistics.median(times) * 1000:.1f} ms, ratio {ratio:.2f}")
    return ratio


def exponent(small: float, large: float, factor: float) -> float:
    """Return the growth exponent: 1 is linear, 0 is flat."""
    return math.log(large / small) / math.log(factor)
