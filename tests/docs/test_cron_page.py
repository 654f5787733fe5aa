"""The page about cron and systemd names the jobs that there are, and its units and lines work."""

from __future__ import annotations

import re
import shutil
import subprocess

import page_commands
import pytest
from test_conventions import parsed

from usermgmt.domains.help.topics import DOCS
from usermgmt.kernel import registry
from usermgmt.kernel.schedule import Daily, EachTick
from usermgmt.kernel.settings import BY_KEY, TABLE

PAGE = (DOCS / "cron.md").read_text()
UNITS = dict(
    re.findall(r"`/etc/systemd/system/(usermgmt-tick\.(?:service|timer))`:\n\n```systemd\n(.*?)```", PAGE, re.DOTALL)
)
(CRONTAB,) = re.findall(r"```crontab\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_has_every_job_with_its_times():
    rows = re.findall(r"^\| `([a-z.]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert [name for name, _when in rows] == [job.name for job in registry.jobs()]
    for job, (_name, when) in zip(registry.jobs(), rows, strict=True):
        match job.schedule:
            case EachTick():
                assert when == "at each tick"
            case Daily(at):
                assert when == f"daily at {at} of `time.zone`"
        assert job.missed == "once"


def test_the_periods_are_those_of_the_setting():
    assert BY_KEY["user.expiry_notice"].default == ("14d", "1d")


def test_what_cron_and_systemd_call_is_there():
    lines = [line for line in CRONTAB.splitlines() if not line.startswith("MAILTO")]
    commands = [re.fullmatch(r"(?:\S+\s+){5}usermgmt\s+/usr/local/bin/usermgmt (.+)", line)[1] for line in lines]
    commands += re.findall(r"^ExecStart=/usr/local/bin/usermgmt (.+)$", UNITS["usermgmt-tick.service"], re.MULTILINE)
    assert [parsed(command.split(" ", 2)) for command in commands] == ["tick", "store backup", "tick"]


def test_commands_in_the_text_are_there():
    assert len(list(page_commands.check(PAGE))) > 8


def test_variables_of_the_unit_set_something():
    names = re.findall(r"^Environment=([A-Z_]+)=", UNITS["usermgmt-tick.service"], re.MULTILINE)
    assert names
    assert set(names) <= {name for row in TABLE for name in row.variables}


def test_the_page_names_settings_that_there_are():
    names = set(re.findall(r"`((?:audit|store|user|time)\.[a-z_]+)`", PAGE)) - {job.name for job in registry.jobs()}
    assert names - {"user.expired"} <= set(BY_KEY)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    for name, text in UNITS.items():
        # whether this host has the program is not what is asked
        (tmp_path / name).write_text(text.replace("/usr/local/bin/usermgmt", "/bin/sh"))
    paths = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "usermgmt-tick" in line] == []


def test_there_are_two_units():
    assert set(UNITS) == {"usermgmt-tick.service", "usermgmt-tick.timer"}
