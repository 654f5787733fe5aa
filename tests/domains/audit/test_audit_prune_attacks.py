"""Cutting off the beginning of the log and calling it a prune; and what anchors, checkpoints and erasures say then."""

from __future__ import annotations

import json

import pytest
from audit_tampering import append, base_at, cut_head, findings, holds
from pruned_stores import at, prune, verified, years

pytestmark = pytest.mark.store("--simulate --region CN")


@pytest.fixture
def store(run):
    years(run)
    (run.anchors,) = (run.home / "anchors").iterdir()
    return run


def kinds(run, options=""):
    return {one["kind"] for one in findings(run, options)}


def refused(run):
    """The exports and backups of a store that does not hold: what each of them says."""
    run("audit export --out refused.ndjson")
    return verified(run.home / "refused.ndjson")[0], run("store backup refused.db", exit=12).exit


def set_base(run, n, hash_, tree):
    run.sql("DELETE FROM audit_base")
    run.sql("INSERT INTO audit_base (id, seq, hash, frontier) VALUES (1, ?, ?, ?)", n, hash_, tree.dump())


# -- the beginning of the log cut off ----------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_the_beginning_cut_off_is_named(store):
    cut_head(store, 2)
    assert [(one["kind"], one["entry"]) for one in findings(store)] == [("gap", 1)]
    assert refused(store) == (12, 12)


def test_a_true_base_that_no_entry_states_is_named(store):
    base = base_at(store, 2)
    cut_head(store, 2)
    set_base(store, *base)
    (found,) = findings(store)[:1]
    assert (found["kind"], found["entry"]) == ("base", 3)
    assert "no entry says" in found["message"]
    assert refused(store) == (12, 12)


def test_a_prune_that_was_written_without_the_key_is_named(store):
    base = n, hash_, tree = base_at(store, 2)
    store_id, lineage = store.sql("SELECT store_id, lineage FROM store_meta")[0]
    cut_head(store, 2)
    set_base(store, *base)
    facts = {"store": store_id, "n": n, "hash": hash_, "root": tree.root().hex(), "lineage": lineage}
    facts |= {"archive": {"sha256": "0" * 64}, "key": "0" * 16, "sig": "0" * 128}
    made = {"created_at": store("store info --json").json["created_at"]}
    facts["made"] = made | {"simulated": True, "region": "CN"}
    append(store, "audit.prune", "store", json.dumps(facts))
    assert "not signed by the key" in findings(store)[0]["message"]
    # and the rows that it did not say again have lost what made them
    assert "state" in kinds(store, "--state")
    store("audit export --out e.ndjson")
    public = next((store.home / "keys").rglob("anchor.pub")).read_text().strip()
    code, told = verified(store.home / "e.ndjson", options=["--public-key", public])
    assert (code, "the prune is not signed by the public key" in told) == (12, True)


# -- after a prune -----------------------------------------------------------------------------------------------------


CHANGED = (
    "UPDATE audit_base SET hash = '{zeros}'",
    "UPDATE audit_base SET hash = 'not hexadecimal but of the right length ........................'",
    "UPDATE audit_base SET frontier = '{zeros},{zeros}'",
    "UPDATE audit_base SET frontier = 'x'",
    "UPDATE audit_base SET seq = 5",
    "UPDATE audit_base SET seq = 7",
    "DELETE FROM audit_base",
    "UPDATE store_meta SET store_id = '00000000-0000-7000-8000-000000000000'",
)


@pytest.mark.engines("sqlite")
def test_a_base_that_was_changed_is_named(store):
    prune(store, "2030-12-01")
    whole = store.path.read_bytes()
    for statement in CHANGED:
        store.sql(statement.format(zeros="0" * 64))
        assert "base" in kinds(store), statement
        store("store backup refused.db", exit=12)
        store.path.write_bytes(whole)
    holds(store, "--state")


def test_what_was_removed_cannot_come_back_unseen(store):
    rows = store.sql("SELECT * FROM audit_entry WHERE seq <= 6 ORDER BY seq")
    parts = store.sql("SELECT * FROM audit_pii WHERE seq <= 6")
    prune(store, "2030-12-01")
    store.sql("DELETE FROM audit_base")
    for table, back in (("audit_entry", rows), ("audit_pii", parts)):
        for row in back:
            store.sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
    assert kinds(store) == {"base"}
    assert "entry 12 says" in findings(store)[0]["message"]
    assert refused(store) == (12, 12)


@pytest.mark.engines("sqlite")
def test_entries_of_the_prune_itself_are_part_of_the_chain(store):
    prune(store, "2030-12-01")
    restated = store.sql("SELECT min(seq) FROM audit_entry WHERE action = 'audit.restate'")[0][0]
    body = store.sql("SELECT body FROM audit_pii WHERE seq = ?", restated)[0][0]
    store.sql("UPDATE audit_pii SET body = ? WHERE seq = ?", body.replace("smith", "baker"), restated)
    assert kinds(store) == {"commit"}
    store.sql("UPDATE audit_pii SET body = ? WHERE seq = ?", body, restated)
    store.sql("DELETE FROM audit_pii WHERE seq = ?", restated)
    assert "part-missing" in kinds(store)
    store.sql("DELETE FROM audit_entry WHERE seq = ?", restated)
    assert "gap" in kinds(store)


# -- anchors and checkpoints -------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_anchors_of_removed_entries_are_passed_over_and_later_ones_hold_it(store):
    prune(store, "2030-12-01")
    found = holds(store)
    # those of entries 6 to 8, of the export and of the prune
    assert (found["anchors"], found["anchored"]) == (5, found["entries"])
    lines = store.anchors.read_text().splitlines()
    at_base = next(i for i, line in enumerate(lines) if json.loads(line)["n"] == 6)
    forged = json.loads(lines[at_base]) | {"root": "0" * 64}
    lines[at_base] = json.dumps(forged, sort_keys=True, separators=(",", ":"))
    store.anchors.write_text("\n".join(lines) + "\n")
    assert {(one["kind"], one["entry"]) for one in findings(store)} == {("anchor", 6)}


def test_anchors_that_stopped_before_the_prune_refuse_nobody(store):
    old = store.anchors.read_bytes().splitlines(keepends=True)[:3]
    prune(store, "2030-12-01")
    store.anchors.write_bytes(b"".join(old))
    store("user list")
    assert holds(store)["anchors"] == 0
    assert store("doctor --json", exit=None).exit in (0, 10)
    # but not where no entry bears the prune out
    store.anchors.write_bytes(b"".join(old))
    store.sql("UPDATE audit_entry SET outcome = 'failed' WHERE action = 'audit.prune'")
    assert "is not the one that was anchored" in store("user list", exit=12).err


@pytest.mark.engines("sqlite")
def test_an_old_checkpoint_is_answered_by_the_archive(store):
    # an anchor that was kept elsewhere is a checkpoint
    old = store.anchors.read_text().splitlines()[2]
    (store.home / "old.json").write_text(old + "\n")
    prune(store, "2030-12-01")
    (found,) = findings(store, "--anchor old.json")
    assert (found["kind"], found["entry"]) == ("checkpoint", 3)
    assert "check the archive with it" in found["message"]
    assert verified(store.home / "a.ndjson", options=["--checkpoint", store.home / "old.json"])[0] == 0
    # beside a later one, which vouches for all before it, it says nothing new
    store("audit checkpoint --out new.json")
    (store.home / "both.json").write_text(old + "\n" + (store.home / "new.json").read_text())
    assert holds(store, "--anchor both.json")["anchored"] > 6
    store("audit export --out e.ndjson")
    code, told = verified(store.home / "e.ndjson", options=["--checkpoint", store.home / "old.json"])
    assert (code, "give the archive that has it" in told) == (12, True)
    every = [store.home / name for name in ("a.ndjson", "e.ndjson")]
    assert verified(*every, options=["--checkpoint", store.home / "old.json"])[0] == 0


@pytest.mark.engines("sqlite")
def test_ticks_go_on_leaving_checkpoints(store):
    (store.home / "witness").mkdir(mode=0o700)
    prune(store, "2030-12-01")
    env = {"USERMGMT_AUDIT_CHECKPOINT_DIR": str(store.home / "witness")}
    assert "checkpoint" in at(store, "tick", "2031-06-02", env=env).out
    (made,) = (store.home / "witness").iterdir()
    holds(store, f"--anchor {made}")


# -- erasures ----------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_parts_that_were_lawfully_erased_are_missing_in_the_archive_too(store):
    uid = store("user show carl --json").json["uid"]
    store.sql("DELETE FROM audit_pii WHERE subject = ?", f"user:{uid}")
    append(store, "privacy.erased", f"user:{uid}")
    holds(store, "--state")
    prune(store, "2030-12-01")
    assert holds(store, "--state")["redacted"] == 0
    # the archive by itself takes its header's word, with what comes after it the entry's
    code, told = verified(store.home / "a.ndjson")
    assert (code, told) == (0, "6 entries")
    store("audit export --out e.ndjson")
    assert verified(store.home / "a.ndjson", store.home / "e.ndjson")[0] == 0
    header, *lines = (store.home / "a.ndjson").read_text().splitlines()
    assert json.loads(header)["archive"] == {"erased": [f"user:{uid}"]}
    honest = json.loads(header) | {"archive": {"erased": []}}
    (store.home / "b.ndjson").write_text("\n".join([json.dumps(honest), *lines]) + "\n")
    assert verified(store.home / "b.ndjson")[0] == 12


def test_a_record_that_was_said_again_can_be_erased(store):
    prune(store, "2030-12-01")
    uid = store("user show alicia --json").json["uid"]
    store.sql("DELETE FROM audit_pii WHERE subject = ?", f"user:{uid}")
    assert kinds(store) == {"part-missing"}
    append(store, "privacy.erased", f"user:{uid}")
    assert holds(store, "--state")["redacted"] == 2
    store.sql("UPDATE \"user\" SET kind = 'service' WHERE username = 'alicia'")
    assert findings(store, "--state")[0]["fields"] == ["kind"]
