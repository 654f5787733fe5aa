"""`audit export`: what the stand-alone verifier makes of it, true and tampered with, and how it leaves the store."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from audit_tampering import rechain

import usermgmt
from usermgmt.kernel.audit import rows

PROGRAM = Path(usermgmt.__file__).parent / "docs" / "verify_audit.py"


@pytest.fixture
def store(run):
    run("user add alice --email alice@example.com --full-name 李爱丽")
    run("user add bob")
    run(["user", "suspend", "bob", "--reason", "li\u2028ne\x7f"], exit=None)
    run("user add bob", exit=5)
    return run


@pytest.fixture
def export(store):
    """Export to a file, let `change` have its objects, and return what the verifier says: exit code and output."""

    def go(change=None, *options):
        path = store.home / "export.ndjson"
        path.write_bytes(store("audit export").data)
        if change is not None:
            objects = [json.loads(line) for line in path.read_bytes().splitlines()]
            change(objects)
            path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects))
        done = subprocess.run(
            [sys.executable, "-I", PROGRAM, path, *options], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout

    return go


def test_an_export_is_true(store, export):
    code, out = export()
    assert code == 0, out
    assert out.splitlines()[-1].startswith("true: ")
    root = store("audit verify --json").json["root"]
    assert "nothing signed vouches" not in out
    assert len(root) == 64


def test_an_export_agrees_with_a_checkpoint_and_the_public_key(store, export):
    store("audit checkpoint --out cp.json")
    public = next((store.home / "keys").iterdir()) / "anchor.pub"
    code, out = export(None, "--checkpoint", store.home / "cp.json", "--public-key", public.read_text().strip())
    assert code == 0, out
    assert "note:" not in out


def edit(seq, **changes):
    return lambda objects: objects[seq].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        edit(2, actor="nobody"),
        edit(2, body="{}"),
        edit(2, hash="0" * 64),
        edit(2, parts=[]),
        edit(0, n=99),
        edit(0, hash="0" * 64),
        edit(0, store="0197b0a0-0000-7000-8000-000000000001"),
        lambda objects: objects[2]["parts"][0].update(body="{}"),
        lambda objects: objects[2]["parts"][0].update(salt="0" * 64),
        lambda objects: objects.pop(2),
        lambda objects: objects.pop(),
        lambda objects: objects.append(dict(objects[-1], seq=objects[-1]["seq"] + 1)),
        lambda objects: objects[0]["anchor"].update(n=2),
    ],
)
def test_a_tampered_export_is_not_true(export, change):
    code, out = export(change)
    assert code == 12, out


def test_a_store_rewritten_with_all_hashes_exports_what_its_anchor_contradicts(store, export):
    anchors = next((store.home / "anchors").iterdir())
    kept = anchors.read_bytes()
    store.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 2")
    rechain(store)
    anchors.unlink()
    exported = store("audit export").data
    anchors.write_bytes(kept)
    (store.home / "last.json").write_bytes(kept.splitlines(keepends=True)[-1])
    path = store.home / "forged.ndjson"
    path.write_bytes(exported)
    arguments = [sys.executable, "-I", PROGRAM, path, "--checkpoint", store.home / "last.json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 12
    assert "rewritten" in done.stdout


def test_a_file_is_new_private_and_whole(store):
    result = store("audit export --out audit.ndjson --reason yearly")
    path = store.home / "audit.ndjson"
    assert result.out == ""
    assert "audit.ndjson" in result.err
    assert store("audit export --out second.ndjson -q").err == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_bytes().splitlines()
    header = json.loads(lines[0])
    assert header["n"] == len(lines) - 1
    assert store("audit export --out audit.ndjson", exit=5).out == ""
    assert store("audit export --out no/where", exit=3).out == ""


def test_the_header_states_this_snapshot_and_the_anchor_of_it(store):
    before = store("audit verify --json").json
    header = json.loads(store("audit export -o ndjson").data.splitlines()[0])
    assert (header["n"], header["hash"], header["root"]) == (before["entries"], before["hash"], before["root"])
    assert header["anchor"]["n"] == header["n"]
    assert store("audit verify --json").json["entries"] == header["n"] + 1


def test_personal_parts_leave_unmasked_and_on_record(store):
    data = store("audit export --reason court").data
    assert b"alice@example.com" in data
    assert "李爱丽".encode() in data
    entry = store("audit list --json").json[-1]
    assert (entry["action"], entry["outcome"], entry["reason"]) == ("audit.export", "ok", "court")
    assert entry["facts"]["count"] == len(data.splitlines()) - 1


def test_each_line_is_one_line_whatever_is_stored(store):
    data = store("audit export").data
    assert not set("\u2028\x7f\x1b") & set(data.decode())
    assert len(data.decode().splitlines()) == data.count(b"\n")


def test_another_format_is_a_usage_error(store):
    assert store("audit export -o csv", exit=2).out == ""


def test_without_a_key_or_anchors_an_export_says_so_and_is_made(store):
    (folder,) = (store.home / "keys").iterdir()
    (folder / "anchor.pub").unlink()
    next((store.home / "anchors").iterdir()).unlink()
    result = store("audit export")
    header = json.loads(result.data.splitlines()[0])
    assert (header["public_key"], header["anchor"]) == ("", None)
    assert "warning: " in result.err


def test_an_export_is_one_snapshot_while_others_write(store, monkeypatch):
    entries = rows.entries

    def meanwhile(connection):
        monkeypatch.setattr(rows, "entries", entries)
        store("user add between")
        return entries(connection)

    monkeypatch.setattr(rows, "entries", meanwhile)
    lines = store("audit export").data.splitlines()
    header = json.loads(lines[0])
    assert [json.loads(line)["seq"] for line in lines[1:]] == list(range(1, header["n"] + 1))
    assert store("user exists between").exit == 0


@pytest.mark.engines("sqlite")
def test_where_no_writer_may_stand_beside_a_reader_the_export_is_recorded_all_the_same(store, export):
    assert store.sql("PRAGMA journal_mode=DELETE") == [("delete",)]
    code, out = export()
    assert code == 0, out
    assert store("audit list --json").json[-1]["action"] == "audit.export"
    assert store("audit tail --reveal -o count -q").exit == 0
    assert store("audit list --json").json[-1]["action"] == "data.reveal"
