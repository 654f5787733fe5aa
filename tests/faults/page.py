"""The tables of ``docs/reliability.md``, made from ``figures.jsonl``: one line for each run of a campaign."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

FIGURES = Path(__file__).parent / "figures.jsonl"
TABLES = {
    "kill": ("scenario", "engine", "calls", "kills", "before", "between", "after"),
    "instants": ("scenario", "engine", "kills", "before", "after"),
    "power": ("scenario", "mode", "images", "different", "before", "between", "after", "lost", "seed"),
    "failing": ("scenario", "failures", "unavailable", "integrity", "ok"),
    "writers": ("engine", "writers", "each", "commits", "lost"),
    "flips": ("bytes", "step", "told", "nothing reads differently", "not audited, on purpose", "seed"),
    "latency": ("engine", "writers", "line", "commits", "fewest", "most", "p50", "p99", "longest"),
}
SUMS = {"calls", "kills", "images", "different", "failures", "commits", "before", "between", "after"} | {
    "unavailable",
    "integrity",
    "ok",
}
SUMMED = ("kill", "instants", "power", "failing")


def filled(text: str) -> str:
    """Return the page ``text`` with its tables made anew; each stands after a mark that names its campaign."""
    lines = [orjson.loads(line) for line in FIGURES.read_bytes().splitlines()]
    for name in TABLES:
        text = re.sub(
            rf"(<!-- figures: {name} -->\n)(?:[^\n]*\|\n)*", lambda mark, n=name: mark[1] + table(n, lines), text
        )
    return text


def table(name: str, lines: Sequence[dict[str, Any]]) -> str:
    """Return the table of one campaign; of a run that was repeated, the last counts."""
    columns = TABLES[name]
    keys = [column for column in columns if column in ("scenario", "engine", "mode", "writers", "line")]
    mine = {tuple(line.get(key) for key in keys): line for line in lines if line["campaign"] == name}
    rows = [[*(str(line.get(column, 0)) for column in columns), line["date"]] for line in mine.values()]
    if name in SUMMED:
        careful = [line for line in mine.values() if "NORMAL" not in line.get("mode", "")]
        sums = [str(sum(one.get(column, 0) for one in careful)) if column in SUMS else "" for column in columns]
        rows.append(["in all", *sums[1:], ""])
    head = [*columns, "date"]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))
