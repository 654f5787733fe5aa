"""The power goes at any instant: what was acknowledged is on the disk, and the store and its audit are whole.

A shim below the program records what it does to files, with every byte; `powercut.py` plays that back to some instant
and leaves of what was not synced what chance says. Each image is then opened with the program.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections import Counter

import pytest
from campaigns import dice, figures, kept, rig, shim, warmed  # noqa: F401 - fixtures
from powercut import Call, Disk, held, recorded, write
from scenarios import ALL, ENVIRONMENT, SCENARIOS, ready, sound

IMAGES = int(os.environ.get("USERMGMT_FAULT_IMAGES", "160"))
"""Images of one scenario in one journal mode."""
SHARES = (0, 0.2, 0.5, 0.8, 1)
"""How much of what was not synced reached the disk."""
WAL, JOURNAL = {"wal": True}, {"wal": False}
CARELESS = {"wal": True, "synchronous": "NORMAL"}

pytestmark = pytest.mark.engines("sqlite")


def record(run, rig, scenario, **more):
    """Run a scenario under the shim; return what was there before, and what it did to files."""
    log = run.home.parent / "calls.log"
    before = held(run.home)
    left = rig.lines(run, *scenario.here(run), env=ENVIRONMENT, arm={"root": str(run.home), "log": str(log)}, **more)
    assert set(left.codes) == {0}, left.answers
    return before, recorded(log)


def images(before, calls, dice, count):
    """Yield ``count`` images: what the disk may hold, and how many lines had been acknowledged."""
    instants = sorted(dice.randint(1, len(calls)) for _ in range(count))
    disk, done, played = Disk(*before), 0, 0
    for instant in instants:
        for call in calls[played:instant]:
            disk.play(call)
            done += call.kind == "A"
        played = instant
        yield disk.image(dice, dice.choice(SHARES)), done


def fingerprint(image):
    return hashlib.sha256(repr(sorted(image.items())).encode()).digest()


def opened(run, image, check, done):
    """Write an image to a directory and look at it with the program; what is wrong with it, or what was found."""
    place = run.home.parent / "image"
    write(image, run.home, place)
    try:
        there = type(run)(str(place / "store.db"), place, "sqlite")
        found = check(there, done)
        sound(there)
        there("user add after-all")
    except AssertionError as error:
        return "lost", str(error).splitlines()[0][:200]
    finally:
        shutil.rmtree(place)
    return found, ""


def campaign(run, rig, kept, dice, name, count, **more):
    scenario = SCENARIOS[name]
    ready(run, scenario, kept)
    before, calls = record(run, rig, scenario, **more)
    found, problems, seen = Counter(), [], {}
    for image, done in images(before, calls, dice, count):
        # what is the same byte for byte, after the same acknowledgements, is looked at once
        one = fingerprint(image), done
        if one not in seen:
            seen[one] = opened(run, image, scenario.check, done)
        what, problem = seen[one]
        found[what] += 1
        problems += [problem] if problem else []
    found["images"], found["different"] = count, len(seen)
    return found, problems


def as_journal(run, patch):
    """Give the store the journal of the fallback, as `init` of a program on an old SQLite would."""
    if not patch["wal"]:
        run.sql("PRAGMA journal_mode=DELETE")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["wal", "journal"])
@pytest.mark.parametrize("name", ALL)
def test_what_was_acknowledged_survives_a_power_cut(run, rig, kept, dice, figures, name, mode):
    patch = WAL if mode == "wal" else JOURNAL
    if name == "migrate" and mode == "journal":
        pytest.skip("the older store is made in WAL mode")
    as_journal(run, patch)
    found, problems = campaign(run, rig, kept, dice, name, IMAGES, patch=patch)
    figures("power", scenario=name, mode=mode, seed=dice.began, **found)
    assert problems == []
    assert found["before"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["add", "change", "import"])
def test_it_survives_beside_a_reader_too(run, rig, kept, dice, figures, name):
    """A reader keeps the log from being emptied into the file: what is acknowledged is in the log alone."""
    found, problems = campaign(run, rig, kept, dice, name, IMAGES, patch=WAL, reader=True)
    figures("power", scenario=name, mode="wal, beside a reader", seed=dice.began, **found)
    assert problems == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_campaign_finds_what_a_careless_setting_loses(run, rig, kept, dice, figures):
    """With synchronous=NORMAL acknowledged changes are lost; a campaign that does not find that proves nothing."""
    found, problems = campaign(run, rig, kept, dice, "add", IMAGES, patch=CARELESS, reader=True)
    figures("power", scenario="add", mode="wal, synchronous=NORMAL, beside a reader", seed=dice.began, **found)
    assert found["lost"], problems


def test_some_power_cuts(run, rig, kept):
    found, problems = campaign(run, rig, kept, random.Random(1), "add", 12, patch=WAL, reader=True)
    assert problems == []
    assert found["images"] == 12


def test_a_careless_setting_is_found_out(run, rig, kept):
    found, _problems = campaign(run, rig, kept, random.Random(1), "add", 12, patch=CARELESS, reader=True)
    assert found["lost"]


def test_the_model_of_a_disk(tmp_path):
    """What was never synced may be lost, what was synced may not, and names go their own way."""
    name = str(tmp_path / "a")
    disk = Disk({}, {str(tmp_path)})
    written = [
        Call("o", 3, 0, 0, name, "", b""),
        Call("w", 3, 0, 600, "", "", b"x" * 600),
        Call("o", 4, 0, 0, str(tmp_path), "", b""),
    ]
    for call in written:
        disk.play(call)
    assert name not in disk.image(random.Random(1), 0)
    assert {len(disk.image(random.Random(seed), 1)[name]) for seed in range(40)} == {512, 600}
    disk.play(Call("s", 4, 0, 0, "", "", b""))
    assert disk.image(random.Random(1), 0)[name] == b""
    lengths = {len(disk.image(random.Random(seed), 0.5)[name]) for seed in range(40)}
    assert lengths == {0, 512, 600}
    disk.play(Call("s", 3, 0, 0, "", "", b""))
    assert disk.image(random.Random(1), 0)[name] == b"x" * 600
    disk.play(Call("r", 0, 0, 0, name, name + "b", b""))
    assert disk.image(random.Random(1), 1) == {str(tmp_path): None, name + "b": b"x" * 600}
    assert disk.image(random.Random(1), 0) == {str(tmp_path): None, name: b"x" * 600}
