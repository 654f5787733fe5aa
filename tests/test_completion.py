"""TAB: what is offered, in real shells too, and that nothing ever goes wrong visibly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from usermgmt.domains.completion.cli import FILES, Shell
from usermgmt.kernel import completion
from usermgmt.kernel.completion import split

TOP = Path(__file__).parents[1]
SHELLS = pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])


def offered(run, line: str, **env: str) -> list[str]:
    """What bash is answered for a line with the cursor at its end."""
    whole = {**run.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}", **env}
    return list(completion._answer(whole, []))


@pytest.fixture
def people(run):
    """A store with some users; completion reads SQLite stores only."""
    for name in ("alice", "alan", "张伟", "张敏", "Ωmega"):
        run(f"user add {name} --add-tag team-{len(name)}")
    return run


# -- what is offered ---------------------------------------------------------------------------------------------------

sqlite = pytest.mark.engines("sqlite")


@sqlite
def test_groups_verbs_and_options(people):
    assert offered(people, "us") == ["user"]
    assert {"user", "config", "help"} <= set(offered(people, ""))
    assert offered(people, "user su") == ["suspend"]
    assert offered(people, "user list --sta") == ["--status"]
    assert "--lang" not in offered(people, "user list -")
    assert offered(people, "user list --la") == ["--lang"]
    assert offered(people, "--no") == ["--no-input", "--now"]


@sqlite
def test_an_option_given_once_is_not_offered_again_unless_it_may_be_repeated(people):
    assert "--limit" not in offered(people, "user list --limit 3 --li")
    assert offered(people, "user list --tag a --tag b --ta") == ["--tag"]


@sqlite
def test_values_of_options(people):
    assert offered(people, "user list --status s") == ["suspended"]
    assert offered(people, "user list -o js") == ["json"]
    assert offered(people, "user add x --if-exists ") == ["fail", "skip", "update"]
    assert offered(people, "--lang ") == ["en", "zh"]
    assert offered(people, "user list --tag team-2") == ["team-2"]
    assert offered(people, "user list --tag t") == ["team-2", "team-4", "team-5"]
    assert offered(people, "user list --tag u") == []
    assert offered(people, "user set --kind=s") == ["service"]


@sqlite
def test_usernames_by_what_was_typed(people):
    assert offered(people, "user show al") == ["alan", "alice"]
    assert offered(people, "user show 张") == ["张伟", "张敏"]
    assert offered(people, "user suspend alice 张敏 al") == ["alan", "alice"]
    # stored with a capital letter, found by its small one, and offered so that it continues the word
    assert offered(people, "user show ω") == ["ωmega"]
    assert offered(people, "user rename alice al") == []


@sqlite
def test_prefixed_users_lose_in_bash_what_bash_takes_for_another_word(people):
    assert offered(people, "user show username:al") == ["alan", "alice"]
    assert offered(people, "user show username:al", COMP_WORDBREAKS=" \t\n") == ["username:alan", "username:alice"]
    assert offered(people, "user show id:2") == ["2"]
    assert sorted(offered(people, "user show id:")) == ["1", "2", "3", "4", "5"]
    assert offered(people, 'user show "username:ali') == ["username:alice"]
    assert offered(people, "user show id:0") == offered(people, "user show id:x") == []


@sqlite
def test_ids_are_offered_by_their_first_digits(people):
    for i in range(30):
        people.sql(
            'INSERT INTO "user" (id, uid, version, kind, status, username, username_norm, skeleton, created_at, '
            "updated_at, status_at) SELECT ?, ?, version, kind, status, ?, ?, ?, created_at, updated_at, status_at "
            'FROM "user" WHERE id = 1',
            400 + i,
            f"0190{i:04}-0000-7000-8000-000000000000",
            f"n{i}",
            f"n{i}",
            f"n{i}",
        )
    assert offered(people, "user show id:40") == [str(400 + i) for i in range(10)]
    assert offered(people, "user show id:4")[0] == "4"


@sqlite
def test_fields_one_after_another_without_a_space(people):
    assert offered(people, "user list --fields us") == [":nospace", "username"]
    assert offered(people, "user list --fields id,user") == [":nospace", "id,username"]
    assert "id,id" not in offered(people, "user list --fields id,")


@sqlite
def test_settings_topics_and_shells(people):
    assert offered(people, "config get store.bu") == ["store.busy_timeout"]
    assert offered(people, "config set output.color a") == ["auto", "always"]
    assert offered(people, "help exit") == ["exit-codes"]
    assert offered(people, "help user ren") == ["rename"]
    assert offered(people, "completion ") == ["bash", "zsh", "fish", "powershell"]


@sqlite
def test_files_are_left_to_the_shell(people):
    assert offered(people, "user suspend --from-file ") == [":files"]
    assert offered(people, "--config /et") == [":files"]
    assert offered(people, "--store=") == [":files"]


@sqlite
def test_addresses_are_personal_and_not_offered(people):
    people("user set alice --email alice@example.com --phone +8613800138000")
    assert offered(people, "user show email:a") == []
    assert offered(people, "user show alice@") == []
    assert offered(people, "user show phone:+86") == []


@sqlite
def test_global_options_before_the_group_are_honoured(people, tmp_path):
    elsewhere = str(tmp_path / "none.db")
    assert offered(people, f"--store {elsewhere} user show al") == []
    assert offered(people, f"--store {people.url} user show al", USERMGMT_STORE=elsewhere) == ["alan", "alice"]
    assert offered(people, f"user show --store={people.url} al", USERMGMT_STORE=elsewhere) == ["alan", "alice"]
    config = tmp_path / "c.toml"
    config.write_text(f'[store]\nurl = "{people.url}"\n')
    config.chmod(0o600)
    assert offered(people, f"-q --config {config} user show al", USERMGMT_STORE="") == ["alan", "alice"]


@sqlite
def test_nothing_is_offered_that_a_shell_or_a_terminal_would_misread(people):
    for i, name in enumerate(("al$(id)", "al;ls", "al\x1b[2J", "al ly")):
        people.sql('UPDATE "user" SET username = ?, username_norm = ? WHERE id = ?', name, f"al{i}", 2 + i)
    assert offered(people, "user show al") == ["alice"]


@sqlite
def test_zsh_is_given_help_and_whole_words(people):
    env = {**people.env, "_USERMGMT_COMPLETE": "zsh"}
    assert list(completion._answer(env, ["user", "ren"])) == [
        "rename\tGive a user another username; the former one stays reserved and resolves in the audit."
    ]
    assert list(completion._answer(env, ["user", "show", "username:ali"])) == ["username:alice"]
    assert list(completion._answer(env, ["user", "list", "--output=js"])) == ["--output=json"]
    chinese = list(completion._answer({**env, "USERMGMT_LANG": "zh"}, ["config", "get", "lan"]))
    assert [line.partition("\t")[0] for line in chinese] == ["lang"]


@sqlite
def test_fish_and_powershell_are_given_help_and_whole_words_too(people):
    def answer(shell: str, *words: str) -> list[str]:
        return list(completion._answer({**people.env, "_USERMGMT_COMPLETE": shell}, [*words]))

    for shell, dot in (("fish", ""), ("powershell", ".")):
        assert answer(shell, "user", f"{dot}exi") == [
            "exists\tTell by the exit code whether a user exists: 0 yes, 3 no."
        ]
        assert answer(shell, "user", "show", f"{dot}username:ali") == ["username:alice"]
        assert answer(shell, "user", "list", f"{dot}--output=js") == ["--output=json"]
        assert answer(shell, "user", "list", "--fields", f"{dot}id,user")[0] == ":nospace"
        assert answer(shell, "user", "suspend", "--from-file", dot) == [":files"]
        assert "user\tUsers: add, find, change, suspend, close." in answer(shell, dot)
    # a stub that was cut short, or another program's call
    assert answer("powershell") == answer("powershell", "")


@sqlite
def test_powershell_as_its_stub_calls(people):
    env = {**people.env, "_USERMGMT_COMPLETE": "powershell"}
    command = [sys.executable, "-m", "usermgmt", "user", "show", ".al"]
    done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"alan\nalice\n", b"")


def test_a_server_is_not_asked(run):
    # on PostgreSQL commands and options complete, and users do not
    assert offered(run, "user sh") == ["show"]
    assert offered(run, "user show zz") == []


# -- the line ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", ([], "", 0)),
        ("u a", (["u"], "a", 0)),
        ("u a ", (["u", "a"], "", 0)),
        ('u "a b" c', (["u", "a b"], "c", 0)),
        ("u 'a b", (["u"], "a b", 0)),
        (r"u a\ b", (["u"], "a b", 0)),
        (r"u a\ ", (["u"], "a ", 0)),
        ('u ""  x', (["u", ""], "x", 0)),
        ("u id:4", (["u"], "id:4", 3)),
        ('u id:"4', (["u"], "id:4", 3)),
        ('u "id:4', (["u"], "id:4", 0)),
        (r"u id\:4", (["u"], "id:4", 0)),
        ("u --o=j", (["u"], "--o=j", 4)),
        ('u "a\\"b', (["u"], 'a"b', 0)),
        ("u 'a\\b' c", (["u", "a\\b"], "c", 0)),
    ],
)
def test_a_line_is_cut_as_a_shell_does(line, wanted):
    assert split(line, " \t\n\"'><=;|&(:") == wanted


# -- nothing goes wrong visibly ----------------------------------------------------------------------------------------


def process(env: dict[str, str], line: str) -> subprocess.CompletedProcess[bytes]:
    whole = {**env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": line}
    return subprocess.run([sys.executable, "-m", "usermgmt"], env=whole, capture_output=True, check=False, timeout=60)


def damaged(run, how: str) -> dict[str, str]:
    path, env = run.path, dict(run.env)
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "malformed":
            path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 5000)
        case "unsafe":
            path.chmod(0o666)
        case "directory":
            path.unlink()
            path.mkdir()
        case "configuration":
            broken = run.home / "bad.toml"
            broken.write_text("lang = [")
            env["USERMGMT_CONFIG"] = str(broken)
        case "configuration missing":
            env["USERMGMT_CONFIG"] = "/nowhere/c.toml"
        case "url":
            env["USERMGMT_STORE"] = "postgresql+psycopg://user:secret@host/db"
        case "language":
            env["USERMGMT_LANG"] = env["LANG"] = "xx"
    return env


@sqlite
@pytest.mark.parametrize(
    "how",
    ["missing", "empty", "malformed", "unsafe", "directory", "configuration missing", "url", "language", "none of it"],
)
def test_a_tab_shows_no_error_whatever_is_wrong(run, how):
    done = process(damaged(run, how), "usermgmt user show zz")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@sqlite
def test_users_complete_though_the_configuration_is_broken(run):
    run("user add alice")
    assert process(damaged(run, "configuration"), "usermgmt user show al").stdout == b"alice\n"


@sqlite
@pytest.mark.parametrize(
    "line",
    [
        "usermgmt nonsense x",
        "usermgmt user nonsense --y",
        "usermgmt user add --",
        "x\\",
        "'",
        "",
        "usermgmt --store",
        "usermgmt user list --bogus=",
        "usermgmt -o",
        "usermgmt user -- -x",
    ],
)
def test_half_a_line_does_no_harm(run, line):
    done = process(run.env, line)
    assert (done.returncode, done.stderr) == (0, b"")


@sqlite
def test_a_closed_standard_output_is_no_traceback(run):
    env = {**run.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": "usermgmt "}
    command = f"{sys.executable} -m usermgmt | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, check=False)
    assert done.stderr == b""


@sqlite
@pytest.mark.parametrize("writer", ["reader beside", "writer beside"])
def test_a_store_in_use_is_read_beside(run, writer):
    run("user add alice")
    from usermgmt.kernel import sqlite as engine

    other = engine.driver().connect(str(run.path))
    other.execute("BEGIN IMMEDIATE" if writer == "writer beside" else "BEGIN")
    other.execute('SELECT 1 FROM "user"').fetchall()
    try:
        assert offered(run, "user show al") == ["alice"]
    finally:
        other.close()


# -- real shells -------------------------------------------------------------------------------------------------------

LINES = [
    ("user show al", "<user><show><alice>"),
    ("user show 张", "<user><show><张伟>"),
    ("user show username:al", "<user><show><username:alice>"),
    ("user show id:1", "<user><show><id:1>"),
    ('user show "al', "<user><show><alice>"),
    ("user list --output=js", "<user><list><--output=json>"),
    ("user list --fields id,use", "<user><list><--fields><id,username>"),
    ("user list --fields use\tid", "<user><list><--fields><usernameid>"),
    ("user suspend --from-file peo", "<user><suspend><--from-file><people.txt>"),
    ("user suspend --from-file=peo", "<user><suspend><--from-file=people.txt>"),
    ("user ren", "<user><rename>"),
    ("user add new-one peo", "<user><add><new-one><peo>"),
    ("--store STORE user show al", "<--store><STORE><user><show><alice>"),
]


READY = {
    "bash": "PS1='ready> '; bind 'set bell-style none'",
    "zsh": "PS1='ready> '; unset zle_bracketed_paste; setopt no_beep; autoload -Uz compinit; compinit -u -D",
    "fish": "function fish_prompt; echo 'ready> '; end; set -g fish_autosuggestion_enabled 0",
}


@pytest.fixture
def terminal(run, tmp_path):
    """Starts a shell in which `usermgmt ARGS` prints its arguments, and completes with the real program."""
    run("user add alice")
    run("user add 张伟")
    (tmp_path / "people.txt").write_text("alice\n")
    program = tmp_path / "bin" / "usermgmt"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ -n "$_USERMGMT_COMPLETE" ] && exec {sys.executable} -m usermgmt "$@"\nprintf "<%s>" "$@"; echo\n'
    )
    program.chmod(0o700)
    env = {**run.env, "PATH": f"{program.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    started = []

    def start(shell: str) -> pexpect.spawn:
        if shutil.which(shell) is None:
            pytest.skip(f"there is no {shell}")
        arguments = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        child = pexpect.spawn(shell, [*arguments, "-i"], env=env, cwd=tmp_path, encoding="utf-8", timeout=30)
        started.append(child)
        child.sendline(READY[shell])
        name = FILES[Shell(shell)]
        child.sendline(f"source {TOP / 'completions' / name}; echo sour''ced")
        child.expect("sourced")
        return child

    yield start
    for child in started:
        child.close(force=True)


@sqlite
@SHELLS
def test_a_real_shell_completes(run, terminal, shell):
    child = terminal(shell)
    for line, wanted in LINES:
        child.sendline(f"usermgmt {line}\t".replace("STORE", run.url))
        child.expect_exact(wanted.replace("STORE", run.url))


@sqlite
def test_zsh_finds_the_script_in_its_path(run, terminal, tmp_path):
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh")
    (tmp_path / "functions").mkdir()
    shutil.copy(TOP / "completions" / "_usermgmt", tmp_path / "functions")
    child = terminal("zsh")
    child.sendline("unfunction _usermgmt; fpath=($PWD/functions $fpath); compinit -u -D; echo do''ne")
    child.expect("done")
    for _time in range(2):
        child.sendline("usermgmt user show al\t")
        child.expect_exact("<user><show><alice>")
