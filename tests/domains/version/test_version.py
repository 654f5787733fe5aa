"""`version`, `--version` and `completion`."""

from __future__ import annotations

import platform

import pytest

from usermgmt import __version__
from usermgmt.migrations import HEAD

pytestmark = [pytest.mark.engines("sqlite"), pytest.mark.store]


def test_the_flag_is_one_line(run):
    assert run("--version").out == f"usermgmt {__version__}\n"
    assert run("-q --version").out == f"usermgmt {__version__}\n"


def test_the_command_says_what_the_program_stands_on(run):
    facts = run("version --json").json
    assert facts["version"] == __version__
    assert facts["schema"] == HEAD
    assert facts["python"] == platform.python_version()
    assert facts["sqlite"].split(".")[0] == "3"
    assert facts["sqlite_driver"].startswith(("sqlcipher3", "sqlite3"))
    assert facts["wal"] in (True, False)
    assert run("version -o ids").out == f"{__version__}\n"


def test_a_missing_driver_is_none(run, monkeypatch):
    from usermgmt.domains.version import service

    monkeypatch.setattr(service, "installed", lambda name: (_ for _ in ()).throw(service.PackageNotFoundError(name)))
    assert run("version --json").json["postgresql_driver"] is None


def test_it_answers_where_the_configuration_is_broken(run):
    run("version", env={"USERMGMT_TIME_ZONE": "Mars"})
    run("completion bash", env={"USERMGMT_TIME_ZONE": "Mars"})


def test_completion_prints_the_script_of_the_shell(run):
    assert "complete -F _usermgmt usermgmt" in run("completion bash").out
    assert run("completion zsh").lines[0] == "#compdef usermgmt"
    assert "bash, zsh" in run("completion tcsh", exit=2).err
    run("completion", exit=2)
