"""`audit export -o cef|ecs`: what a system for logs reads, nothing personal in it, and no line that somebody forged."""

from __future__ import annotations

import json
import re

import pytest

PERSONAL = ("alice", "example.com", "爱丽", "13800138000", "because of her")


@pytest.fixture
def store(run):
    run("user add alice --email alice@example.com --full-name 李爱丽 --phone +8613800138000")
    run(["user", "suspend", "alice", "--reason", "because of her"])
    run("user add alice", exit=5)
    return run


def cef(data: bytes) -> list[tuple[list[str], dict[str, str]]]:
    """Read CEF as its specification says: seven escaped fields, then keys and values."""
    made = []
    for line in data.decode().split("\n")[:-1]:
        *head, extension = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
        assert len(head) == 7, line
        pairs = re.findall(r"(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)", extension)
        assert " ".join(f"{key}={value}" for key, value in pairs) == extension
        assert len(dict(pairs)) == len(pairs)
        made.append((head, {key: re.sub(r"\\(.)", _unescape, value) for key, value in pairs}))
    return made


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(match[1], match[1])


def test_cef_has_every_entry_with_what_a_system_for_logs_asks(store):
    entries = store("audit list --json").json
    made = cef(store("audit export -o cef").data)
    assert len(made) == len(entries) == 4
    for (head, facts), entry in zip(made, entries, strict=True):
        assert head[:3] == ["CEF:0", "usermgmt", "usermgmt"]
        assert head[4] == facts["act"] == entry["action"]
        assert (facts["externalId"], facts["suser"], facts["cs1"]) == (
            str(entry["seq"]),
            entry["actor"],
            entry["change_id"],
        )
        assert (facts["cs3Label"], facts["cs3"]) == ("hash", entry["hash"])
        assert facts["outcome"] == ("success" if entry["outcome"] == "ok" else "failure")
    uid = store("user show alice --json").json["uid"]
    assert made[2][1]["duid"] == uid
    assert "status" in made[2][1]["cs5"].split(",")
    assert (made[3][0][6], made[3][1]["reason"], made[3][1]["cs6"]) == ("5", "user.exists", "user add")


@pytest.mark.store("--simulate")
def test_cef_has_times_in_milliseconds(run):
    run("user add alice --now 2026-11-22T08:30:00.250Z")
    assert cef(run("audit export -o cef").data)[1][1]["rt"] == "1795336200250"


def test_ecs_has_every_entry_in_the_fields_of_the_schema(store):
    entries = store("audit list --json").json
    made = [json.loads(line) for line in store("audit export -o ecs").data.splitlines()]
    assert [one["event"]["sequence"] for one in made] == [entry["seq"] for entry in entries]
    for one, entry in zip(made, entries, strict=True):
        assert one["@timestamp"] == entry["at"]
        assert one["ecs"]["version"].startswith("8.")
        assert one["event"]["hash"] == one["event"]["id"] == entry["hash"]
        assert one["event"]["kind"] == "event"
        assert one["user"]["name"] == entry["actor"]
        assert all(isinstance(value, str) for value in one["labels"].values())
    assert (made[1]["event"]["category"], made[1]["event"]["type"]) == (["iam"], ["creation"])
    assert made[2]["user"]["target"]["id"] == store("user show alice --json").json["uid"]
    assert (made[3]["event"]["outcome"], made[3]["event"]["type"]) == ("failure", ["creation", "error"])
    assert made[3]["error"] == {"code": "user.exists"}


@pytest.mark.parametrize("form", ["cef", "ecs"])
def test_nothing_personal_leaves(store, form):
    data = store(f"audit export -o {form}").data.decode()
    assert [word for word in PERSONAL if word in data] == []


@pytest.mark.parametrize("form", ["cef", "ecs"])
def test_the_export_is_recorded_with_its_format(store, form):
    result = store(f"audit export -o {form} --out log.txt --reason siem")
    assert result.out == ""
    assert len((store.home / "log.txt").read_bytes().splitlines()) == 4
    entry = store("audit list --json").json[-1]
    assert (entry["action"], entry["facts"], entry["reason"]) == ("audit.export", {"count": 4, "format": form}, "siem")


HOSTILE = "x|y=z\\\nCEF:0|evil|evil|1|a|b|9|act=none\r\x1b[2J\u2028\u202e\u200b\x9b end"


def test_nobody_forges_a_line_of_cef(store):
    for column in ("actor", "target", "action", "change_id", "via", "at"):
        store.sql(f"UPDATE audit_entry SET {column} = ? WHERE seq = 3", HOSTILE if column != "at" else HOSTILE[:24])
    data = store("audit export -o cef").data
    assert not set("\r\x1b\u2028\u202e\u200b\x9b") & set(data.decode())
    made = cef(data)
    assert len(made) == 4
    assert made[2][0][4].startswith("x\\|y=z")
    told = made[2][1]
    assert told["suser"].startswith("x|y=z\\\nCEF:0|evil|evil|1|a|b|9|act=none\n\\u{1b}[2J\\u{2028}")
    assert told["suser"] == told["cs2"] == told["act"]
    assert "rt" not in told


def test_nobody_forges_a_line_of_ecs(store):
    store.sql("UPDATE audit_entry SET actor = ?, target = ?, body = ? WHERE seq = 3", HOSTILE, HOSTILE, "[1")
    data = store("audit export -o ecs").data.decode()
    assert not set("\r\x1b\u2028\u202e\u200b\x9b") & set(data)
    made = [json.loads(line) for line in data.split("\n")[:-1]]
    assert len(made) == 4
    assert made[2]["user"]["name"] == HOSTILE
