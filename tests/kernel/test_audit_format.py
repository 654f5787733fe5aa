"""The bytes of the audit log: against the page that describes them, and against a naive reading of it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import usermgmt
from usermgmt.kernel.audit import format as fmt
from usermgmt.kernel.audit.frontier import Frontier

PAGE = (Path(usermgmt.__file__).parent / "docs" / "audit-format.md").read_text()
EXPORT = [json.loads(line) for line in re.findall("```ndjson\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()]
VALUES = dict(re.findall(r"^\| ([^|]+?) \| `([0-9a-f]+)` \|$", PAGE, re.MULTILINE))
FACTS = ("at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows = st.lists(st.tuples(*[text] * 9), max_size=6)


def naive(prev, seq, row):
    fields = [str(seq).encode(), *[fact.encode() for fact in row]]
    lengths = b"".join(len(one).to_bytes(4, "big") for one in fields)
    return sha256(b"usermgmt/audit/v1\0" + lengths + b"".join(fields) + prev).digest()


def test_the_page_is_worked_through_correctly():
    header, first, second = EXPORT
    prev = fmt.genesis(header["store"])
    one, two = [tuple(entry[name] for name in FACTS) for entry in (first, second)]
    part = second["parts"][0]
    tree = Frontier()
    tree.append(fmt.entry_hash(prev, 1, one))
    shown = {
        "hash(0)": prev.hex(),
        "lengths of entry 1": fmt.entry_head(1, one)[18:].hex(),
        "hash(1)": fmt.entry_hash(prev, 1, one).hex(),
        "root of entry 1": tree.root().hex(),
        "commitment to part 0 of entry 2": fmt.commitment(bytes.fromhex(part["salt"]), part["subject"], part["body"]),
        "lengths of entry 2": fmt.entry_head(2, two)[18:].hex(),
        "hash(2)": fmt.chain(prev, 1, [one, two])[1].hex(),
    }
    tree.append(bytes.fromhex(shown["hash(2)"]))
    shown["root of entries 1 and 2"] = tree.root().hex()
    assert shown == VALUES
    assert [first["hash"], second["hash"], second["commits"]] == [
        shown["hash(1)"], shown["hash(2)"], shown["commitment to part 0 of entry 2"],
    ]  # fmt: skip


def test_the_page_shows_what_the_exporter_writes():
    header, *entries = EXPORT
    parts = [(entry["seq"], *part.values()) for entry in entries for part in entry["parts"]]
    lines = list(fmt.export_lines([tuple(entry.values())[:11] for entry in entries], parts))
    assert [json.loads(line) for line in lines] == entries
    assert b"".join(lines).decode() in PAGE
    facts = {name: value for name, value in header.items() if name not in ("format", "hash")}
    assert fmt.export_header(head=header["hash"], **facts).decode() in PAGE


@given(rows, st.integers(1, 10**18))
def test_chain_follows_the_formula_in_any_script(rows, seq):
    prev, expected = b"p" * 32, []
    for place, row in enumerate(rows):
        expected.append(naive(expected[-1] if expected else prev, seq + place, row))
    assert fmt.chain(prev, seq, rows) == expected


@given(st.tuples(*[text] * 9), st.tuples(*[text] * 9), st.integers(1, 99), st.integers(1, 99))
def test_different_entries_are_different_bytes(one, two, seq, other):
    same = (seq, one) == (other, two)
    assert (fmt.entry_hash(b"", seq, one) == fmt.entry_hash(b"", other, two)) is same


@pytest.mark.parametrize("edge", range(8))
def test_a_character_moved_over_the_edge_of_a_field_changes_the_hash(edge):
    before = list("abcdefghi")
    after = before.copy()
    after[edge], after[edge + 1] = "", before[edge] + before[edge + 1]
    assert fmt.entry_hash(b"", 1, tuple(before)) != fmt.entry_hash(b"", 1, tuple(after))


def test_a_digit_does_not_move_from_the_number_into_the_first_field():
    assert fmt.entry_hash(b"", 12, ("", *"bcdefghi")) != fmt.entry_hash(b"", 1, ("2", *"bcdefghi"))


def test_a_lone_surrogate_has_no_bytes():
    with pytest.raises(UnicodeEncodeError):
        fmt.chain(b"", 1, [("\ud800", *"bcdefghi")])


def test_stores_have_chains_of_their_own():
    assert fmt.genesis("a") != fmt.genesis("b")


@given(st.binary(min_size=32, max_size=32), text, text)
def test_commitment_follows_the_formula(salt, subject, body):
    about = subject.encode()
    data = b"usermgmt/audit-pii/v1\0" + salt + len(about).to_bytes(4, "big") + about + body.encode()
    assert fmt.commitments([(salt, subject, body)] * 2) == [sha256(data).hexdigest()] * 2


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_salt_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="32"):
        fmt.commitment(b"s" * length, "user:a", "{}")


def test_subject_and_body_are_kept_apart():
    salt = b"s" * 32
    assert fmt.commitment(salt, "user:a", "b{}") != fmt.commitment(salt, "user:ab", "{}")
    assert fmt.commitment(salt, "user:a", "{}") != fmt.commitment(b"t" * 32, "user:a", "{}")


@pytest.mark.parametrize(
    ("body", "subjects"),
    [
        ("{}", ["user:t", "user:t"]),
        ('{"parts":["user:a","user:b"]}', ["user:a", "user:b"]),
        ('{"parts":["user:a"]}', ["user:a", "user:t"]),
        ('{"parts":"user:a"}', ["user:t", "user:t"]),
        ("[]", ["user:t", "user:t"]),
        ("no json", ["user:t", "user:t"]),
        ("[" * 100_000, ["user:t", "user:t"]),
    ],
)
def test_an_entry_says_whom_its_parts_are_about(body, subjects):
    assert [fmt.part_subject(part, "user:t", body) for part in (0, 1)] == subjects


def test_an_erasure_names_its_target_and_the_subjects_of_its_body():
    assert fmt.erased_subjects("user:t", "{}") == {"user:t"}
    assert fmt.erased_subjects("user:t", '{"subjects":["user:a","user:b"]}') == {"user:t", "user:a", "user:b"}


def test_export_lines_carry_nothing_that_a_terminal_obeys_and_lose_nothing():
    hostile = "\x1b[31m\x7f\x9b2J\u202eabc\u2028\U000e0041"
    row = (1, "at", "c", "a", "{}", "x", "t", "ok", hostile, "", "h")
    (line,) = fmt.export_lines([row], [(1, 0, "t", "s", hostile)])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\U000e0041]", line.decode())
    found = json.loads(line)
    assert (found["body"], found["parts"][0]["body"]) == (hostile, hostile)


def test_export_leaves_out_parts_of_no_entry():
    row = (5, "at", "c", "a", "{}", "x", "t", "ok", "{}", "", "h")
    (line,) = fmt.export_lines([row], [(4, 0, "t", "s", "b"), (5, 1, "t", "s", "c"), (6, 0, "t", "s", "d")])
    assert json.loads(line)["parts"] == [{"part": 1, "subject": "t", "salt": "s", "body": "c"}]
