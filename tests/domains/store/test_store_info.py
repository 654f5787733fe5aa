"""`store info`: what a store is, and of a backup what it was."""

from __future__ import annotations

import pytest

from usermgmt.migrations import HEAD


def test_a_store_says_what_it_is(run):
    run("user add alice --add-tag vip")
    shown = run("store info --json").json
    assert shown["engine"] == run.engine
    assert (shown["lineage"], shown["schema"], shown["simulated"], shown["region"]) == (1, HEAD, False, "CN")
    assert shown["entries"] == 2
    assert shown["counts"]["user"] == 1
    assert shown["counts"]["user_tag"] == 1
    assert shown["counts"]["audit_entry"] == 2
    assert shown["bytes"] > 10_000
    assert shown["keys"] == str(run.home / "keys" / shown["store_id"])
    assert shown["anchors"] == str(run.home / "anchors" / f"{shown['store_id']}.jsonl")
    assert run("store info -o ids").out == shown["store_id"] + "\n"
    assert run.sql("SELECT hash FROM audit_entry WHERE seq = 2") == [(shown["head"],)]


@pytest.mark.store("--simulate")
def test_a_simulated_store_says_so_and_takes_now(run):
    shown = run("store info --json --now 2030-01-01").json
    assert (shown["simulated"], shown["region"]) == (True, None)


@pytest.mark.store
def test_no_store_is_8(run):
    assert run("store info --json", exit=8).error["code"] == "store.missing"


def test_looking_leaves_no_entry(run):
    run("store info")
    assert run("store info --json").json["entries"] == 1


def test_a_backup_is_described_though_its_store_went_on(run):
    run("user add alice")
    run("store backup b.db")
    run("user add bob")
    shown = run(["--store", str(run.home / "b.db"), "store", "info", "--json"]).json
    assert (shown["engine"], shown["entries"], shown["counts"]["user"]) == ("sqlite", 2, 1)
    assert shown["store_id"] == run("store info --json").json["store_id"]


def test_a_backup_without_its_manifest_is_an_old_file_like_any_other(run):
    run("store backup b.db")
    run("user add bob")
    (run.home / "b.db.manifest.json").unlink()
    answer = run(["--store", str(run.home / "b.db"), "store", "info", "--json"], exit=12)
    assert answer.error["code"] == "integrity"


def test_only_info_goes_by_the_manifest_of_a_backup(run):
    run("store backup b.db")
    run("user add bob")
    run(["--store", str(run.home / "b.db"), "user", "list"], exit=12)
