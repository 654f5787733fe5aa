"""Fixtures that the campaigns share: the warm process, a store put back as it was, the file for figures."""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
from pathlib import Path

import orjson
import pytest

sys.path.append(str(Path(__file__).parents[1] / "domains" / "store"))
from rig import Rig, compiled
from scenarios import Kept


@pytest.fixture(scope="session")
def shim():
    found = compiled()
    if found is None:
        pytest.skip("there is no C compiler")
    return found


@pytest.fixture(scope="session")
def warmed(shim):
    made = Rig(shim)
    yield made
    made.close()


@pytest.fixture
def rig(warmed, run):
    """A process that forks runs of the program whose calls to the system can be interfered with."""
    return warmed.warm(run)


@pytest.fixture
def kept(run, request):
    server = request.getfixturevalue("postgres") if run.engine == "postgresql" else None
    return Kept(run, server)


@pytest.fixture
def dice():
    seed = int(os.environ.get("USERMGMT_FAULT_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    found = random.Random(seed)
    found.began = seed
    return found


@pytest.fixture
def figures(request):
    """Add a line of figures to the file that USERMGMT_FAULT_FIGURES names; the page of figures is made from it."""

    def add(campaign, **counts):
        line = {"campaign": campaign, "date": dt.datetime.now(dt.UTC).date().isoformat(), **counts}
        print(line)
        if path := os.environ.get("USERMGMT_FAULT_FIGURES"):
            with open(path, "ab") as file:
                file.write(orjson.dumps(line) + b"\n")

    return add
