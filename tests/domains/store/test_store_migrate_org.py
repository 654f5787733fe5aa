"""An older store, with its users, that learns of the organisation."""

from __future__ import annotations

import pytest
from store_helpers import connected, old_store, old_user

from usermgmt.migrations.run import upgrade


@pytest.mark.store
def test_users_of_an_older_store_can_be_put_into_units(run):
    old_store(run)
    with connected(run) as connection:
        upgrade(connection, "0007")
        for n in range(1, 4):
            old_user(connection, n)
            connection.exec_driver_sql(f"INSERT INTO user_tag (user_id, tag) VALUES ({n}, 'old')")
    assert run("org list --json", exit=8).error["code"] == "schema.old"
    run(f"store migrate --backup {run.home}/before.db")
    rows = run("user list --json --fields username,tags,org").json
    assert rows == [{"username": f"u{n}", "tags": ["old"], "org": None} for n in range(1, 4)]
    run("org add 华东 --head u1")
    run("user set u2 --org 华东")
    assert run("user list --org 华东 -o ids").out == "id:2\n"
    assert run("user show u2 --json").json["superior"] == "u1"
    run(f"store restore {run.home}/before.db --yes")
    assert run("org list --json").json == []
    assert run("user list --json --fields org").json == [{"org": None}] * 3
