"""Hostile input: kept unchanged or refused in words, and whatever a row holds, never raw on a terminal."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest

from usermgmt.kernel.text import unstorable

# what a terminal obeys, beside the line breaks and tabs that formats are made of
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
RAW_BYTES = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
FORMATS = ("table", "tsv", "csv", "json", "ndjson", "yaml", "ids", "count")
NAUGHTY = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[H",
    "\x9b31mC1\x9c",
    "\x85\u2028\u2029",
    "a\rb\nc\td\x0be\x0cf",
    "\x7f\x08\x08",
    "\u202egnp.exe\u202c \u2066x\u2069\u200f",
    "\ufeffbom\u200b\u2060",
    "\U000e0041\U000e0001",
    "[red]x[/red] [/] [/bold] [link=http://x]y[/link]",
    ":smile: {0} {name} %s %(x)s ${HOME} \\u{1b} \\x1b",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1)",
    "-2+3",
    "'=quoted",
    '"; DROP TABLE "user"; --',
    "<script>alert(1)</script>",
    "a,b;c|d",
    "\\N \\t \\n",
    "👨\u200d👩\u200d👧 ﷽ 𠮷 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉",
    "null",
    "NaN",
    '{"a": [1]}',
    "- yaml: &x *x !!python/object",
    " ",
]
COMMANDS = [
    "show id:1",
    "list",
    "list --fields display_name,tags,external_ids",
    "history id:1",
    "show nobody",
    "exists id:1",
    "set id:1 --gender other -n",
    "suspend id:1 id:2 -n",
    "tag id:1 --add-tag x -n",
    "rename id:1 other -n",
    "note id:1 --text hi -n",
    "remove id:1 --yes -n",
    "add x --phone +8613800138000 -n",
    "activate id:2 id:1 --if-version 77 -n",
]


def clean(answer, line):
    assert not RAW_BYTES.search(answer.data), line
    assert not OBEYED.search(answer.out), line
    assert not OBEYED.search(answer.err), line


def every_answer(run, lines=COMMANDS):
    for line in lines:
        # the ways to write objects are the same for reads and writes
        for form in FORMATS if " -n" not in line else ("table", "csv", "json"):
            answer = run(f"user {line} -o {form}", exit=None)
            assert answer.exit in (0, 3, 5, 7), f"{line} -o {form}: {answer.err}"
            clean(answer, f"{line} -o {form}")
        for tty in (False, True):
            env = {"NO_COLOR": "1"}
            clean(run(f"user {line}", exit=None, tty=tty, stdout_tty=tty, stdin="n\n", env=env), line)
        clean(run(f"user {line} --jq ..", exit=None), line)


def tamper(run, texts):
    """Put ``texts`` into every text of two rows behind the program's back, as far as the schema's checks let them."""
    columns = (
        "username",
        "display_name",
        "full_name",
        "occupation",
        "locale",
        "managed_by",
        "status_reason",
        "email_norm",
    )
    nul = run.engine == "postgresql"
    for user_id in (1, 2):
        for n, column in enumerate(columns):
            text = texts[(user_id + n) % len(texts)][:30]
            text = text.replace("\x00", "") if nul else text
            both = "email = username, email_norm" if column == "email_norm" else column
            run.sql(f'UPDATE "user" SET {both} = ? WHERE id = ?', text, user_id)
    for n, text in enumerate(texts):
        text = text.replace("\x00", "") if nul else text  # noqa: PLW2901 - PostgreSQL has no NUL
        run.sql("INSERT INTO user_tag VALUES (1, ?)", text[:60])
        run.sql("INSERT INTO user_external_id VALUES (?, ?, ?)", 1 + n % 2, f"{n}{text[:60]}", f"{n}{text}"[:200])
        run.sql("INSERT INTO user_address VALUES (?, ?, ?)", 1 + n % 2, ("email", "phone")[n % 2], f"{n}--{text}")


def note(run, n, text):
    uid = f"01a20741-28b8-77e2-9334-{n:012}"
    at = "2026-01-01T00:00:00.000Z"
    run.sql("INSERT INTO user_note (uid, user_id, at, actor, text) VALUES (?, 1, ?, ?, ?)", uid, at, text, text)
    run.sql("INSERT INTO user_former_name VALUES (?, 1, ?, ?, ?)", f"n{n}", text, f"n{n}", at)


def test_whatever_a_row_holds_no_answer_of_any_command_is_raw(run):
    run("user add alice --phone 13800138000")
    run("user add bob")
    tamper(run, NAUGHTY)
    for n, text in enumerate(NAUGHTY):
        note(run, n, text)
    every_answer(run)


def test_each_of_them_in_the_username(run):
    run("user add alice")
    run("user add bob")
    names = [""]
    for text in NAUGHTY:
        if len(names[-1] + text) > 128:
            names.append("")
        names[-1] += text
    for name in names:
        run.sql('UPDATE "user" SET username = ?, username_norm = ?, skeleton = ? WHERE id = 1', name, name, name)
        every_answer(run, ["list --fields username", "show id:1", "show nobody", "suspend id:1 id:2 -n"])


@pytest.mark.engines("sqlite")
def test_rows_that_no_schema_of_ours_would_take_do_not_crash_a_read(run):
    run("user add alice --birth-date 1990-05-17")
    run("user add bob")
    for column, value in {
        "valid_until": "whenever\x1b[31m",
        "valid_from": "",
        "created_at": "0000-00-00",
        "status_at": "\u202e",
        "birth_date": "not a date",
        "phone": "no phone",
        "email": "no address",
        "full_name": "\x1b",
    }.items():
        both = "email_norm = 1, email" if column == "email" else column
        run.sql(f'UPDATE "user" SET {both} = ? WHERE id = 1', value)
    every_answer(run, ["show id:1", "list", "suspend id:1 id:2 -n", "list --sort created_at --limit 1"])
    shown = run("user show id:1 --json").json
    assert (shown["age"], shown["email"]) == (None, "***")


@pytest.mark.engines("sqlite")
def test_bytes_that_are_no_text_are_an_error_and_no_crash(run):
    run("user add alice")
    run.sql("UPDATE user SET display_name = CAST(x'ff1b5b33316d' AS TEXT)")
    for form in FORMATS:
        answer = run(f"user list -o {form}", exit=None)
        clean(answer, form)
        assert "Traceback" not in answer.err


# -- given on the command line -----------------------------------------------------------------------------------------

TEXTS = ["--display-name", "--full-name", "--occupation", "--managed-by"]


def kept_or_refused(run, option, field, text):
    """Set a field: it is kept as it was given, or refused with a reason; True where it was kept."""
    answer = run(["user", "set", "alice", option, text, "--json"], exit=None)
    clean(answer, (option, text))
    if answer.exit == 6:
        assert answer.error["details"]["field"]
        assert answer.error["message"]
        return False
    assert answer.exit == 0, (option, text, answer.err)
    assert run("user show alice --reveal --json").json[field] == (text or None)
    return True


@pytest.mark.parametrize("option", TEXTS)
def test_texts_are_kept_as_given_or_refused_with_a_reason(run, option):
    run("user add alice")
    for text in NAUGHTY:
        kept = kept_or_refused(run, option, option[2:].replace("-", "_"), text)
        assert kept is not bool(unstorable(text))
    every_answer(run, ["list", "show alice"])


def blns(corpus):
    return json.loads((corpus / "naughty-strings" / "blns.json").read_text())


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.engines("sqlite")
def test_the_big_list_of_naughty_strings_in_every_text(run, corpus):
    run("user add alice")
    texts = blns(corpus)
    assert len(texts) == 515
    counts = dict.fromkeys(TEXTS, 0)
    for n, text in enumerate(texts):
        option = TEXTS[n % len(TEXTS)]
        counts[option] += kept_or_refused(run, option, option[2:].replace("-", "_"), text)
    assert sum(counts.values()) > 450
    every_answer(run, ["show alice", "list"])


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.engines("sqlite")
def test_the_big_list_of_naughty_strings_as_names_tags_ids_notes_and_queries(run, corpus):
    run("user add alice")
    kept = 0
    for text in blns(corpus):
        if "\x00" in text:
            continue
        for argv in (
            ["add", "--", text],
            ["tag", "alice", "--add-tag", text],
            ["set", "alice", "--add-external-id", f"x/{text}"],
            ["note", "alice", "--text", f"{text}."],
            ["set", "alice", "--email", f"{text}@example.com", "--dry-run"],
            ["set", "alice", "--phone", text, "--dry-run"],
            ["show", "--", text],
            ["list", "--search", text],
            ["list", "--tag", text],
        ):
            answer = run(
                ["user", *argv, "--json"] if "--" not in argv else ["user", argv[0], "--json", *argv[1:]], exit=None
            )
            assert answer.exit in (0, 3, 5, 6), (argv, answer.err)
            clean(answer, argv)
            kept += answer.exit == 0
    assert kept > 1500
    every_answer(run, ["show alice", "list"])
    assert run("audit verify --state --json").json["holds"] is True


@pytest.mark.corpus
@pytest.mark.engines("sqlite")
def test_the_big_list_of_naughty_strings_behind_the_programs_back(run, corpus):
    run("user add alice")
    run("user add bob")
    texts = list(dict.fromkeys(unicodedata.normalize("NFC", text)[:55] for text in blns(corpus) if text))
    tamper(run, texts)
    for n, text in enumerate(texts):
        note(run, n, text)
    every_answer(run, ["show id:1", "show id:2", "list", "suspend id:1 id:2 -n"])


FIELDS = """
    email phone display-name full-name gender birth-date occupation locale time-zone kind valid-from valid-until
    email-verified-at phone-verified-at managed-by add-tag remove-tag set-tag external-id add-external-id
    remove-external-id set-external-id add-address remove-address set-address
"""
LINES = [
    "show X",
    "exists X",
    "add X",
    "ensure X",
    "rename alice X",
    "suspend X",
    "suspend X alice",
    "close X --yes",
    "remove X --yes",
    "history X",
    "history alice --since X",
    "note X --text hi",
    "note alice --text X",
    "tag alice --add-tag X",
    "list --search X",
    "list --tag X",
    "list --status X",
    "list --sort X",
    "list --fields X",
    "list --created-after X",
    "list --jq X",
    "list -o X",
    "list --limit X",
    "set --search X --gender male --yes",
    "set --from-file X --gender male --yes",
    "set alice --requested-by X --gender male",
    "set alice --gender other --reason X",
    *(f"set alice --{name} X" for name in FIELDS.split()),
    "set alice --add-external-id x/X",
    "set alice --remove-external-id x/X",
    "set alice --add-address email:X",
    "set alice --add-address phone:X",
    "X",
    "list --X",
]


def attack(run, texts):
    run("user add alice")
    for line in LINES:
        for text in texts:
            argv = ["user", *(word.replace("X", text) for word in line.split()), "--json"]
            answer = run(argv, exit=None)
            assert answer.exit in (0, 2, 3, 5, 6, 7, 8), (line, text[:20], answer.err[:300])
            clean(answer, line)
            # what follows -- is no option, so that this error is told in words
            if answer.exit and answer.err and "--" not in argv:
                assert set(answer.error) == {"code", "message", "hint", "exit_code", "details"}
                clean(run(argv[:-1], exit=answer.exit), line)


def test_no_argument_is_a_crash(run):
    attack(run, ["\udcff\udcfe", "a\x00\x1b]0;x\x07b{x} {0} %s\u202e"])


@pytest.mark.slow
def test_no_argument_is_a_crash_however_long_or_odd(run):
    attack(run, ["x" * 100_000, "注" * 30_000, "{x} {0} %s", "\u202e", "-1", "=1", "", " ", *NAUGHTY])
