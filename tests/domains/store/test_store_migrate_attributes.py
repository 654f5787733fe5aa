"""An older store, with its users, that learns of attributes."""

from __future__ import annotations

import pytest
from store_helpers import connected, old_store, old_user

from usermgmt.migrations.run import upgrade


@pytest.mark.store
def test_users_of_an_older_store_can_be_given_attributes(run):
    old_store(run)
    with connected(run) as connection:
        upgrade(connection, "0004")
        for n in range(1, 4):
            old_user(connection, n)
            connection.exec_driver_sql(f"INSERT INTO user_tag (user_id, tag) VALUES ({n}, 'old')")
    run.configure("[attribute.height]\ntype = 'integer'\n")
    assert run("user list --json", exit=8).error["code"] == "schema.old"
    run(f"store migrate --backup {run.home}/before.db")
    rows = run("user list --json --fields username,tags,attributes").json
    assert rows == [{"username": f"u{n}", "tags": ["old"], "attributes": {}} for n in range(1, 4)]
    run("user set u2 --add-attribute height=180")
    assert run("user list --attribute height=180 -o ids").out == "id:2\n"
    run(f"store restore {run.home}/before.db --yes")
    assert run("user list --json --fields attributes").json == [{"attributes": {}}] * 3
