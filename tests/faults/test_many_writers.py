"""Sixty-four processes that write at once: each comes to its end, nothing is lost, and the audit has no gap."""

from __future__ import annotations

import os

import pytest
from campaigns import figures  # noqa: F401 - a fixture
from rig import Rig

WRITERS, EACH = map(int, os.environ.get("USERMGMT_FAULT_WRITERS", "64x200").split("x"))
PATIENCE = {"USERMGMT_STORE_BUSY_TIMEOUT": "10m"}
"""For a machine that does other things as well: who waits longer than the usual ten seconds is refused, not starved."""


@pytest.fixture
def plain(run):
    made = Rig().warm(run)
    yield made
    made.close()


def crowd(run, rig, count, each):
    took = rig.crowd(run, count, "user add w{n}x{i} --add-tag x", each=each, env=PATIENCE)
    assert [len(one) for one in took] == [each] * count
    names = set(run("user list --fields username --no-header -o tsv").lines)
    assert names == {f"w{n}x{i}" for n in range(count) for i in range(each)}
    seqs = [int(seq) for seq in run("audit list --fields seq --no-header -o tsv").lines]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(run("audit list --action user.add --fields seq --no-header -o tsv").lines) == count * each
    run("audit verify --state")
    return took


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_four_writers(run, plain, figures):
    took = crowd(run, plain, WRITERS, EACH)
    figures("writers", engine=run.engine, writers=WRITERS, each=EACH, commits=sum(map(len, took)), lost=0)


def test_some_writers(run, plain):
    crowd(run, plain, 8, 5)
