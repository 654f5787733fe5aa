"""A store that is none, or not safe, or not ours: one clear line, exit 8 or 12, and nothing changed."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys

import pytest

from usermgmt.kernel import sqlite

pytestmark = pytest.mark.engines("sqlite")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(run, path, code, exit=8):  # noqa: A002 - the word of the contract
    answer = run(["--store", str(path), "user", "list", "--json"], exit=exit)
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert answer.error["code"] == code
    return answer.error


@pytest.mark.store
def test_no_store_says_how_to_make_one(run, tmp_path):
    error = refused(run, tmp_path / "none.db", "store.missing")
    assert "usermgmt init" in error["hint"]


@pytest.mark.store
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4096, b"just text\n" * 500, b"SQLite format 3\x00", os.urandom(100_000)]
)
def test_a_file_that_is_no_database_is_left_alone(run, tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content)
    path.chmod(0o600)
    before = digest(path), path.stat().st_mtime_ns
    refused(run, path, "store.foreign")
    assert (digest(path), path.stat().st_mtime_ns) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("x.db")] == ["x.db"]


@pytest.mark.store
def test_another_programs_database_is_left_alone(run, tmp_path):
    path = tmp_path / "x.db"
    connection = sqlite.driver().connect(str(path))
    connection.execute("CREATE TABLE user (id INTEGER)")
    connection.commit()
    connection.close()
    path.chmod(0o600)
    before = digest(path)
    assert "another program" in refused(run, path, "store.foreign")["message"]
    assert digest(path) == before


@pytest.mark.store
def test_a_directory_a_pipe_and_a_device_are_refused(run, tmp_path):
    refused(run, tmp_path, "store.foreign")
    os.mkfifo(tmp_path / "pipe", 0o600)
    refused(run, tmp_path / "pipe", "store.foreign")
    refused(run, "/dev/zero", "store.foreign")


def test_a_symlinked_store_is_refused(run, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(run.path)
    assert "symbolic link" in refused(run, link, "store.unsafe")["message"]
    run(["--store", str(link), "init"], exit=8)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_store_that_others_may_write_is_refused(run, mode):
    run.path.chmod(mode)
    refused(run, run.path, "store.unsafe")


def test_a_store_in_a_directory_that_others_may_write_is_refused(run):
    run.home.chmod(0o777)
    refused(run, run.path, "store.unsafe")


def test_a_newer_schema_is_refused_unread(run):
    run.sql("UPDATE alembic_version SET version_num = '9999'")
    error = refused(run, run.path, "schema.newer")
    assert "9999" in error["message"]


def test_an_older_schema_names_the_command(run):
    run.sql("UPDATE alembic_version SET version_num = '0001'")
    assert "store migrate" in refused(run, run.path, "schema.old")["hint"]


def test_a_store_without_its_tables_is_refused(run):
    run.sql("DROP TABLE audit_head")
    refused(run, run.path, "store.foreign")


def test_a_torn_store_is_an_integrity_failure(run):
    run("user add alice")
    data = bytearray(run.path.read_bytes())
    page = 4096
    for start in range(page, len(data), page):
        data[start : start + 200] = b"\xff" * 200
    run.path.write_bytes(data)
    refused(run, run.path, "integrity", exit=12)


def test_a_store_on_a_broken_disk_is_unavailable(run, monkeypatch):
    def broken(*_given):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", broken)
    refused(run, run.path, "store.unreadable")


@pytest.mark.parametrize(
    ("number", "exit", "code"),
    [
        (errno.EIO, 8, "system.failed"),
        (errno.EMFILE, 8, "system.failed"),
        (errno.ENOSPC, 8, "disk.full"),
        (errno.EBADF, 1, "error"),
        (errno.EINVAL, 1, "error"),
    ],
)
def test_what_the_system_refuses_is_unavailable_and_our_own_faults_are_not(run, monkeypatch, number, exit, code):  # noqa: A002
    def broken(*_given, **_more):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("usermgmt.domains.user.lookup.find", broken)
    assert run("user show alice --json", exit=exit).error["code"] == code


def test_a_locked_store_is_unavailable(run):
    connection = sqlite.driver().connect(str(run.path), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    answer = run("user add alice --json", env={"USERMGMT_STORE_BUSY_TIMEOUT": "1s"}, exit=8)
    connection.execute("ROLLBACK")
    connection.close()
    assert answer.error["code"] == "store.busy"
    run("user add alice")


def test_a_reader_is_not_held_up_by_a_writer(run):
    connection = sqlite.driver().connect(str(run.path), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    run("user list")
    connection.execute("ROLLBACK")
    connection.close()


def test_the_program_works_without_the_wheel_of_sqlcipher(run):
    """The standard library's module is the fallback; where its version has the WAL bug, the journal is a plain one."""
    script = "import sys; sys.modules['sqlcipher3'] = None\nfrom usermgmt.main import console; console()"
    store = str(run.home / "plain.db")
    for argv in (["init"], ["user", "add", "alice"], ["user", "list", "--reveal"], ["user", "suspend", "alice"]):
        done = subprocess.run(
            [sys.executable, "-c", script, "--store", store, *argv],
            env=run.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), False),
        ((3, 53, 4), True),
    ],
)
def test_wal_only_where_it_is_safe(version, safe):
    assert sqlite.wal_is_safe(version) is safe


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_every_file_is_private_whatever_the_umask(run, umask):
    store = run.home / "new" / "store.db"
    script = f"import os; os.umask({umask}); from usermgmt.main import console; console()"
    for argv in (["init"], ["user", "add", "alice"]):
        subprocess.run([sys.executable, "-c", script, "--store", str(store), *argv], env=run.env, check=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.parent.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.store
def test_init_leaves_nothing_where_the_disk_is_full(run, tmp_path):
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from usermgmt.main import console; console()"
    )
    store = tmp_path / "full" / "store.db"
    done = subprocess.run(
        [sys.executable, "-c", script, "--store", str(store), "init"],
        env=run.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 8, done.stderr
    assert list(store.parent.iterdir()) == []


@pytest.mark.store
def test_init_twice_and_with_other_options(run):
    store = str(run.home / "a" / "store.db")
    assert run(["--store", store, "init", "--region", "CN", "--json"]).json["outcome"] == "created"
    assert run(["--store", store, "init", "--region", "cn", "--json"]).json["outcome"] == "unchanged"
    assert run(["--store", store, "init", "--json"]).json["outcome"] == "unchanged"
    assert run(["--store", store, "init", "--region", "DE", "--json"], exit=5).error["code"] == "store.exists"
    assert run(["--store", store, "init", "--simulate", "--json"], exit=5).error["code"] == "store.exists"
    run(["--store", store, "init", "--region", "XX"], exit=6)


@pytest.mark.store
def test_init_can_be_rehearsed(run):
    store = run.home / "a" / "store.db"
    answer = run(["--store", str(store), "init", "--dry-run", "--json"]).json
    assert (answer["outcome"], answer["dry_run"], answer["store_id"]) == ("created", True, None)
    assert not store.parent.exists()
