"""Keys that do not fit, are damaged, unsafe, missing or sealed: one clear line, exit 8, a hint, and nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from store_helpers import digests, names, spawned

pytestmark = [pytest.mark.engines("sqlite"), pytest.mark.store("--encrypt --region CN")]
PASSPHRASE = b"correct horse battery\n"


def key_file(run):
    (found,) = (run.home / "keys").glob("*/store-*.key")
    return found


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    path.chmod(0o600)


def refused(run, code, exit=8, line="user list", **more):  # noqa: A002 - the word of the contract
    before = digests(run.home)
    answer = run(f"{line} --json", exit=exit, **more)
    assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert answer.error["code"] == code
    assert answer.error["hint"]
    assert digests(run.home) == before
    return answer.error["message"]


# -- what may be wrong with a key --------------------------------------------------------------------------------------


def test_the_key_file_is_missing(run):
    folder = key_file(run).parent
    key_file(run).unlink()
    message = refused(run, "key.missing")
    assert folder.name in message
    for line in ("store encrypt", "store rekey", "store info", "store backup b.db", "init", "audit verify"):
        refused(run, "key.missing", line=line)
    refused(run, "key.fault", env={"USERMGMT_STORE_KEY_FILE": str(run.home / "none.key")})


def test_a_wrong_key(run):
    path = key_file(run)
    values = json.loads(path.read_text())
    from usermgmt.kernel.cipher import StoreKey

    other = StoreKey(values["store"], bytes(32))
    change(path, key=other.secret.hex(), id=other.id)
    assert "no page" in refused(run, "key.wrong")


def test_the_key_of_another_store(run, tmp_path):
    (tmp_path / "other").mkdir(mode=0o700)
    env = {"USERMGMT_STORE_KEY_DIR": str(tmp_path / "other")}
    made = run(["--store", str(tmp_path / "other" / "s.db"), "init", "--encrypt", "--json"], env=env).json
    (theirs,) = (tmp_path / "other").glob("*/store-*.key")
    message = refused(run, "key.wrong", env={**env, "USERMGMT_STORE_KEY_FILE": str(theirs)})
    assert made["store_id"] in message
    # the store's own key is found all the same where it lies
    assert names(run, env={"USERMGMT_STORE_KEY_FILE": str(theirs)}) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\x00" * 40, b"0" * 64 + b"\n", b"9" * 100_000])
def test_a_file_that_is_no_key(run, content):
    key_file(run).write_bytes(content)
    message = refused(run, "key.fault")
    assert ("empty" in message) == (content == b"")


def test_half_a_key(run):
    path = key_file(run)
    whole = json.loads(path.read_text())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(run, "key.fault")
    for damaged in (whole["key"][:32], whole["key"][:-1] + "x", "00" + whole["key"][2:], 7, None):
        path.write_text(json.dumps({**whole, "key": damaged}))
        assert "damaged" in refused(run, "key.fault")
    path.write_text(json.dumps({name: value for name, value in whole.items() if name != "key"}))
    refused(run, "key.fault")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_may_read(run, mode):
    key_file(run).chmod(mode)
    assert "other accounts" in refused(run, "key.fault")
    found = {row["check"]: row["severity"] for row in run("doctor --json", exit=8).json}
    assert found["store"] == "error"


def test_a_linked_key_and_a_pipe(run, tmp_path):
    path = key_file(run)
    path.rename(tmp_path / "real.key")
    path.symlink_to(tmp_path / "real.key")
    assert "symbolic link" in refused(run, "key.fault")
    path.unlink()
    os.mkfifo(path, 0o600)
    answer = run("user list --json", exit=8)
    assert "regular file" in answer.error["message"]


def test_no_page_that_was_damaged_makes_it_another_keys(run):
    for number in range(3):
        run(f"user add user{number}")
    data = bytearray(run.path.read_bytes())
    data[100] ^= 1
    run.path.write_bytes(data)
    refused(run, "integrity", exit=12)


def test_random_bytes_with_a_stores_id_are_refused(run):
    head = run.path.read_bytes()[:16]
    run.path.write_bytes(head + bytes(20_000))
    refused(run, "key.wrong")
    run.path.write_bytes(head)
    refused(run, "store.foreign")


def test_without_the_wheel_it_is_said_what_to_install(run, tmp_path):
    code = "import sys; sys.modules['sqlcipher3'] = None; from usermgmt.main import console; console()"
    for line, file in (("user list", run.url), ("init --encrypt", str(tmp_path / "new.db"))):
        process = subprocess.run(
            [sys.executable, "-c", code, *line.split(), "--json"],
            env={**os.environ, **run.env, "USERMGMT_STORE": file},
            capture_output=True,
            timeout=60,
            check=False,
        )
        error = json.loads(process.stderr)["error"]
        assert (process.returncode, error["code"]) == (8, "store.no_cipher")
        assert "pip install" in error["hint"]
    assert list(tmp_path.glob("new*")) == []


# -- where it may be ---------------------------------------------------------------------------------------------------


def test_a_key_file_elsewhere(run, tmp_path):
    place = tmp_path / "vault" / "my[1].key"
    place.parent.mkdir(mode=0o700)
    env = {"USERMGMT_STORE_KEY_FILE": str(place)}
    run("doctor", env=env, exit=10)
    key_file(run).rename(place)
    assert names(run, env=env) == []
    first = run("store info --json", env=env).json["key"]
    run("store backup b.db", env=env)
    assert run("store rekey --json", env=env).json["key_file"] == str(place)
    assert sorted(path.name for path in place.parent.iterdir()) == [f"my[1]-{first}.key", "my[1].key"]
    assert list((run.home / "keys").glob("*/store-*")) == []
    run("store restore b.db --yes", env=env)
    assert run("doctor --json", env=env).json
    run("store rekey --drop-old-key", env=env)
    assert len(list(place.parent.iterdir())) == 2


def test_a_key_file_of_another_store_is_not_replaced(run, tmp_path):
    run("store decrypt")
    place = tmp_path / "other.key"
    place.write_bytes(b"something of somebody's")
    answer = run("store encrypt --json", env={"USERMGMT_STORE_KEY_FILE": str(place)}, exit=5)
    assert answer.error["code"] == "file.exists"
    assert place.read_bytes() == b"something of somebody's"
    key_file(run).unlink()
    run("store encrypt")


def test_a_credential_of_systemd(run, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    env = {"CREDENTIALS_DIRECTORY": str(folder)}
    key_file(run).rename(folder / "usermgmt.key")
    (folder / "usermgmt.key").chmod(0o440)
    run("user list", env=env)
    assert run("config show --origin --json store.key_file", env=env, exit=None).exit in (0, 2)
    run("doctor", env=env)
    told = run("store rekey --drop-old-key", env=env)
    assert "give the service the new one" in told.err
    assert "in store.key_file" in run("doctor", env=env, exit=10).out
    refusal = run("user list --json", env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert refusal.exit == 0


# -- passphrases -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(run):
    """A store whose key is under a passphrase."""
    run("store rekey --drop-old-key --password-stdin", stdin=PASSPHRASE)
    assert "sealed" in json.loads(key_file(run).read_text())
    return run


@pytest.fixture
def opened(sealed):
    """The environment in which the passphrase is given by a file."""
    path = sealed.home / "passphrase"
    path.write_bytes(PASSPHRASE)
    path.chmod(0o600)
    return {"USERMGMT_STORE_PASSPHRASE_FILE": str(path)}


def test_a_sealed_key_opens_with_its_passphrase_only(sealed, opened):
    run = sealed
    assert "no terminal" in refused(run, "key.sealed")
    refused(run, "key.sealed", stdin=PASSPHRASE)
    refused(run, "key.sealed", line="user list --no-input", tty=True, stdin=PASSPHRASE)
    run("user add alice", env=opened)
    answer = run("user list --fields username --no-header -o tsv", tty=True, stdin=PASSPHRASE)
    assert answer.lines == ["alice"]
    assert answer.err.count("Passphrase of the") == 1
    assert PASSPHRASE.decode().strip() not in answer.err
    wrong = run("user list", tty=True, stdin=b"wrong\n", exit=8)
    assert "does not open it" in wrong.err
    (run.home / "passphrase").write_bytes(b"wrong")
    refused(run, "key.sealed", env=opened)
    (run.home / "passphrase").chmod(0o644)
    refused(run, "config.invalid", env=opened)
    (run.home / "passphrase").unlink()
    run("user list", exit=3, env=opened)


def test_a_sealed_key_is_bound_to_its_file(sealed, opened):
    run = sealed
    whole = json.loads(key_file(run).read_text())
    for values in (
        {"nonce": "00" * 12},
        {"sealed": "00" + whole["sealed"][2:]},
        {"sealed": whole["sealed"][:40]},
        {"id": "0" * 16},
        {"kdf": {**whole["kdf"], "time": 2}},
        {"kdf": {**whole["kdf"], "salt": "00" * 16}},
    ):
        change(key_file(run), **{**whole, **values})
        refused(run, "key.sealed", env=opened)
    for kdf in ({"memory": 1 << 30}, {"time": 10_000}, {"lanes": 0}, {"name": "md5"}, {"memory": "x"}):
        change(key_file(run), **{**whole, "kdf": {**whole["kdf"], **kdf}})
        assert "damaged" in refused(run, "key.fault", env=opened)


def test_a_descriptor_gives_the_passphrase(sealed):
    run = sealed
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE)
    os.close(writing)
    env = {"USERMGMT_STORE_PASSPHRASE_FILE": f"/dev/fd/{reading}"}
    run("user list", env=env)
    os.close(reading)


def test_rekey_takes_the_passphrase_away(sealed, opened):
    run = sealed
    run("store rekey --drop-old-key", env=opened)
    run("user list")


def test_a_new_passphrase_is_asked_for_twice(run):
    assert "differ" in run("store rekey --wrap", tty=True, stdin=b"one passphrase\nanother one\n", exit=6).err
    assert "no terminal" in run("store rekey --wrap", exit=2).err
    assert "shorter" in run("store rekey --password-stdin", stdin=b"short", exit=6).err
    assert "empty" in run("store rekey --password-stdin", stdin=b"\n", exit=6).err
    run("store rekey --password-stdin --password-fd 0", exit=2)
    run("store rekey --password-file none", exit=3)
    run("store rekey --wrap --drop-old-key", tty=True, stdin=b"one passphrase\none passphrase\n")
    assert "sealed" in json.loads(key_file(run).read_text())


def test_nothing_tells_the_key(run):
    """Neither what is printed nor the entries, the arguments and the environment of a process hold the key."""
    secret = json.loads(key_file(run).read_text())["key"]
    lines = ("store info", "store backup b.db", "store rekey", "audit list", "doctor", "config show", "store decrypt")
    for line in lines:
        for flags in ("", " --json --debug --verbose"):
            answer = run(line + flags, exit=None)
            assert secret not in answer.out + answer.err
    found = json.loads(next((run.home / "keys").glob(f"*/store-{json_id(run)}.key")).read_text())["key"]
    process = spawned(run, "user", "list")
    seen = "".join(f"/proc/{process.pid}/{name}" and _read(process.pid, name) for name in ("cmdline", "environ"))
    process.communicate(timeout=60)
    assert found not in seen
    assert secret not in seen


def json_id(run):
    return run("audit list --json --action store.decrypt").json[-1]["facts"]["former"]


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as stream:
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
