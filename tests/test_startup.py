"""What start-up leaves unimported: nobody waits for a database library to read help or to complete a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from usermgmt.groups import GROUPS

TOP = Path(__file__).parents[1]
HEAVY = (
    "sqlmodel",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "psycopg",
    "cryptography",
    "phonenumbers",
    "email_validator",
    "jq",
)
PROBE = """
import io, os, sys
from pathlib import Path
from usermgmt import main
from usermgmt.kernel.streams import Streams

if os.environ.get("_USERMGMT_COMPLETE"):
    from usermgmt.kernel.completion import complete
    code = complete(os.environ)
else:
    code = main.run(sys.argv[1:], os.environ, Path.cwd(), Streams(io.BytesIO(), io.BytesIO(), io.BytesIO()))
heavy = [name for name in {heavy} if name in sys.modules]
print(code, *heavy, file=sys.stderr)
"""


def probe(arguments: list[str], env: dict[str, str]) -> tuple[int, list[str], str]:
    """Run the program in a new process; returns its exit code, the heavy modules it imported, and its output."""
    command = [sys.executable, "-c", PROBE.replace("{heavy}", repr(HEAVY)), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    code, *heavy = done.stderr.split()
    return int(code), heavy, done.stdout


@pytest.fixture
def env(tmp_path):
    return {"HOME": str(tmp_path), "USERMGMT_STORE": str(tmp_path / "store.db")}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", 2),
        ("--help", 0),
        ("--lang zh --help", 0),
        ("--version", 0),
        ("version", 0),
        *((f"{row.name} --help", 0) for row in GROUPS),
        ("user add --help", 0),
        ("user", 2),
        ("usr", 2),
        ("user lst", 2),
        ("user list --bogus", 2),
        ("user list --limit x", 2),
        ("user list -o xml", 2),
        ("--store", 2),
        ("completion bash", 0),
        ("help", 0),
        ("help exit-codes", 0),
        ("help user add", 0),
        ("help xyzzy", 3),
        ("config show", 0),
        ("config validate", 0),
        ("user exists", 2),
    ],
)
def test_nothing_heavy_is_imported(line, code, env):
    assert probe(line.split(), env)[:2] == (code, [])


@pytest.mark.parametrize(
    "line",
    ["", "us", *(f"{row.name} " for row in GROUPS), "user list --", "user list --status ", "user list --fields id,",
     "user show al", "user show id:1", "user list --tag v", "config get ", "help ", "-"],
)  # fmt: skip
@pytest.mark.engines("sqlite")
def test_completion_imports_nothing_heavy(line, run):
    run("user add alice --add-tag vip")
    line_env = {"_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}"}
    code, heavy, out = probe([], {**run.env, **line_env})
    assert (code, heavy) == (0, [])
    # a completion that gave up early would import nothing either
    assert out or line == "-" or line.split()[0] in ("init", "doctor", "tick", "upcoming", "demo", "version"), line


def test_one_group_is_imported_for_one_command(env):
    code = "import sys\n" + PROBE + "print(*(name for name in sys.modules if name.endswith('.cli')))"
    command = [sys.executable, "-c", code.replace("{heavy}", repr(HEAVY)), "version"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["usermgmt.domains.version.cli"]


def test_the_probe_would_notice(env):
    assert "sqlalchemy" in probe(["user", "list"], env)[1]
