"""kill -9 at each call to the system that changes a file, or that PostgreSQL is told something by, and in their midst.

What a process does between two such calls nobody else can see, so that these are all the instants there are.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from campaigns import figures, kept, rig, shim, warmed  # noqa: F401 - fixtures
from scenarios import ALL, ENVIRONMENT, SCENARIOS, ready, sound

CALLS = {"sqlite": "owstrum", "postgresql": "owstrumn"}
MOST = int(os.environ.get("USERMGMT_FAULT_KILLS", "50"))
"""Kills of one scenario on one engine; 0 for one at each call there is."""


def instants(calls, most):
    """At which calls to kill: all, or as many as ``most``, evenly, the last ones among them."""
    if not most or calls <= most:
        return range(calls)
    return sorted({round(i * (calls - 1) / (most - 1)) for i in range(most)})


def arm(run, **more):
    return {"root": str(run.home), "calls": CALLS[run.engine], **more}


def campaign(run, rig, kept, name, most):
    scenario = SCENARIOS[name]
    ready(run, scenario, kept)
    whole = rig.lines(run, *scenario.here(run), env=ENVIRONMENT, arm=arm(run))
    assert set(whole.codes) == {0}, whole.answers
    found = Counter()
    for at in instants(whole.calls, most):
        kept.back()
        left = rig.lines(run, *scenario.here(run), env=ENVIRONMENT, arm=arm(run, at=at, errno=-9, half=at % 2))
        # a count may differ by a call or two where time plays a part
        assert left.ended in (-9, 0), left
        found["kills"] += left.ended == -9
        assert set(left.codes) <= {0}, left.answers
        found[scenario.check(run, len(left.codes))] += 1
        sound(run)
        run(scenario.follow)
    return whole.calls, found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ALL)
def test_killed_at_any_call_nothing_acknowledged_is_lost(run, rig, kept, figures, name):
    calls, found = campaign(run, rig, kept, name, MOST)
    figures("kill", scenario=name, engine=run.engine, calls=calls, **found)
    assert found["kills"] >= min(MOST or calls, calls) - 3
    assert found["before"]
    assert found["after"] or found["between"]


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("name", ["add", "import"])
def test_killed_at_some_calls(run, rig, kept, name):
    _calls, found = campaign(run, rig, kept, name, 6)
    assert found["kills"]
