"""Anchors, checkpoints and lineages: what vouches for the log from outside the store, and who may disagree with it."""

from __future__ import annotations

import fcntl
import json
import shutil
import stat

import pytest
from audit_tampering import cut, findings, holds, rechain

from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.audit.keys import create_key


@pytest.fixture
def store(run):
    """Five entries, and the file of its anchors."""
    for n in range(2, 6):
        run(f"user add u{n}")
    (run.anchors,) = (run.home / "anchors").iterdir()
    return run


def lines(run):
    return run.anchors.read_bytes().splitlines(keepends=True)


def rewrite(run, **changes):
    """Change values of the last anchor, as somebody without the key can."""
    *before, last = lines(run)
    values = json.loads(last) | changes
    run.anchors.write_bytes(
        b"".join([*before, json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n"])
    )


def kinds(found):
    return [(one["kind"], one["entry"]) for one in found]


# -- the store's own anchors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["hash", "root", "sig"])
def test_a_tampered_anchor_is_told(store, field):
    rewrite(store, **{field: ("0" * 128)[: len(json.loads(lines(store)[-1])[field])]})
    assert {one["kind"] for one in findings(store)} == {"anchor"}


def test_an_anchor_with_another_time_is_not_signed(store):
    rewrite(store, at="2001-01-01T00:00:00.000Z")
    (found,) = findings(store)
    assert (found["kind"], found["entry"]) == ("anchor", 5)
    assert "signed" in found["message"]


def test_an_anchor_of_entries_to_come(store):
    rewrite(store, n=9)
    assert ("anchor", 6) in kinds(findings(store))


def test_an_anchor_of_a_later_lineage(store):
    rewrite(store, lineage=2)
    assert any("put back" in one["message"] for one in findings(store))


def test_an_anchor_of_another_store(store):
    rewrite(store, store="0197b0a0-0000-7000-8000-000000000001")
    assert any("another store" in one["message"] for one in findings(store))


def test_deleted_anchors_are_a_warning_since_nothing_contradicts_the_log(store):
    store.anchors.unlink()
    found = holds(store)
    assert (found["anchors"], found["anchored"]) == (0, 0)
    assert len(found["warnings"]) == 1
    assert "warning: there are no anchors" in store("audit verify -q").err


def test_a_torn_line_is_a_warning_that_names_it(store):
    whole = lines(store)
    store.anchors.write_bytes(b"".join([whole[0], whole[1][:50] + b"\n", *whole[2:]]))
    found = holds(store)
    assert found["anchors"] == 4
    assert "line 2" in found["warnings"][0]


def test_a_torn_end_is_a_warning_unless_it_is_being_written(store):
    store.anchors.write_bytes(store.anchors.read_bytes()[:-60])
    found = holds(store)
    assert found["anchors"] == 4
    assert "line 5, the last, is torn" in found["warnings"][0]
    with store.anchors.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert holds(store)["warnings"] == []
    # the next change begins a line of its own
    store("user add u6")
    assert "from line 5" in holds(store)["warnings"][0]


def test_anchors_that_others_may_write_are_no_evidence(store):
    store.anchors.chmod(0o666)
    (found,) = findings(store)
    assert "write" in found["message"]


def test_a_missing_public_key_leaves_signatures_unchecked_and_says_so(store):
    (folder,) = (store.home / "keys").iterdir()
    (folder / "anchor.pub").unlink()
    (found,) = findings(store)
    assert "signature" in found["message"]


def test_another_key_does_not_fit_the_anchors(store):
    (folder,) = (store.home / "keys").iterdir()
    shutil.rmtree(folder)
    create_key(folder)
    (found,) = findings(store)
    assert "4 more" in found["message"]


def test_anchors_are_read_before_the_log(store, monkeypatch):
    from usermgmt.kernel.audit import anchor

    read_all = anchor.read_all

    def meanwhile(path):
        found = read_all(path)
        # another process writes between the two readings: its anchor must not be taken for a rollback
        monkeypatch.setattr(anchor, "read_all", read_all)
        store("user add between")
        return found

    monkeypatch.setattr(anchor, "read_all", meanwhile)
    assert holds(store)["entries"] == 6


# -- checkpoints -------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_signed_private_and_recorded(store):
    made = store("audit checkpoint --out cp.json --reason monthly --json").json
    path = store.home / "cp.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    anchor = Anchor.parse(path.read_bytes())
    assert (made["outcome"], made["n"], made["hash"], made["sig"]) == ("created", 5, anchor.hash, anchor.sig)
    entry = store("audit list --json").json[-1]
    assert (entry["action"], entry["target"], entry["reason"]) == ("audit.checkpoint", "store", "monthly")
    assert entry["facts"] == {"n": 5, "hash": anchor.hash, "root": anchor.root, "key": anchor.key}
    assert "cp2.json" in store("audit checkpoint --out cp2.json").out


def test_a_checkpoint_to_standard_output_is_the_same_line(store):
    line = store("audit checkpoint --out -").data
    assert Anchor.parse(line).n == 5
    assert holds(store, "--anchor -", stdin=line)["anchored"] == 6


def test_a_checkpoint_never_overwrites(store):
    (store.home / "cp.json").write_text("mine")
    assert store("audit checkpoint --out cp.json --json", exit=5).error["code"] == "file.exists"
    assert store("audit checkpoint --out cp.json -n", exit=5).out == ""
    assert (store.home / "cp.json").read_text() == "mine"
    assert store("audit checkpoint --out no/where.json", exit=3).out == ""
    assert store("audit checkpoint --out no/where.json --dry-run", exit=3).out == ""


def test_a_rehearsed_checkpoint_writes_nothing(store):
    assert store("audit checkpoint --out cp.json -n --json").json["dry_run"] is True
    assert store("audit checkpoint --out - -n").out == ""
    assert not (store.home / "cp.json").exists()
    assert holds(store)["entries"] == 5


def test_a_store_that_grew_still_agrees_with_its_checkpoint(store):
    store("audit checkpoint --out cp.json")
    store("user add later")
    assert holds(store, "--anchor cp.json")["anchors"] == 8


def test_a_checkpoint_beats_somebody_who_rewrote_log_and_anchors(store):
    store("audit checkpoint --out cp.json")
    store.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 3")
    rechain(store)
    store.anchors.unlink()
    holds(store)
    (found,) = findings(store, "--anchor cp.json")
    assert (found["kind"], found["entry"]) == ("checkpoint", 5)


def test_a_checkpoint_beats_somebody_who_cut_log_and_anchors(store):
    store("audit checkpoint --out cp.json")
    cut(store, 4)
    rechain(store)
    store.anchors.unlink()
    holds(store)
    (found,) = findings(store, "--anchor cp.json")
    assert (found["kind"], found["entry"]) == ("checkpoint", 4)
    assert "4 to 5" in found["message"]


def test_a_checkpoint_that_was_meddled_with_is_not_signed(store):
    store("audit checkpoint --out cp.json")
    path = store.home / "cp.json"
    path.write_text(path.read_text().replace('"n":5', '"n":4'))
    assert {one["kind"] for one in findings(store, "--anchor cp.json")} == {"checkpoint"}


def test_a_checkpoint_of_another_store_is_told(store):
    store("audit checkpoint --out cp.json")
    path = store.home / "cp.json"
    store_id = store.sql("SELECT store_id FROM store_meta")[0][0]
    path.write_text(path.read_text().replace(store_id, "0197b0a0-0000-7000-8000-000000000001"))
    assert "another store" in findings(store, "--anchor cp.json")[0]["message"]


def test_what_is_no_checkpoint_is_refused(store):
    (store.home / "x.json").write_text("{}\n")
    assert store("audit verify --anchor x.json --json", exit=6).error["code"] == "audit.no_anchor"
    assert store("audit verify --anchor none.json", exit=3).out == ""
    assert store("audit verify --anchor .", exit=8).out == ""


def test_a_copy_of_the_whole_anchor_file_serves_as_well(store):
    shutil.copy(store.anchors, store.home / "copy.jsonl")
    store("user add later")
    assert holds(store, "--anchor copy.jsonl")["anchors"] == 11


# -- lineages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(store):
    """Entries 1 to 6 from a backup, 7 the restore; 7 and 8 of the first lineage were taken back."""
    store("store backup b.db")
    store("user add lost")
    store("audit checkpoint --out lost.json")
    store("store restore b.db --yes")
    return store


def test_a_restore_begins_a_lineage_and_the_old_anchors_do_not_disturb(restored):
    found = holds(restored, "--state")
    assert found["lineage"] == 2
    restored("user add next")
    assert holds(restored, "--state")["anchored"] == found["entries"] + 1


def test_anchors_from_before_the_backup_still_count(restored):
    restored.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 3")
    rechain(restored)
    # the anchors that a later writer would leave agree with the forgery; the old ones do not
    found = findings(restored)
    assert found[0]["entry"] == 3
    assert found[0]["kind"] == "anchor"


def test_a_checkpoint_of_entries_that_a_restore_took_back_is_told(restored):
    (found,) = findings(restored, "--anchor lost.json")
    assert found["kind"] == "checkpoint"
    assert "restore" in found["message"]


def test_a_later_checkpoint_of_the_same_file_excuses_it(restored):
    restored("audit checkpoint --out new.json")
    both = (restored.home / "lost.json").read_bytes() + (restored.home / "new.json").read_bytes()
    (restored.home / "both.jsonl").write_bytes(both)
    holds(restored, "--anchor both.jsonl")


def test_the_file_from_before_a_restore_put_back_is_told(restored, tmp_path):
    if restored.engine == "postgresql":
        restored.sql("UPDATE store_meta SET lineage = 1")
    else:
        shutil.copy(restored.home / "b.db", restored.path)
        restored.path.chmod(0o600)
    assert "lineage" in restored("user list", exit=12).err
    assert any("put back" in one["message"] or one["kind"] == "lineage" for one in findings(restored))


def test_a_lineage_that_no_restore_began_is_told(restored):
    restored.sql("UPDATE store_meta SET lineage = 3")
    assert ("lineage", None) in kinds(findings(restored))


def test_a_restore_that_names_another_head_than_was_anchored_is_told(restored):
    seq, body = restored.sql("SELECT seq, body FROM audit_entry WHERE action = 'store.restore'")[0]
    facts = json.loads(body)
    facts["replaced"]["hash"] = "0" * 64
    restored.sql("UPDATE audit_entry SET body = ? WHERE seq = ?", json.dumps(facts), seq)
    rechain(restored)
    assert ("lineage", seq) in kinds(findings(restored))
