"""An older store, with its users, that learns of ticks."""

from __future__ import annotations

import pytest
from store_helpers import connected, old_store, old_user

from usermgmt.migrations.run import upgrade


@pytest.mark.store
def test_an_older_store_is_told_only_of_what_ends_from_then_on(run):
    old_store(run)
    with connected(run) as connection:
        upgrade(connection, "0002")
        for n, end in enumerate(("2001-01-01", "2020-01-01", "9999-01-01"), 1):
            old_user(connection, n, valid_from="2000-01-01T00:00:00.000Z", valid_until=f"{end}T00:00:00.000Z")
    run(f"store migrate --backup {run.home}/before.db")
    assert [row["username"] for row in run("user list --json").json] == ["u1", "u2", "u3"]
    assert run("tick").out == ""
    run.sql("UPDATE \"user\" SET valid_until = ? WHERE username = 'u3'", run("audit tail --json").json[-1]["at"])
    assert [line.split(":")[0] for line in run("tick").lines] == ["notice u3"]
