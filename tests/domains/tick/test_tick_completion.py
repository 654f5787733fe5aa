"""Names of jobs on TAB."""

from __future__ import annotations

import pytest

from usermgmt.kernel import completion

pytestmark = pytest.mark.engines("sqlite")


def offered(run, line):
    return list(completion._answer({**run.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}"}, []))


def test_names_of_jobs_complete(run):
    assert offered(run, "tick --only ") == ["user.expiring", "audit.checkpoint"]
    assert offered(run, "tick --only u") == ["user.expiring"]
    assert offered(run, "upcoming -o i") == ["ids", "ical"]
