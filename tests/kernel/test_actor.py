"""Who acts: the OS account, and a claim made through sudo only where the kernel bears it out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from usermgmt.kernel import actor
from usermgmt.kernel.actor import Actor

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a fake sudo can be made by root only")


def test_without_a_claim_it_is_the_account_itself():
    found = actor.resolve({})
    assert (found.via, found.claimed_uid, found.os_uid) == ("direct", None, os.geteuid())
    assert found.name == ("root" if os.geteuid() == 0 else "owner")
    assert found.account == os.geteuid()


@pytest.mark.parametrize("claim", ["", "x", "-1", "1e3", " 1000", "１０００", "99999999999", "1000\n", "+1000"])
def test_what_is_no_uid_is_no_claim(claim):
    assert actor.resolve({"SUDO_UID": claim}).claimed_uid is None


@pytest.mark.parametrize("claim", ["0", "1000", "4294967295"])
def test_a_claim_that_is_not_borne_out_is_kept_and_changes_nothing(claim):
    found = actor.resolve({"SUDO_UID": claim, "SUDO_USER": "mallory"})
    # this process's own parent may be root with effective uid 0, as sudo of root by root would be
    if claim != "0" or os.geteuid() != 0:
        assert (found.via, found.claimed_uid, found.account) == ("direct", int(claim), os.geteuid())
    assert json.loads(found.trace("user add"))["claimed_uid"] == int(claim)


def test_the_trace_says_how_the_actor_came_in():
    assert json.loads(Actor("owner", "990", 990).trace("user add")) == {
        "command": "user add",
        "os_uid": 990,
        "via": "direct",
    }
    full = Actor("owner", "990", 990, claimed_uid=1000, login_uid=1000, via="sudo")
    assert json.loads(full.trace("x")) == {
        "claimed_uid": 1000,
        "command": "x",
        "login_uid": 1000,
        "os_uid": 990,
        "via": "sudo",
    }


def test_names_accounts_and_links():
    assert Actor("root", "0", 0).name == "root"
    assert Actor("operator", "u-1", 990).name == "operator:u-1"
    assert Actor("owner", "990", 990, claimed_uid=1000, via="sudo").account == 1000
    assert Actor("owner", "990", 990, claimed_uid=1000).account == 990
    assert Actor("owner", "990", 990).linked("u-1").user_uid == "u-1"


# -- a fake sudo: real uid of the caller, effective uid 0, waiting for its child ---------------------------------------


def sudo(real, code, *, claim, effective=0, env=None):
    """Run Python ``code`` below a parent with these uids and SUDO_UID=``claim``; returns the finished child."""
    parent = textwrap.dedent(
        """
        import os, subprocess, sys
        os.setresuid(int(sys.argv[1]), int(sys.argv[2]), 0)
        done = subprocess.run([sys.executable, "-c", sys.argv[3]], preexec_fn=lambda: os.setresuid(0, 0, 0))
        sys.exit(done.returncode)
        """
    )
    argv = [sys.executable, "-c", parent, str(real), str(effective), code]
    environment = {**os.environ, "SUDO_UID": str(claim), **(env or {})}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


TELL = """
import os
from usermgmt.kernel import actor

found = actor.resolve(os.environ)
print(found.via, found.claimed_uid, found.account)
"""


@needs_root
@pytest.mark.parametrize(
    ("real", "effective", "claim", "told"),
    [
        (1000, 0, 1000, "sudo 1000 1000"),
        (1000, 0, 1001, "direct 1001 0"),
        (1000, 0, 0, "direct 0 0"),
        (0, 1000, 1000, "direct 1000 0"),
        (1000, 1000, 1000, "direct 1000 0"),
        (0, 0, 0, "sudo 0 0"),
    ],
)
def test_the_kernel_bears_a_claim_out(real, effective, claim, told):
    assert sudo(real, TELL, claim=claim, effective=effective).stdout.strip() == told


@needs_root
@pytest.mark.parametrize(
    ("real", "effective", "claim", "narrow"),
    [(1000, 0, 1000, True), (1000, 0, 1001, True), (1000, 1000, 1000, True), (0, 0, 1000, False), (0, 0, 0, True)],
)
def test_a_claim_narrows_the_call_unless_the_parent_is_of_this_account(real, effective, claim, narrow):
    code = "import os; from usermgmt.kernel import actor; print(actor.resolve(os.environ).narrow)"
    assert sudo(real, code, claim=claim, effective=effective).stdout.strip() == str(narrow)


ORPHANED = """
import os, time
from usermgmt.kernel import actor

sudo = os.getpid()
if os.fork():
    os._exit(0)
os.setresuid(990, 990, 990)
while os.getppid() == sudo:
    time.sleep(0.01)
found = actor.resolve(os.environ)
print(found.via, found.narrow, found.account)
"""


@needs_root
def test_who_kills_sudo_is_no_freer():
    # what sudo's death leaves: a process of the store's account that fell to another account's
    environment = {**os.environ, "SUDO_UID": "1000"}
    done = subprocess.run([sys.executable, "-c", ORPHANED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "direct True 990"


RUN = "import sys; sys.argv = ['usermgmt', *{argv}]; from usermgmt.main import console; console()"


@needs_root
@pytest.mark.parametrize(
    "argv",
    [
        ["--store", "/tmp/x.db", "user", "list"],
        ["user", "list", "--config", "/etc/passwd"],
        ["user", "suspend", "--from-file", "/etc/shadow", "--yes"],
        ["audit", "prune", "--before", "180d", "--archive", "/tmp/x.ndjson", "--yes"],
    ],
)
def test_a_call_through_sudo_takes_no_paths(argv):
    done = sudo(1000, RUN.format(argv=[*argv, "--json"]), claim=1000)
    assert done.returncode == 4
    assert json.loads(done.stderr)["error"]["code"] == "sudo.path"
    assert done.stdout == ""
