"""Every command block of the README does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- ([\w-]+) -->\n```sh\n(.*?)```", re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(README.read_text()) if name == kind]


def environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "USERMGMT_STORE": str(home / "store.db"),
    }


def test_the_recipes_run_as_they_stand(tmp_path):
    script = "set -e\n" + "\n".join(blocks("run"))
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 created" in done.stdout or '"created": 2' in done.stdout or "created\t2" in done.stdout


def test_no_command_block_is_left_out():
    marked = sum(len(blocks(kind)) for kind in ("demo-command", "test-command", "run"))
    assert marked == README.read_text().count("```sh\n")


@pytest.mark.slow
def test_the_demo_command_runs_in_a_fresh_checkout(tmp_path):
    checkout = tmp_path / "checkout"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    [command] = blocks("demo-command")
    done = subprocess.run(["bash", "-c", command], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "audit verify" in done.stdout
