"""Simulated stores with a history of years, pruned, and their archives checked with the stand-alone program."""

from __future__ import annotations

import atexit
import io
import re
import runpy
import shutil
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from usermgmt.domains.help.topics import DOCS

PROGRAM = Path(DOCS) / "verify_audit.py"


def at(run, line, now, **more):
    """Run a command line at a time."""
    return run(f"{line} --now {now}", **more)


_made: dict[str, Path] = {}


def years(run):
    """Give a store five entries of 2030 after its first, and then one of 2031 and a removal."""
    if run.engine != "sqlite":
        return _years(run)
    if "home" not in _made:
        _years(run)
        _made["home"] = Path(mkdtemp(prefix="usermgmt-tests-years-"))
        atexit.register(shutil.rmtree, _made["home"], ignore_errors=True)
        shutil.copytree(run.home, _made["home"], dirs_exist_ok=True)
    else:
        # commands take longer than files
        for folder in ("keys", "anchors"):
            shutil.rmtree(run.home / folder)
        shutil.copytree(_made["home"], run.home, dirs_exist_ok=True)
    return run


def _years(run):
    at(run, "user add alice --email alice@example.com --full-name 李爱丽 --add-tag vip", "2030-01-01")
    at(run, "user add bob", "2030-01-02")
    at(run, "user rename alice alicia", "2030-02-01")
    at(run, "user note alicia --text 'called back'", "2030-02-02")
    at(run, "user add carl", "2030-03-01")
    at(run, "user set alicia --occupation smith", "2031-01-01")
    at(run, "user remove bob --yes", "2031-01-02")
    return run


def prune(run, before, *, now="2031-06-01", name="a.ndjson", options="--yes", **more):
    """Prune into the archive `name`."""
    return at(run, f"audit prune --before {before} --archive {name} {options}", now, **more)


@cache
def _program():
    return runpy.run_path(str(PROGRAM))


def verified(*paths, options=()):
    """Check an export and what comes before it; return the exit code, and which entries it was about."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = _program()["main"]([*map(str, paths), *map(str, options)])
    verdict = out.getvalue().splitlines()[-1]
    true = re.fullmatch(r"true: (\d+ entries|entries \d+ to \d+), .*", verdict)
    return code, true[1] if true else out.getvalue()
