"""Simulated stores with a history of years, pruned, and their archives checked with the stand-alone program."""

from __future__ import annotations

import io
import re
import runpy
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

from usermgmt.domains.help.topics import DOCS

PROGRAM = Path(DOCS) / "verify_audit.py"


def at(run, line, now, **more):
    """Run a command line at a time."""
    return run(f"{line} --now {now}", **more)


def years(run):
    """Six entries of 2030, and then one of 2031 and a removal."""
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
