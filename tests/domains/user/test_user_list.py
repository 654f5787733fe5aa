"""Lists of users: complete unless filtered, ordered by id unless sorted, never cut in silence."""

from __future__ import annotations

import pytest

SIMULATED = pytest.mark.store("--simulate --region CN")


@pytest.fixture
def people(run):
    """Five users of every status, tags, windows and times."""
    run(
        "user add alice --email Alice.S@Example.com --phone 13800138000 --full-name 'Alice Smith'"
        " --add-tag vip --add-tag eu"
    )
    run("user add 张伟 --display-name 老张 --full-name 张伟 --occupation ÉTUDIANT --add-tag vip")
    run("user add Straße --email straße@example.com --valid-until 2020-01-01")
    run("user add dave --phone +442079460958")
    run("user add eve%_x --display-name '100% EVE_'")
    run("user suspend dave")
    run("user close eve%_x --yes")
    return run


def names(run, arguments):
    given = arguments.split("|") if arguments else []
    return run(["user", "list", *given, "--jq", ".[].username"]).lines


FILTERS = [
    ("", ["alice", "张伟", "Straße", "dave", "eve%_x"]),
    ("--status|active", ["alice", "张伟", "Straße"]),
    ("--status|suspended|--status|closed", ["dave", "eve%_x"]),
    ("--status|pending", []),
    ("--tag|vip", ["alice", "张伟"]),
    ("--tag|vip|--tag|eu", ["alice"]),
    ("--tag|VIP", []),
    ("--tag|", []),
    ("--search|ALI", ["alice"]),
    ("--search|smith", ["alice"]),
    ("--search|张", ["张伟"]),
    ("--search|老张", ["张伟"]),
    ("--search|étudiant", []),
    ("--search|ÉTUDIANT", ["张伟"]),
    ("--search|Étudiant", ["张伟"]),
    ("--search|straße", ["Straße"]),
    ("--search|STRASSE", ["Straße"]),
    ("--search|example.com", ["alice", "Straße"]),
    ("--search|3800138", ["alice"]),
    ("--search|%", ["eve%_x"]),
    ("--search|_", ["eve%_x"]),
    ("--search|100% eve", ["eve%_x"]),
    ("--search|nobody", []),
    ("--search|'", []),
    ("--search|ａｌｉｃｅ", ["alice"]),
    ("--status|active|--tag|vip|--search|ali", ["alice"]),
    ("--created-after|2000-01-01", ["alice", "张伟", "Straße", "dave", "eve%_x"]),
    ("--created-after|2999-01-01", []),
]


def test_filters(people):
    for filters, found in FILTERS:
        assert names(people, filters) == found, filters


@SIMULATED
def test_created_after_takes_what_was_created_from_then_on(run):
    run("user add old --now 2026-01-01T00:00:00Z")
    run("user add new --now 2026-02-01T00:00:00Z")
    assert names(run, "--created-after|2026-02-01") == ["new"]
    assert names(run, "--created-after|2026-02-01T00:00:00.001Z") == []
    assert names(run, "--created-after|2d|--now|2026-02-02T00:00:00Z") == ["new"]
    assert names(run, "--created-after|90d|--now|2026-02-02T00:00:00Z") == ["old", "new"]


NO_FILTERS = [
    (["--status", "gone"], 2, "pending, active"),
    (["--status", ""], 2, "pending"),
    (["--sort", "email"], 2, "valid_until"),
    (["--sort", "--id"], 2, "valid_until"),
    (["--sort", ""], 2, "valid_until"),
    (["--limit", "-1"], 2, "whole number"),
    (["--limit", "x"], 2, "whole number"),
    (["--created-after", "yesterday"], 6, "not a time"),
    (["--search", "a\udcffb"], 6, "U+DCFF"),
    (["--search", "a\x00b"], 6, "U+0000"),
    (["--tag", "\udcff"], 6, "U+DCFF"),
    (["alice"], 2, "too many"),
]


def test_what_no_filter_can_be_is_refused(run):
    for arguments, exit_code, word in NO_FILTERS:
        answer = run(["user", "list", *arguments], exit=exit_code)
        assert answer.out == ""
        assert word in answer.err


@SIMULATED
def test_sorting(run):
    for day, (name, until) in enumerate(
        (("bob", "2027-01-01"), ("Alice", ""), ("张伟", "2026-06-01"), ("carl", "")), 1
    ):
        run(["user", "add", name, "--valid-until", until, "--now", f"2026-01-{5 - day:02}T00:00:00Z"])
    run("user suspend bob")
    for sort, order in {
        "id": ["bob", "Alice", "张伟", "carl"],
        "-id": ["carl", "张伟", "Alice", "bob"],
        "username": ["Alice", "bob", "carl", "张伟"],
        "-username": ["张伟", "carl", "bob", "Alice"],
        "created_at": ["carl", "张伟", "Alice", "bob"],
        "-created_at": ["bob", "Alice", "张伟", "carl"],
        "status": ["Alice", "张伟", "carl", "bob"],
        "-status": ["bob", "Alice", "张伟", "carl"],
        "valid_until": ["张伟", "bob", "Alice", "carl"],
        "-valid_until": ["bob", "张伟", "Alice", "carl"],
    }.items():
        assert names(run, f"--sort|{sort}") == order, sort


def test_a_limit_says_how_many_there_are(people):
    cut = people("user list --limit 2 --json")
    assert len(cut.json) == 2
    assert cut.err == "2 of 5 shown\n"
    assert people("user list --limit 2 --json -q").err == ""
    assert people("user list --limit 5 --json").err == ""
    assert people("user list --limit 9 --json").err == ""
    none = people("user list --limit 0 -o tsv --no-header")
    assert (none.out, none.err) == ("", "0 of 5 shown\n")
    assert people("user list --status active --limit 1 --fields id -o csv").err == "1 of 3 shown\n"
    assert people("user list --limit 2 -o count").out == "5\n"
    assert people("user list --limit 2 --jq length").err == "2 of 5 shown\n"


def test_a_long_list_is_whole_in_every_format(run):
    rows = 1203
    run.sql('DELETE FROM "user"')
    made = "2026-01-01T00:00:00.000Z"
    columns = "uid, version, kind, status, status_at, username, username_norm, skeleton, created_at, updated_at"
    values = ", ".join(
        f"('01a20741-28b8-77e2-9334-{n:012}', 1, 'person', 'active', '{made}', 'u{n}', 'u{n}', 'u{n}',"
        f" '{made}', '{made}')"
        for n in range(rows)
    )
    run.sql(f'INSERT INTO "user" ({columns}) VALUES {values}')
    assert run("user list -o count").out == f"{rows}\n"
    for shape in ("tsv", "csv", "table", "json", "ndjson", "yaml", "ids"):
        lines = run(f"user list --fields username -o {shape}").lines
        found = sum(1 for line in lines if "u" in line.replace("username", "") or shape == "ids")
        assert found == rows, shape
    assert "u1202" in run("user list --fields username,id -o table").lines[-1]


def test_nobody_is_an_empty_list_in_every_format(run):
    assert run("user list --json").out == "[]\n"
    assert run("user list -o ndjson").out == ""
    assert run("user list -o yaml").out == "[]\n"
    assert run("user list -o count").out == "0\n"
    assert run("user list -o ids").out == ""
    assert run("user list --fields id,username -o tsv").out == "id\tusername\n"
    assert run("user list --fields id,username -o csv").out == "id,username\n"
    assert run("user list --fields id,username -o table").out == "Id  Username\n"
    assert run("user list --fields id -o tsv --no-header").out == ""
    assert run("user list --jq length").out == "0\n"
    assert run("user list --jq '.[] | .id'").out == ""
