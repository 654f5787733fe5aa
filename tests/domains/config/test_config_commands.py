"""`config` as a person uses it, also where the configuration is what is broken."""

from __future__ import annotations

import os
import tomllib

import pytest

pytestmark = [pytest.mark.engines("sqlite"), pytest.mark.store]
BROKEN = '[store]\nbusy_timeout = "soon"\nurll = "x"\n'


@pytest.fixture
def file(run):
    """A configuration file that does not exist yet; never the one of the account that runs the tests."""
    return run.home / "usermgmt.toml"


@pytest.fixture
def config(run, file):
    """Runs `config ...` on that file."""

    def call(line: str, **more):
        return run(f"--config {file} config {line}", **more)

    return call


def written(file, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


# -- show and get ------------------------------------------------------------------------------------------------------


def test_show_has_every_setting_with_its_value(run, config):
    config("init")
    rows = {row["key"]: row for row in config("show --json").json}
    assert rows["time.zone"] == {"key": "time.zone", "value": "UTC"}
    assert rows["store.url"]["value"] == run.url
    assert rows["store.busy_timeout"]["value"] == "10s"


def test_show_tells_where_each_value_comes_from(run, config, file):
    written(file, '# ours\ntime.zone = "Asia/Shanghai"\n')
    shown = config("show --origin --json --lang en", env={"USERMGMT_IMPORT_CHUNK": "100"})
    origins = {row["key"]: row["origin"] for row in shown.json}
    assert origins["time.zone"] == f"{file}:2"
    assert origins["import.chunk"] == "env USERMGMT_IMPORT_CHUNK"
    assert origins["store.url"] == "env USERMGMT_STORE"
    assert origins["lang"] == "--lang"
    assert origins["store.tls"] == "default"
    assert config("show --origin").lines[0] == "key\tvalue\torigin"
    assert config("show").lines[0] == "key\tvalue"


def test_show_in_other_forms(config, file):
    written(file, "")
    assert config("show -o ids").lines[0] == "lang"
    assert config("show -o count").out.strip() == str(len(config("show --json").json))
    assert config("show --fields default,key -o csv").lines[:2] == ["default,key", ",lang"]
    assert "Setting" in config("show", stdout_tty=True).lines[0]


def test_a_password_is_shown_nowhere(run, config, file):
    written(file, '[store]\nurl = "postgresql+psycopg://u:hunter2@h/db"\n')
    for line in ("show", "show --json", "show --origin", "get store.url", "get store.url --json", "validate"):
        done = config(line, env={"USERMGMT_STORE": ""})
        assert "hunter2" not in done.out + done.err
    assert "u:***@h" in config("get store.url", env={"USERMGMT_STORE": ""}).out


def test_get_prints_the_value_bare_and_more_in_a_format(config, file):
    written(file, "[import]\nchunk = 200\n")
    assert config("get import.chunk").out == "200\n"
    assert config("get lang").out == "\n"
    record = config("get import.chunk --json").json
    assert (record["value"], record["origin"], record["default"]) == (200, f"{file}:2", 20000)
    assert config("get import.chunk --fields origin").out == f"origin\t{file}:2\n"


def test_get_of_an_unknown_setting_offers_the_nearest(config, file):
    written(file, "")
    done = config("get store.busy-timeout --json", exit=3)
    assert "store.busy_timeout" in done.error["hint"]


# -- set and init ------------------------------------------------------------------------------------------------------


def test_set_makes_the_file_and_says_what_it_did(run, config, file):
    done = config("set time.zone Asia/Shanghai --json").json
    assert done["outcome"] == "created"
    assert (done["path"], done["before"], done["after"]) == (str(file), None, "Asia/Shanghai")
    assert tomllib.loads(file.read_text()) == {"time": {"zone": "Asia/Shanghai"}}
    assert file.stat().st_mode & 0o777 == 0o600
    assert config("get time.zone").out == "Asia/Shanghai\n"


def test_a_second_set_changes_nothing(config, file):
    config("set import.chunk 100")
    before = file.stat()
    assert config("set import.chunk 100 --json").json["outcome"] == "unchanged"
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert config("set import.chunk 200 --json").json["outcome"] == "updated"


def test_unset_takes_it_out(config):
    config("set import.chunk 100")
    assert config("set import.chunk --unset --json").json["outcome"] == "removed"
    assert config("set import.chunk --unset --json").json["outcome"] == "unchanged"
    assert config("get import.chunk").out == "20000\n"


def test_set_rehearses(config, file):
    done = config("set import.chunk 100 --dry-run --json").json
    assert (done["outcome"], done["dry_run"]) == ("created", True)
    assert not file.exists()
    assert config("init --dry-run --json").json["outcome"] == "created"
    assert not file.exists()
    # a rehearsal refuses what the deed would
    assert config("set import.chunk many --dry-run", exit=6).out == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("set import.chunk", 2),
        ("set import.chunk 5 --unset", 2),
        ("set", 2),
        ("set nonsense 5", 3),
        ("set nonsense --unset", 3),
        ("set import.chunk many", 6),
        ("set import.chunk 20001", 6),
        ("set time.zone Asia/Shangai", 6),
        ("set store.url postgresql+psycopg://u:hunter2@h/db", 2),
    ],
)
def test_set_refuses(config, file, line, code):
    done = config(line, exit=code)
    assert "hunter2" not in done.err
    assert done.out == ""
    assert not file.exists()


def test_init_writes_every_setting_and_leaves_a_file_alone(config, file):
    assert config("init").out.startswith(f"configuration {file}: created")
    assert "busy_timeout" in file.read_text()
    config("validate")
    before = file.read_bytes()
    assert config("init", exit=5).out == ""
    assert file.read_bytes() == before


def test_what_is_set_holds_for_other_commands(run, config, file):
    config("set lang zh")
    assert run(f"--config {file} help contract").out.startswith("# 命令行约定")
    assert run(f"--config {file} --lang en help contract").out.startswith("# The command line contract")
    assert run(f"--config {file} help contract", env={"USERMGMT_LANG": "en"}).out.startswith(
        "# The command line contract"
    )


# -- a broken configuration --------------------------------------------------------------------------------------------


def test_other_commands_refuse_and_name_the_way_out(run, config, file):
    written(file, BROKEN)
    done = run(f"--config {file} user list --json", exit=8)
    assert done.error["code"] == "config.invalid"
    assert "config validate" in done.error["hint"]
    config("get lang", exit=8)


def test_validate_names_each_problem(config, file):
    written(file, BROKEN)
    done = config("validate --json", exit=8)
    assert [(row["where"], row["key"]) for row in done.json] == [
        (f"{file}:2", "store.busy_timeout"),
        (f"{file}:3", "store.urll"),
    ]
    assert "store.url" in done.json[1]["advice"]
    assert len(config("validate", exit=8).lines) == 3


def test_validate_of_a_good_one_says_what_it_read(config, file):
    written(file, "")
    done = config("validate")
    assert done.lines == ["where\tkey\tproblem\tadvice"]
    assert str(file) in done.err
    assert config("validate --json").json == []
    assert config("validate -q").err == ""


def test_validate_looks_at_the_environment_too(config, file):
    written(file, "")
    done = config("validate --json", exit=8, env={"USERMGMT_TIME_ZONE": "Mars/Olympus"})
    assert done.json[0]["where"] == "env USERMGMT_TIME_ZONE"


def test_show_shows_what_it_can_and_says_what_it_left_out(config, file):
    written(file, BROKEN + "[import]\nchunk = 7\n")
    done = config("show --json", exit=8)
    values = {row["key"]: row["value"] for row in done.json}
    assert (values["import.chunk"], values["store.busy_timeout"]) == (7, "10s")
    assert "store.urll" in done.err
    assert "soon" in done.err


def test_set_mends_what_is_broken(config, file):
    written(file, BROKEN)
    config("set store.busy_timeout 5s")
    config("set store.urll --unset")
    config("validate")
    assert config("get store.busy_timeout").out == "5s\n"


def test_a_file_that_is_no_toml_is_not_touched(config, file):
    written(file, "lang = [")
    config("set lang zh", exit=8)
    config("show", exit=8)
    assert config("validate", exit=8).lines[1].startswith(f"{file}:1\t")
    assert file.read_text() == "lang = ["


@pytest.mark.parametrize("line", ["show", "get lang", "validate"])
def test_a_named_file_that_is_missing_is_not_found(config, line):
    assert config(f"{line} --json", exit=3).error["code"] == "file.not_found"


def test_an_unsafe_file_is_refused_and_validate_says_why(run, config, file):
    written(file, "")
    file.chmod(0o666)
    run(f"--config {file} user list", exit=8)
    done = config("validate --json", exit=8)
    assert done.json[0]["where"] == str(file)
    assert "chmod go-w" in done.json[0]["advice"]


def test_the_accounts_own_file_is_written_without_config(run, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 4242)
    if os.getuid() == 0:
        pytest.skip("root writes /etc/usermgmt; as root only --config is tried here")
    run("config set import.chunk 9")
    assert (run.home / "config" / "usermgmt" / "config.toml").exists()


# -- on the audit ------------------------------------------------------------------------------------------------------


@pytest.mark.store("")
def test_a_change_is_on_the_audit_of_the_store_with_its_reason(run, config):
    config("set store.busy_timeout 30s --reason slow-disk")
    entry = run("audit list --json").json[-1]
    assert (entry["action"], entry["reason"]) == ("config.set", "slow-disk")
    assert entry["facts"] == {"key": "store.busy_timeout", "before": None, "after": "30s"}
    config("set store.busy_timeout --unset")
    assert run("audit list --json").json[-1]["facts"]["after"] is None
    count = run("store info --json").json["entries"]
    config("set store.busy_timeout --unset")
    config("set store.busy_timeout 20s --dry-run")
    assert run("store info --json").json["entries"] == count


@pytest.mark.store("")
def test_a_value_that_may_tell_of_a_person_stays_out_of_the_audit(run, config):
    config("set store.key_dir /home/alice/keys")
    assert run("audit list --json").json[-1]["facts"] == {"key": "store.key_dir"}


def test_without_a_store_a_reason_is_kept_nowhere_and_this_is_said(config):
    assert config("set time.zone Asia/Shanghai").err == ""
    assert "kept nowhere" in config("set time.zone UTC --reason why").err


@pytest.mark.store("")
def test_a_store_that_takes_no_entry_is_no_obstacle(run, config):
    run.path.chmod(0o666)
    result = config("set time.zone Asia/Shanghai --reason why")
    assert "not on the audit" in result.err
    assert config("get time.zone").out == "Asia/Shanghai\n"
