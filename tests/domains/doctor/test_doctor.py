"""`doctor`: every check says what it found, on whatever store, and the exit code says how bad the worst of it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from usermgmt.domains.doctor.surroundings import NETWORK, mounted
from usermgmt.kernel import schema, sqlite
from usermgmt.kernel.audit import keys

FILE_CHECKS = {"configuration", "engine", "file", "directory", "file-system", "space"}
STORE_CHECKS = {"store", "schema", "key", "anchor", "clock", "integrity", "audit", "region"}


def checked(run, exit=0, **more):  # noqa: A002 - the word of the contract
    """Run the checks and return what is not well, by check; on PostgreSQL the tests' server may lose data."""
    if run.engine == "postgresql" and exit == 0:
        exit = 10  # noqa: A001 - the parameter above
    rows = run("doctor --json", exit=exit, **more).json
    return {row["check"]: row for row in rows if row["severity"] not in ("ok", "info") and row["check"] != "durability"}


def store_id(run):
    return run.sql("SELECT store_id FROM store_meta")[0][0]


def test_a_sound_store_passes_every_check(run):
    run("user add alice")
    assert checked(run) == {}
    rows = run("doctor --json", exit=None).json
    assert {row["check"] for row in rows} >= STORE_CHECKS | (
        FILE_CHECKS if run.engine == "sqlite" else {"server", "tls"}
    )
    assert all(set(row) == {"check", "severity", "message", "next"} for row in rows)


def test_it_reads_well_as_text(run):
    answer = run("doctor", exit=None)
    assert answer.lines[0].split("\t") == ["check", "severity", "message", "next"]
    assert any(line.startswith("audit\tok\t1 entries hold") for line in answer.lines)


def test_looking_changes_nothing(run):
    before = {path: path.read_bytes() for path in run.home.rglob("*") if path.is_file()}
    run("doctor", exit=None)
    assert {path: path.read_bytes() for path in run.home.rglob("*") if path.is_file()} == before
    assert run("store info --json").json["entries"] == 1


@pytest.mark.store("")
def test_a_store_without_a_country_is_only_noted(run):
    assert checked(run) == {}
    [row] = [row for row in run("doctor --json", exit=None).json if row["check"] == "region"]
    assert row["severity"] == "info"


@pytest.mark.store
def test_no_store_is_8_and_the_checks_before_it_are_shown(run):
    rows = run("doctor --json", exit=8).json
    found = {row["check"]: row for row in rows}
    assert found["store"]["severity"] == "error"
    assert "usermgmt init" in found["store"]["next"]
    assert found["configuration"]["severity"] == found["engine"]["severity"] == "ok"
    assert "audit" not in found


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("content", "code"), [(b"text" * 200, 8), (b"", 8), (b"SQLite format 3\x00" + b"\x01" * 2000, 8)]
)
def test_a_file_that_is_no_store_is_8(run, content, code):
    run.path.write_bytes(content)
    assert checked(run, code)["store"]["severity"] == "error"


@pytest.mark.engines("sqlite")
def test_a_damaged_file_is_12(run):
    for number in range(30):
        run(f"user add user{number}")
    data = bytearray(run.path.read_bytes())
    root = run.sql("SELECT rootpage FROM sqlite_master WHERE name = 'ix_user_skeleton'")[0][0]
    data[(root - 1) * 4096 : root * 4096] = os.urandom(4096)
    run.path.write_bytes(data)
    assert checked(run, 12)["integrity"]["severity"] == "error"


@pytest.mark.engines("sqlite")
def test_a_file_damaged_beyond_opening_is_12(run):
    data = bytearray(run.path.read_bytes())
    data[100:4096] = os.urandom(3996)
    run.path.write_bytes(data)
    assert checked(run, 12)["store"]["severity"] == "error"


# -- integrity and audit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE audit_entry SET body = '{}' WHERE seq = 2", "audit"),
        ("DELETE FROM audit_pii WHERE seq = 2", "audit"),
        ("UPDATE audit_head SET frontier = repeat('0', 64)", "audit"),
        ("UPDATE audit_entry SET hash = repeat('0', 64) WHERE seq = 3", "anchor"),
        ("CREATE VIEW evil AS SELECT 1 AS one", "integrity"),
    ],
)
def test_what_was_tampered_with_is_12(run, statement, check):
    run("user add alice")
    run("user add bob")
    if run.engine == "sqlite":
        statement = statement.replace("repeat('0', 64)", "printf('%064d', 0)")
    run.sql(statement)
    assert checked(run, 12)[check]["severity"] == "error"


@pytest.mark.engines("sqlite")
def test_rows_without_their_parent_are_12(run):
    run("user add alice --add-tag vip")
    connection = sqlite.driver().connect(run.url, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("DELETE FROM user")
    connection.close()
    assert "user_tag" in checked(run, 12)["integrity"]["message"]


@pytest.mark.engines("sqlite")
def test_a_file_put_back_is_12_and_the_way_out_is_told(run):
    shutil.copy(run.path, run.home / "old.db")
    run("user add alice")
    shutil.copy(run.home / "old.db", run.path)
    found = checked(run, 12)["anchor"]
    assert "store restore" in found["next"]
    run("store restore old.db --yes")
    assert checked(run) == {}
    run("user add alice")
    newest = run.path.read_bytes()
    run.path.write_bytes((run.home / "old.db").read_bytes())
    assert "lineage 2" in checked(run, 12)["anchor"]["message"]
    run.path.write_bytes(newest)
    assert checked(run) == {}


# -- key, anchors, clock -----------------------------------------------------------------------------------------------


def test_a_missing_key_is_a_warning(run):
    (run.home / "keys" / store_id(run) / "anchor.key").unlink()
    assert set(checked(run, 10)) == {"key"}


def test_an_open_key_is_a_warning_with_the_way_to_close_it(run):
    path = run.home / "keys" / store_id(run) / "anchor.key"
    path.chmod(0o644)
    assert checked(run, 10)["key"]["next"] == f"chmod 600 {path}"


def test_a_key_whose_halves_do_not_fit_is_a_warning(run):
    path = run.home / "keys" / store_id(run) / "anchor.pub"
    path.write_text("00" * 32 + "\n")
    assert {"key", "anchor"} == set(checked(run, 10))


def test_missing_anchors_are_a_warning(run):
    shutil.rmtree(run.home / "anchors")
    assert set(checked(run, 10)) == {"anchor"}
    run("user add alice")
    assert checked(run) == {}


def test_anchors_that_fell_behind_are_a_warning(run):
    path = run.home / "anchors" / f"{store_id(run)}.jsonl"
    before = path.read_bytes()
    run("user add alice")
    path.write_bytes(before)
    assert "entry 1" in checked(run, 10)["anchor"]["message"]


def test_lines_that_are_no_anchors_are_a_warning(run):
    path = run.home / "anchors" / f"{store_id(run)}.jsonl"
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    assert "1" in checked(run, 10)["anchor"]["message"]
    path.chmod(0o666)
    assert "write to it" in checked(run, 10)["anchor"]["message"]


def test_an_anchor_of_another_key_is_a_warning(run):
    folder = run.home / "keys" / store_id(run)
    shutil.rmtree(folder)
    keys.create_key(folder)
    assert "not signed by the key" in checked(run, 10)["anchor"]["message"]


def test_an_anchor_with_another_root_is_12(run):
    path = run.home / "anchors" / f"{store_id(run)}.jsonl"
    line = path.read_bytes()
    root = run("audit verify --json").json["root"].encode()
    path.write_bytes(line.replace(root, b"0" * 64))
    assert "root" in checked(run, 12)["audit"]["message"]


@pytest.mark.store("--simulate")
def test_the_future_of_a_simulated_store_is_only_noted(run):
    run("user add alice --now 2090-01-01")
    assert checked(run) == {}


def test_an_entry_from_the_future_is_a_warning(run):
    from datetime import UTC, datetime

    from usermgmt.kernel.clock import Clock

    run("user add alice")
    past = Clock(datetime(2020, 1, 1, tzinfo=UTC))
    assert "future" in checked(run, 10, clock=past)["clock"]["message"]


# -- what it stands on -------------------------------------------------------------------------------------------------


def test_a_broken_configuration_is_told_and_the_rest_is_checked(run):
    (run.home / "bad.toml").write_text("[store]\nbusy_timeout = 'soon'\n")
    (run.home / "bad.toml").chmod(0o600)
    rows = run(["--config", str(run.home / "bad.toml"), "doctor", "--json"], exit=8).json
    found = {row["check"]: row for row in rows}
    assert "busy_timeout" in found["configuration"]["message"]
    assert found["audit"]["severity"] == "ok"


@pytest.mark.engines("sqlite")
def test_a_file_that_others_may_read_is_a_warning(run):
    run.path.chmod(0o644)
    assert checked(run, 10)["file"]["next"] == f"chmod 600 {run.path}"


@pytest.mark.engines("sqlite")
def test_a_file_that_others_may_write_is_8(run):
    run.path.chmod(0o666)
    found = checked(run, 8)
    assert found["file"]["severity"] == "warning"
    assert found["store"]["severity"] == "error"
    assert "chmod" in found["store"]["next"]


@pytest.mark.engines("sqlite")
def test_a_link_in_the_place_of_the_store_is_8(run, tmp_path):
    run.path.rename(tmp_path / "real.db")
    run.path.symlink_to(tmp_path / "real.db")
    found = checked(run, 8)["store"]
    assert "symbolic link" in found["message"]
    assert "doctor" not in found["next"]


@pytest.mark.engines("sqlite")
def test_a_directory_that_others_may_write_to_is_told(run):
    run.home.chmod(0o777)
    assert "go-w" in checked(run, None)["directory"]["next"]
    run.home.chmod(0o1777)
    assert checked(run, 10)["directory"]["severity"] == "warning"


@pytest.mark.engines("sqlite")
def test_what_a_killed_run_left_is_found(run):
    (run.home / ".store.db.abc123").mkdir()
    found = checked(run, 10)["leftovers"]
    assert found["next"] == f"rm -r {run.home}/.store.db.abc123"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/data/store", "nfs4"),
        ("/srv/data", "nfs4"),
        ("/srv/database", "ext4"),
        ("/srv/with blank/x", "fuse.sshfs"),
        ("/twice/x", "cifs"),
        ("/", "ext4"),
    ],
)
def test_the_longest_and_last_mount_counts(path, kind):
    mountinfo = (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:50 / /srv/data rw - nfs4 host:/data rw\n"
        "31 22 0:51 / /srv/with\\040blank rw shared:2 - fuse.sshfs host: rw\n"
        "32 22 0:52 / /twice rw - ext4 /dev/sdb rw\n"
        "33 32 0:53 / /twice rw - cifs //host/share rw\n"
        "a line of another form\n"
    )
    assert mounted(Path(path), mountinfo) == kind
    assert bool(NETWORK.fullmatch(kind)) == (kind != "ext4")


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def as_login(run, name):
    parts = urlsplit(run.url)
    return urlunsplit((parts[0], f"{name}:x@" + parts.netloc.rpartition("@")[2], *parts[2:]))


@pytest.mark.engines("postgresql")
def test_a_server_that_may_lose_commits_is_a_warning(run):
    rows = {row["check"]: row for row in run("doctor --json", exit=10).json}
    assert "fsync" in rows["durability"]["message"]
    assert rows["server"]["message"].startswith("PostgreSQL ")
    assert rows["tls"]["severity"] == rows["encoding"]["severity"] == "ok"


@pytest.mark.engines("postgresql")
def test_a_login_without_rights_is_a_warning(run):
    name = run.sql("SELECT current_database()")[0][0]
    run.sql(f"CREATE ROLE r_{name} LOGIN PASSWORD 'x'")
    run.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO r_{name}")
    run.env["USERMGMT_STORE"] = as_login(run, f"r_{name}")
    try:
        found = checked(run, 10)
        assert "INSERT user" in found["rights"]["message"]
    finally:
        run.sql(f"DROP OWNED BY r_{name}")
        run.sql(f"DROP ROLE r_{name}")


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ('ALTER TABLE "user" DROP CONSTRAINT ck_user_status_known', "constraint ck_user_status_known on user"),
        (
            "ALTER TABLE user_tag DROP CONSTRAINT pk_user_tag, ADD CONSTRAINT pk_user_tag PRIMARY KEY (tag, user_id)",
            "constraint pk_user_tag on user_tag",
        ),
        ('ALTER TABLE "user" DROP CONSTRAINT uq_user_phone', "constraint uq_user_phone on user"),
        (
            "ALTER TABLE audit_pii DROP CONSTRAINT fk_audit_pii_seq_audit_entry",
            "constraint fk_audit_pii_seq_audit_entry",
        ),
        ('ALTER TABLE "user" ALTER COLUMN status DROP NOT NULL', "column user.status"),
        ("DROP INDEX ix_user_skeleton", "index ix_user_skeleton on user"),
        ("ALTER TABLE user_note DISABLE TRIGGER ALL", "trigger RI_"),
        ("CREATE TABLE evil (one INT)", "table evil"),
        ("ALTER TABLE user_tag SET UNLOGGED", "table user_tag"),
        ('ALTER TABLE "user" ENABLE ROW LEVEL SECURITY', "table user"),
    ],
)
def test_a_schema_that_was_changed_is_12_and_names_what(run, statement, named):
    run.sql(statement)
    assert named in checked(run, 12)["integrity"]["message"]
    assert named in run("audit verify", exit=12).err


@pytest.mark.engines("postgresql")
def test_an_index_beyond_ours_does_no_harm(run):
    run.sql('CREATE INDEX mine ON "user" (occupation)')
    assert checked(run) == {}


@pytest.mark.engines("postgresql")
def test_a_login_that_can_make_no_tables_to_compare_with_is_told(run, monkeypatch):
    # another test may have made them in this process
    monkeypatch.setattr(schema, "_known", {})
    name = run.sql("SELECT current_database()")[0][0]
    run.sql(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    run.sql(f"CREATE ROLE t_{name} LOGIN PASSWORD 'x'")
    run.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO t_{name}")
    run.sql("CREATE VIEW evil AS SELECT 1 AS one")
    owner = run.env["USERMGMT_STORE"]
    run.env["USERMGMT_STORE"] = as_login(run, f"t_{name}")
    try:
        assert "view evil" in checked(run, 12)["integrity"]["message"]
        run.sql("DROP VIEW evil")
        assert "TEMPORARY" in checked(run, 10)["integrity"]["next"]
        assert "temporary" in run("audit verify").err
    finally:
        run.env["USERMGMT_STORE"] = owner
        run.sql(f"DROP OWNED BY t_{name}")
        run.sql(f"DROP ROLE t_{name}")


@pytest.mark.engines("postgresql")
@pytest.mark.store
def test_a_server_that_is_not_there_is_8(run):
    run.env["USERMGMT_STORE"] = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    found = checked(run, 8)
    assert found["store"]["severity"] == "error"


@pytest.mark.engines("postgresql")
def test_an_old_schema_is_a_warning_with_the_command(run):
    newer = "import_run, tick_slot, user_notice, user_attribute, user_bigram, user_org, org_unit"
    run.sql(f'DROP TABLE {newer}, user_address, user_external_id, user_former_name, user_note, user_tag, "user"')
    run.sql("UPDATE alembic_version SET version_num = '0001'")
    assert checked(run, 10)["schema"]["next"] == "usermgmt store migrate"


def test_a_newer_schema_is_8(run):
    run.sql("UPDATE alembic_version SET version_num = '9999'")
    assert "9999" in checked(run, 8)["store"]["message"]
