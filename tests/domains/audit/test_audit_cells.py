"""Every cell of a store is either borne out by the audit or named here: a new column does not slip by."""

from __future__ import annotations

import os

import pytest
from audit_tampering import holds

from usermgmt.kernel import registry, sqlite

UNAUDITED = {
    # the store's own numbers: no entry holds them, and exports leave them out
    ("user", "id"),
    ("user_note", "id"),
    ("org_unit", "id"),
    # which key encrypts a personal part; an erasure may change it
    ("audit_pii", "key_id"),
    # counted and not yet written
    ("audit_denial", "actor"),
    ("audit_denial", "count"),
    ("audit_denial", "fingerprint"),
    ("audit_denial", "since"),
    ("audit_denial", "target"),
    ("audit_denial", "action"),
    # a CHECK holds these to 1
    ("audit_head", "id"),
    ("audit_base", "id"),
    ("store_meta", "id"),
    # checked when the store is opened, with exit 8
    ("alembic_version", "version_num"),
}

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def store(run):
    run.configure("[attribute.height]\ntype = 'integer'\n[attribute.badge]\ntype = 'text'\n")
    run(f"user add me --external-id os/{os.getuid()}")
    run("user add alice --email alice@example.com --add-tag vip --add-address email:a2@example.com")
    run("user rename alice alicia")
    run("user note alicia --text hello")
    run("audit prune --before 0s --archive a.ndjson --yes", env={"USERMGMT_AUDIT_RETENTION": "0"})
    run("user set alicia --phone 13800138000 --full-name 李爱丽 --gender female --birth-date 1990-01-01 --occupation x")
    run("user set alicia --display-name A --locale en --time-zone UTC --valid-from 2020-01-01 --valid-until 2040-01-01")
    run("user set alicia --email-verified-at 2020-01-01 --phone-verified-at 2020-01-01 --managed-by spec")
    run("user set alicia --add-attribute height=180 --add-attribute badge=x")
    run("org add 华东/销售 --parents --head me")
    run("user set alicia --org 华东/销售")
    run("user suspend alicia --reason strike")
    run("user close me --yes", exit=4)
    return run


def tables(connection):
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return sorted(row[0] for row in rows)


def other(value):
    """Another value of the same kind, and nearly the same."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value + 1000
    return value[:-1] + ("x" if value[-1:] != "x" else "y")


def test_every_cell_is_borne_out_or_named(store):
    holds(store, "--state")
    connection = sqlite.driver().connect(str(store.path), isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    silent, empty = set(), set()
    for table in set(tables(connection)) - registry.operational():
        for column in [row[1] for row in connection.execute(f"PRAGMA table_info('{table}')")]:
            cell = (table, column)
            found = connection.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL').fetchall()
            if not found:
                empty.add(cell)
                continue
            value = found[-1][0]
            change = f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" = ?'
            assert connection.execute(change, (other(value), value)).rowcount > 0, cell
            if store("audit verify --state", exit=None).exit not in (8, 12):
                silent.add(cell)
            connection.execute(change, (value, other(value)))
    connection.close()
    assert empty == {("audit_pii", "key_id")}
    assert silent <= UNAUDITED
    holds(store, "--state")
