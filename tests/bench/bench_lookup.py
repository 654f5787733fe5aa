"""Lookups in stores of 10,000 and 100,000 users: how they grow."""

from __future__ import annotations

import statistics

import pytest
from measure import exponent, seconds

pytestmark = pytest.mark.bench

LINES = {
    "by username": "user show u{n}",
    "by email": "user show email:u{n}@example.com",
    "by id": "user show id:{n}",
    "unknown, with suggestion": "user show zz{n}",
    "first page": "user list --limit 20 --fields username -o tsv -q",
    "search": "user list --search u{n}@ --fields username -o tsv",
}


def fill(run, start, stop):
    lines = "".join(f"u{n},u{n}@example.com\n" for n in range(start, stop))
    run("import users -", stdin="username,email\n" + lines)


def test_growth(run):
    sizes = (10_000, 100_000)
    medians: dict[str, list[float]] = {name: [] for name in LINES}
    done = 0
    for size in sizes:
        fill(run, done, size)
        done = size
        for name, line in LINES.items():
            times = [seconds(lambda text=line, i=n: run(text.format(n=1000 + i * 7), exit=None)) for n in range(15)]
            medians[name].append(statistics.median(times[1:]))
    print(f"\n{run.engine}: {sizes[0]} -> {sizes[1]} users, warm process")
    for name, (small, large) in medians.items():
        grown = exponent(small, large, sizes[1] / sizes[0])
        print(f"  {name}: {small * 1000:.1f} ms -> {large * 1000:.1f} ms, exponent {grown:.2f}")
