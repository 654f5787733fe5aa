"""Two that make the same store at once: one makes it, the other finds it."""

from __future__ import annotations

import pytest

from usermgmt.domains.store import create

pytestmark = pytest.mark.store


@pytest.fixture
def faster(run, monkeypatch):
    """Somebody who makes the store after the next `init` has looked and found none."""
    look = create._existing

    def looked(*arguments):
        monkeypatch.setattr(create, "_existing", look)
        found = look(*arguments)
        run("init --region CN")
        return found

    monkeypatch.setattr(create, "_existing", looked)


def test_the_second_finds_the_store_of_the_first(run, faster):
    found = run("init --region CN --json").json
    assert found["outcome"] == "unchanged"
    assert run("store info --json").json["store_id"] == found["store_id"]
    assert run("audit verify --json").json["entries"] == 1


def test_the_second_is_refused_where_it_wants_another(run, faster):
    assert run("init --region US --json", exit=5).error["code"] == "store.exists"
