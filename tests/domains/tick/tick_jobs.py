"""Jobs that tests put in the place of the program's own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import sqlalchemy as sa

from usermgmt.kernel.errors import Invalid, Unavailable
from usermgmt.kernel.events import E
from usermgmt.kernel.jobs import Step, done
from usermgmt.kernel.registry import Job
from usermgmt.kernel.schedule import Daily, EachTick, Every
from usermgmt.kernel.tables import audit_entry

PARTS = 3
HERE = str(Path(__file__).parent)


def job(name, run, schedule=None, missed="once"):
    return Job(name, "A test.", schedule or Daily("03:00"), f"tick_jobs:{run}", missed)


JOBS = {
    "daily": job("daily", "slot"),
    "each": job("each", "slot", missed="each"),
    "hourly": job("hourly", "slot", Every(3600), "each"),
    "idle": job("idle", "idle", EachTick()),
    "fails": job("fails", "fails", EachTick()),
    "absent": job("absent", "absent", EachTick()),
    "crashes": job("crashes", "crashes", EachTick()),
    "parts": job("parts", "parts"),
    "parted": job("parted", "parts", EachTick()),
    "silent": job("silent", "silent"),
}


def slot(ctx, turn):
    """Do one thing, which tells the slot."""
    return Step((done(ctx, turn, "slot", turn.due, "", target="store"),))


def idle(ctx, turn):
    return Step()


def fails(ctx, turn):
    ctx.audit(E.USER_BULK, "store", facts={"half": True})
    raise Invalid(field="it", problem="no good")


def absent(ctx, turn):
    raise Unavailable(problem="it is not there")


def crashes(ctx, turn):
    raise KeyError("s3cret")


def silent(ctx, turn):
    """Change rows and say nothing of it to the audit."""
    ctx.db.execute(sa.text("UPDATE \"user\" SET occupation = 'x'"))
    return Step()


def parts(ctx, turn):
    """Take three transactions; hang in the second where a file is named in which to tell it."""
    entries = sa.select(sa.func.count()).where(audit_entry.c.action == "user.bulk")
    n = ctx.db.execute(entries).scalar_one() + 1
    hang = os.environ.get("TICK_TEST_HANGS", "")
    if n == 2 and hang:
        Path(hang).write_text(str(os.getpid()))
        time.sleep(600)
    ctx.audit(E.USER_BULK, "store", facts={"part": n})
    return Step((done(ctx, turn, "part", str(n), "", target="store"),), more=n % PARTS > 0)
