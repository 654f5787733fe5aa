"""A pruned store that is backed up, restored, copied, encrypted or migrated stays what it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from audit_tampering import findings, holds
from pruned_stores import at, prune, years

sys.path.append(str(Path(__file__).parents[1] / "store"))
from store_helpers import back_to

pytestmark = pytest.mark.store("--simulate --region CN")


@pytest.fixture
def store(run):
    return years(run)


def test_a_backup_of_a_pruned_store_is_restored_and_pruned_again(store):
    prune(store, "2030-12-01")
    store("store backup b.db")
    at(store, "user add dora", "2031-06-02")
    assert store("store restore b.db --yes --json").json["lineage"] == 2
    found = holds(store, "--state")
    assert (found["removed"], found["lineage"], found["rows"]) == (6, 2, 2)
    prune(store, "2031-12-01", now="2032-06-01", name="b.ndjson")
    # the lineage that the removed entries began is still known
    found = holds(store, "--state")
    assert (found["lineage"], found["anchored"]) == (2, found["entries"])
    at(store, "user add dora", "2032-06-02")
    holds(store, "--state")


def test_a_backup_from_before_a_prune_brings_the_entries_back(store):
    store("store backup b.db")
    prune(store, "2030-12-01")
    store("store restore b.db --yes")
    found = holds(store, "--state")
    assert (found["removed"], found["lineage"]) == (0, 2)
    assert store("audit show 3 --json").json["holds"] is True
    prune(store, "2030-12-01", name="again.ndjson")
    assert holds(store, "--state")["removed"] == 6


def test_a_copy_has_the_base_and_no_lineage_is_given_twice(store):
    for name in ("one", "two"):
        (store.home / name).mkdir(mode=0o700)
    made = store(f"store copy-to {store.home}/one/store.db --json").json
    assert made["lineage"] == 2
    # everything, the entry of the first copy as well: its time is that of this host, years before
    prune(store, "2031-12-01", now="2032-06-01")
    made = store(f"store copy-to {store.home}/two/store.db --json").json
    assert made["lineage"] == 3
    copied = store("audit verify --state --json", env={"USERMGMT_STORE": f"{store.home}/two/store.db"}).json
    assert (copied["holds"], copied["removed"], copied["rows"]) == (True, holds(store)["removed"], 2)
    assert copied["removed"] > 6


@pytest.mark.engines("sqlite")
def test_a_pruned_store_moves_to_a_server_and_back(store, request):
    prune(store, "2030-12-01")
    server = request.getfixturevalue("postgres")
    name = server.database()
    there = {"USERMGMT_STORE": server.url(name)}
    (store.home / "back").mkdir(mode=0o700)
    back = {"USERMGMT_STORE": f"{store.home}/back/store.db"}
    store(f"store copy-to {server.url(name)}")
    assert holds(store, "--state", env=there)["removed"] == 6
    prune(store, "2031-02-01", now="2031-09-01", name="b.ndjson", env=there)
    store(f"store copy-to {back['USERMGMT_STORE']}", env=there)
    assert holds(store, "--state", env=back)["removed"] == 8
    server.drop(name)


@pytest.mark.engines("sqlite")
def test_an_encrypted_store_keeps_its_base_and_says_that_an_archive_is_plain(store):
    assert prune(store, "2030-02-10").err == ""
    store("store encrypt")
    assert holds(store, "--state")["removed"] == 5
    assert "the archive is not" in prune(store, "2030-12-01", name="b.ndjson").err
    assert holds(store, "--state")["removed"] == 6


@pytest.mark.engines("sqlite")
def test_a_store_that_got_a_new_key_says_who_signed_the_prune(store):
    prune(store, "2030-12-01")
    store("store backup b.db")
    for key in (store.home / "keys").rglob("anchor.*"):
        key.unlink()
    store("store restore b.db --yes")
    found = holds(store, "--state")
    assert any("signed by another key" in one for one in found["warnings"])
    store("audit export --out e.ndjson")
    # without a restore that tells of it, another key is a forger's
    key = next((store.home / "keys").rglob("anchor.pub"))
    key.write_text("0" * 64 + "\n")
    assert {"anchor", "base"} & {one["kind"] for one in findings(store)}


def test_an_older_store_in_use_learns_to_be_pruned(store):
    back_to(store, "0005")
    assert store("audit verify --json", exit=8).error["code"] == "schema.old"
    before = store.sql('SELECT * FROM "user"')
    store(f"store migrate --backup {store.home}/before.db")
    assert store.sql('SELECT * FROM "user"') == before
    assert holds(store, "--state")["removed"] == 0
    prune(store, "2030-12-01")
    assert (holds(store, "--state")["removed"], store.sql('SELECT * FROM "user"')) == (6, before)
    store(f"store restore {store.home}/before.db --yes")
    assert holds(store, "--state")["removed"] == 0
