"""A call to the system fails: a full disk, a broken one, a refused one. One line, the right code, nothing between."""

from __future__ import annotations

import errno
import os
from collections import Counter

import pytest
from campaigns import figures, kept, rig, shim, warmed  # noqa: F401 - fixtures
from scenarios import ALL, ENVIRONMENT, SCENARIOS, ready, sound

from usermgmt.kernel.errors import Exit

ONCE, HALF, ON = range(3)
FAULTS = (
    # what fails, with which error, and whether once, in the midst of a write, or from there on
    ("cwtrm", errno.ENOSPC, ON),
    ("w", errno.ENOSPC, HALF),
    ("ws", errno.EIO, ONCE),
    ("g", errno.EIO, ONCE),
    ("owstrum", errno.EIO, ON),
    ("ows", errno.EINTR, ONCE),
    ("ormu", errno.EACCES, ONCE),
    ("o", errno.EMFILE, ON),
)
EACH = int(os.environ.get("USERMGMT_FAULT_FAILURES", "5"))
"""Failing calls of one kind in one scenario; 0 for each call there is."""

pytestmark = pytest.mark.engines("sqlite")


def instants(calls, most):
    if not most or calls <= most:
        return range(calls)
    return sorted({round(i * (calls - 1) / (most - 1)) for i in range(most)}) if most > 1 else [calls // 2]


def telling(left, fault):
    """The last line answered as a program should: return its code."""
    code, _out, err = left.answers[-1]
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert "Traceback" not in err, (fault, err)
    assert code in (Exit.OK, Exit.UNAVAILABLE, Exit.INTEGRITY, Exit.NOT_FOUND), (fault, left.answers)
    # the message and its hint
    assert len(lines) <= (2 if code else 0), (fault, err)
    # damage is told of a file that cannot be read, and of nothing else
    assert code != Exit.INTEGRITY or fault[0] == "g", (fault, err)
    return code


def campaign(run, rig, kept, name, faults, each):
    scenario = SCENARIOS[name]
    ready(run, scenario, kept)
    found, lines, problems = Counter(), scenario.here(run), []
    for calls, number, mode in faults:
        arm = {"root": str(run.home), "calls": calls, "errno": number, "half": mode}
        kept.back()
        whole = rig.lines(run, *lines, env=ENVIRONMENT, arm=arm)
        assert set(whole.codes) == {0}, whole.answers
        for at in instants(whole.calls, each):
            kept.back()
            left = rig.lines(run, *lines, env=ENVIRONMENT, arm={**arm, "at": at}, stop_at_failure=True)
            fault = (calls, errno.errorcode[number], mode, at, whole.calls, left.hit)
            assert left.ended == 0, fault
            found["failures"] += 1
            try:
                code = telling(left, fault)
                found[Exit(code).word] += 1
                scenario.check(run, sum(code == 0 for code in left.codes))
                sound(run)
                run(scenario.follow)
                leftovers = [path.name for path in run.home.glob(".*")]
                # a directory that cannot be opened or emptied stays
                assert not leftovers or {"o", "u"} & set(calls), leftovers
            except AssertionError as error:
                problems.append((fault, left.answers[-1:], str(error).splitlines()[:3]))
    return found, problems


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ALL)
def test_a_failing_call_is_told_and_leaves_nothing_between(run, rig, kept, figures, name):
    found, problems = campaign(run, rig, kept, name, FAULTS, EACH)
    assert problems == []
    figures("failing", scenario=name, **found)
    assert found["unavailable"]


@pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[2]], ids=["full", "broken"])
def test_some_failing_calls(run, rig, kept, fault):
    found, problems = campaign(run, rig, kept, "add", [fault], 4)
    assert problems == []
    assert found["unavailable"]
