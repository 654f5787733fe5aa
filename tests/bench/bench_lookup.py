"""Lookups, pages and searches in stores of a tenth of the users and of all: how they grow, and the slowest search.

``USERMGMT_BENCH_USERS`` is the larger number; the limits are stated for 1,000,000.
"""

from __future__ import annotations

import random
import statistics

import pytest
from bench_import import SIZE, make
from measure import exponent, seconds

pytestmark = pytest.mark.bench

LINES = {
    "by username": "user show user{n:07d}",
    "by email": "user show email:user{n:07d}@example.com",
    "by id": "user show id:{n}",
    "unknown, with suggestion": "user show zz{n}",
    "first page": "user list --limit 20 --fields username -o tsv -q",
    "page in the middle": "user list --sort created_at --created-after {middle} --limit 20 --fields username -o tsv -q",
    "two Chinese characters, a 50th of all": "user list --search 芳超 --limit 20 --fields username -o tsv -q",
    "two Chinese characters, a third of all": "user list --search 教师 --limit 20 --fields username -o tsv -q",
    "two Chinese characters, nobody": "user list --search 芳伟 --fields username -o tsv",
}


def test_growth(run, tmp_path):
    sizes, dice = (SIZE // 10, SIZE), random.Random(3)
    medians: dict[str, list[float]] = {name: [] for name in LINES}
    for size in sizes:
        run(f"import users {make(tmp_path / 'u.csv', size)} -q --if-exists skip")
        middle = run(f"user show id:{size // 2} --json").json["created_at"]
        for name, line in LINES.items():
            lines = [line.format(n=dice.randrange(1, size), middle=middle) for _ in range(15)]
            times = [seconds(lambda text=text: run(text, exit=None)) for text in lines]
            medians[name].append(statistics.median(times[1:]))
    print(f"\n{run.engine}: {sizes[0]} -> {sizes[1]} users, warm process")
    for name, (small, large) in medians.items():
        grown = exponent(small, large, sizes[1] / sizes[0])
        print(f"  {name}: {small * 1000:.1f} ms -> {large * 1000:.1f} ms, exponent {grown:.2f}")
