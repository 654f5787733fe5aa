"""Runs the program by the thousand, and under a shim that fails, kills or records its calls to the system."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Left:
    """What a run left: what each line that came to its end answered, how the process ended, the calls counted."""

    answers: list[tuple[int, str, str]]
    ended: int
    calls: int
    hit: str

    @property
    def codes(self) -> list[int]:
        return [answer[0] for answer in self.answers]


def compiled() -> Path | None:
    """The shim, compiled; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    made = Path(tempfile.mkdtemp(prefix="usermgmt-shim-")) / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, HERE / "shim.c", "-ldl"], check=True)
    return made


class Rig:
    """A warm process (``warm.py``) that forks a child for each run; with ``shim``, its calls can be interfered with."""

    def __init__(self, shim: Path | None = None) -> None:
        env = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
        if shim is not None:
            env["LD_PRELOAD"] = str(shim)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "warm.py"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, run: Any, **request: Any) -> dict[str, Any]:
        request |= {"env": run.env | request.get("env", {}), "cwd": str(run.home)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def warm(self, run: Any) -> Rig:
        self.ask(run, warm=True)
        return self

    def lines(self, run: Any, *lines: str, **more: Any) -> Left:
        """Run command lines in one child."""
        told = self.ask(run, lines=[shlex.split(line) for line in lines], **more)
        return Left([tuple(one) for one in told["left"]], told["ended"], told.get("calls", 0), told.get("hit", ""))

    def crowd(self, run: Any, count: int, template: str, **more: Any) -> list[list[float]]:
        """Let ``count`` children run ``template`` ({n}: which child, {i}: which time); the seconds that each took."""
        told = self.ask(run, crowd=count, template=shlex.split(template), **more)
        assert not told["errors"], told["errors"]
        return told["took"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
