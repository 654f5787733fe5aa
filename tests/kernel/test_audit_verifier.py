"""Every attack on the log is found, and named by the entry that was attacked."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usermgmt.kernel.audit import format as fmt
from usermgmt.kernel.audit import verifier
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.audit.verifier import Finding, Kind, Mark, Verifier

STORE = "0197b0a0-0000-7000-8000-000000000001"
SIZES = [1, 2, 255, 256, 10_000]


class Log:
    """A log as rows: entry ``i`` is about ``user:i`` and has one part, every seventh none, every fifth two."""

    def __init__(self, n, special=()):
        self.n = n
        self.parts = []
        facts = []
        special = dict(special)
        for seq in range(1, n + 1):
            about = [] if seq % 7 == 0 else [f"user:{seq}"] + ["user:second"] * (seq % 5 == 0)
            made = []
            for part, subject in enumerate(about):
                salt = sha256(f"{seq}/{part}".encode()).digest()
                body = f'{{"name":"李{seq}"}}'
                made.append(fmt.commitment(salt, subject, body))
                self.parts.append((seq, part, subject, salt.hex(), body))
            body = f'{{"count":{seq},"parts":["user:{seq}","user:second"]}}' if seq % 5 == 0 else f'{{"count":{seq}}}'
            row = {"action": "user.set", "target": f"user:{seq}", "outcome": "ok", "body": body} | special.get(seq, {})
            at = "2026-01-01T00:00:00.000Z"
            facts.append((at, "c", "owner", '{"名":1}' if seq % 11 == 0 else "{}", *row.values(), ",".join(made)))
        self.seal(facts)

    def seal(self, facts):
        hashes = fmt.chain(fmt.genesis(STORE), 1, facts)
        self.entries = [(i, *row, digest.hex()) for i, (row, digest) in enumerate(zip(facts, hashes, strict=True), 1)]

    def rechain(self):
        self.seal([row[1:10] for row in self.entries])

    def edit(self, seq, column, value):
        row = list(self.entries[seq - 1])
        row[column] = value
        self.entries[seq - 1] = tuple(row)

    def edit_part(self, seq, column, value, part=0):
        place = next(i for i, row in enumerate(self.parts) if row[:2] == (seq, part))
        row = list(self.parts[place])
        row[column] = value
        self.parts[place] = tuple(row)
        self.parts.sort(key=lambda row: row[:2])

    def drop_parts(self, *subjects):
        self.parts = [row for row in self.parts if row[2] not in subjects]

    @property
    def head(self):
        return self.n, self.entries[-1][10]


def check(log, **options):
    found = Verifier(STORE, **options)
    return found, list(found.run(iter(log.entries), iter(log.parts)))


def named(findings):
    return [(found.seq, str(found.kind)) for found in findings]


def places(n):
    """Entries to attack: the first, the last, and those around the middle, all with a part."""
    return sorted({seq for seq in (1, n // 2, n) if seq >= 1 and seq % 7})


ATTACKED = [(n, seq) for n in SIZES for seq in places(n)]


@pytest.mark.parametrize("n", [0, *SIZES])
def test_a_log_that_nobody_touched_is_true(n):
    log = Log(n)
    head = log.head if n else (0, fmt.genesis(STORE).hex())
    done, findings = check(log, head=head, marks=range(n + 2))
    tree = Frontier()
    marks = {0: Mark(fmt.genesis(STORE).hex(), tree.root().hex())}
    for row in log.entries:
        tree.append(bytes.fromhex(row[10]))
        marks[row[0]] = Mark(row[10], tree.root().hex())
    assert findings == []
    assert done.marks == marks
    assert (done.n, done.head_hash, done.root, done.redacted) == (n, head[1], tree.root().hex(), 0)
    assert done.tree.dump() == tree.dump()


@pytest.mark.parametrize(("n", "seq"), ATTACKED)
@pytest.mark.parametrize("column", range(1, 10))
def test_an_edited_field_is_named_once(n, seq, column):
    log = Log(n)
    root = check(log)[0].root
    log.edit(seq, column, log.entries[seq - 1][column] + "x")
    done, findings = check(log, head=log.head, marks=[n])
    assert findings == [Finding(seq, Kind.HASH, verifier.FIELDS)]
    # judged by the stored hashes, the log is still the one that was anchored
    assert (done.root, done.marks[n].hash) == (root, log.head[1])


@pytest.mark.parametrize(("n", "seq"), ATTACKED)
@pytest.mark.parametrize("forged", ["0" * 64, "", "xyz", "A" * 64, " " * 64, None, b"\x00" * 32])
def test_an_edited_hash_is_named_and_told_from_an_edited_field(n, seq, forged):
    log = Log(n)
    root, head = check(log)[0].root, log.head
    log.edit(seq, 10, forged)
    done, findings = check(log, head=head)
    assert findings == [Finding(seq, Kind.HASH, verifier.STORED)]
    assert (done.root, done.head_hash) == (root, head[1])


def test_the_same_hash_in_capitals_is_an_edited_hash():
    log = Log(9)
    head = log.head
    log.edit(4, 10, log.entries[3][10].upper())
    assert check(log, head=head)[1] == [Finding(4, Kind.HASH, verifier.STORED)]


def test_without_a_head_nobody_can_tell_what_of_the_last_entry_was_edited():
    for column in (8, 10):
        log = Log(9)
        log.edit(9, column, "0" * 64)
        assert check(log)[1] == [Finding(9, Kind.HASH, verifier.EITHER)]


@pytest.mark.parametrize("value", [None, 5, 1.5, b"{}", "\ud800"])
@pytest.mark.parametrize("column", range(1, 10))
def test_a_value_of_another_type_is_named_and_stops_nothing(column, value):
    log = Log(9)
    log.edit(4, column, value)
    assert named(check(log, head=log.head)[1]) == [(4, "hash")]


@pytest.mark.parametrize("n", [255, 256, 10_000])
@pytest.mark.parametrize("count", [1, 3])
def test_deleted_entries_are_named(n, count):
    for first in (1, 100, n - count):
        log = Log(n)
        del log.entries[first - 1 : first - 1 + count]
        done, findings = check(log, head=log.head, marks=[first - 1, n])
        gap = {"first": first, "last": first + count - 1, "next": first + count}
        assert findings == [Finding(first, Kind.GAP, verifier.GAP, gap)]
        assert done.root == "" == done.marks[n].root
        assert done.marks[n].hash == log.head[1]
        assert done.marks.get(first - 1, Mark("", "?")).root


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("with_parts", [True, False])
def test_a_log_that_was_cut_off_is_found_by_the_head(n, with_parts):
    log = Log(n)
    head = log.head
    log.entries.pop()
    if with_parts:
        log.parts = [row for row in log.parts if row[0] < n]
    done, findings = check(log, head=head, marks=[n])
    assert findings == [Finding(n, Kind.GAP, verifier.SHORT, {"first": n, "last": n})]
    assert (done.n, n in done.marks) == (n - 1, False)


def test_a_head_that_was_put_back_is_found():
    log = Log(9)
    assert named(check(log, head=(7, log.entries[6][10]))[1]) == [(8, "head")]
    assert named(check(log, head=(9, "0" * 64))[1]) == [(9, "head")]


@pytest.mark.parametrize("n", [2, 255, 256, 10_000])
def test_exchanged_entries_are_named(n):
    log = Log(n)
    one, two = log.entries[n // 2 - 1 : n // 2 + 1]
    log.entries[n // 2 - 1 : n // 2 + 1] = [(one[0], *two[1:]), (two[0], *one[1:])]
    assert {n // 2, n // 2 + 1} <= {found.seq for found in check(log)[1] if found.kind == Kind.HASH}


def test_rows_out_of_order_are_named():
    log = Log(9)
    log.entries.insert(5, log.entries[2])
    assert check(log)[1] == [Finding(6, Kind.ORDER, verifier.ORDER, {"found": 3})]


@pytest.mark.parametrize(("n", "seq"), ATTACKED)
def test_a_log_hashed_anew_from_an_edit_on_is_betrayed_by_what_was_anchored(n, seq):
    log = Log(n)
    true, _none = check(log, marks=[max(seq - 1, 0), seq, n])
    log.edit(seq, 8, '{"count":0}')
    log.rechain()
    forged, findings = check(log, head=log.head, marks=[max(seq - 1, 0), seq, n])
    assert findings == []
    assert forged.marks[seq - 1] == true.marks[seq - 1]
    for size in {seq, n}:
        assert forged.marks[size].hash != true.marks[size].hash
        assert forged.marks[size].root != true.marks[size].root


def test_an_entry_edited_and_hashed_again_alone_is_found_at_the_next():
    log = Log(9)
    log.edit(4, 8, "{}")
    log.edit(4, 10, fmt.entry_hash(bytes.fromhex(log.entries[2][10]), 4, log.entries[3][1:10]).hex())
    assert check(log, head=log.head)[1] == [Finding(5, Kind.HASH, verifier.FIELDS)]


def test_two_neighbours_are_both_named():
    log = Log(9)
    log.edit(4, 8, "x")
    log.edit(5, 8, "x")
    assert named(check(log, head=log.head)[1]) == [(4, "hash"), (5, "hash")]
    log.edit(6, 10, "0" * 64)
    assert [seq for seq, _kind in named(check(log, head=log.head)[1])] == [4, 5, 6]


def test_an_entry_after_a_gap_with_a_forged_hash_does_not_hide_what_follows():
    log = Log(12)
    log.edit(5, 10, None)
    log.edit(9, 8, "x")
    del log.entries[3]
    assert named(check(log, head=log.head)[1]) == [(4, "gap"), (5, "hash"), (9, "hash")]


# -- personal parts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "seq"), ATTACKED)
@pytest.mark.parametrize("column", [2, 3, 4])
def test_an_edited_part_is_named(n, seq, column):
    log = Log(n)
    log.edit_part(seq, column, "ab" * 32)
    assert check(log, head=log.head)[1] == [Finding(seq, Kind.COMMIT, verifier.COMMIT, {"part": 0})]


@pytest.mark.parametrize(
    "forge", [str.upper, lambda salt: salt[:2] + " " + salt[2:], lambda salt: salt[:-2], lambda _salt: None]
)
def test_a_salt_is_exact_to_the_letter(forge):
    log = Log(9)
    log.edit_part(5, 3, forge(log.parts[4][3]))
    assert named(check(log)[1]) == [(5, "commit")]


@pytest.mark.parametrize("column", [2, 3, 4])
def test_salts_or_bodies_exchanged_between_entries_are_named(column):
    log = Log(9)
    one, two = log.parts[1][column], log.parts[2][column]
    log.edit_part(2, column, two)
    log.edit_part(3, column, one)
    assert named(check(log)[1]) == [(2, "commit"), (3, "commit")]


@pytest.mark.parametrize(("n", "seq"), ATTACKED)
def test_a_deleted_part_is_named(n, seq):
    log = Log(n)
    log.parts = [row for row in log.parts if row[:2] != (seq, 0)]
    missing = Finding(seq, Kind.MISSING, verifier.MISSING, {"part": 0, "subject": f"user:{seq}"})
    assert check(log, head=log.head)[1] == [missing]


def test_a_part_put_in_the_place_of_a_deleted_one_is_named():
    log = Log(9)
    log.parts = [row for row in log.parts if row[:2] != (5, 0)]
    log.edit_part(5, 1, 0, part=1)
    assert sorted(named(check(log)[1])) == [(5, "commit"), (5, "part-missing")]


def test_a_part_that_was_numbered_anew_or_doubled_is_named():
    log = Log(9)
    log.edit_part(5, 1, 2, part=1)
    assert named(check(log)[1]) == [(5, "part-extra"), (5, "part-missing")]
    log = Log(9)
    log.parts.insert(1, log.parts[0])
    assert named(check(log)[1]) == [(1, "part-extra")]


def test_parts_that_no_entry_commits_to_are_named():
    log = Log(9)
    log.parts += [(1, 1, "a", "b", "c"), (7, 0, "a", "b", "c"), (0, 0, "a", "b", "c")]
    log.parts.sort()
    assert named(check(log)[1]) == [(0, "part-extra"), (1, "part-extra"), (7, "part-extra")]
    log.parts += [(10, 0, "a", "b", "c"), (12, 0, "a", "b", "c")]
    assert check(log)[1][3:] == [Finding(10, Kind.EXTRA, verifier.ORPHANS, {"count": 2})]


def test_parts_left_over_by_a_gap_are_not_named_again():
    log = Log(9)
    del log.entries[2:5]
    assert named(check(log)[1]) == [(3, "gap")]


ERASED = {"action": fmt.ERASURE_ACTION, "target": "user:3", "outcome": "ok", "body": "{}"}


@pytest.mark.parametrize(
    ("erasure", "gone"),
    [
        (ERASED, ["user:3"]),
        (ERASED | {"body": '{"subjects":["user:4","user:second"]}'}, ["user:3", "user:4", "user:second"]),
        (ERASED | {"target": "user:9", "body": '{"subjects":["user:second"]}'}, ["user:second"]),
    ],
)
def test_a_lawful_erasure_leaves_the_log_true(erasure, gone):
    log = Log(30, {28: erasure})
    root, count = check(log)[0].root, len(log.parts)
    # what was written about them after the erasure is still there
    log.parts = [row for row in log.parts if row[2] not in gone or row[0] > 28]
    done, findings = check(log, head=log.head)
    assert findings == []
    assert (done.redacted, done.root) == (count - len(log.parts), root)
    assert done.redacted > 0


NO_ERASURE = [{"outcome": "denied"}, {"outcome": "failed"}, {"action": "privacy.export"}, {"target": "user:4"}]


@pytest.mark.parametrize(("at", "erasure"), [(28, ERASED | other) for other in NO_ERASURE] + [(2, ERASED), (3, ERASED)])
def test_what_is_no_later_erasure_excuses_nothing(at, erasure):
    log = Log(30, {at: erasure})
    log.parts = [row for row in log.parts if row[0] != 3]
    assert named(check(log, head=log.head)[1]) == [(3, "part-missing")]


def test_an_erasure_that_was_forged_into_the_log_excuses_nothing():
    log = Log(30)
    log.edit(28, 5, fmt.ERASURE_ACTION)
    log.edit(28, 6, "user:3")
    log.drop_parts("user:3")
    assert named(check(log, head=log.head)[1]) == [(28, "hash"), (3, "part-missing")]


def test_an_erasure_whose_own_part_was_erased_later_still_counts():
    first = ERASED | {"target": "user:9", "body": '{"subjects":["user:3"]}'}
    log = Log(30, {26: first, 29: ERASED | {"target": "user:9"}})
    log.parts = [row for row in log.parts if row[0] not in (3, 26)]
    done, findings = check(log, head=log.head)
    assert (findings, done.redacted) == ([], 2)


def test_the_parts_of_others_in_an_entry_are_checked_after_an_erasure():
    log = Log(30, {28: ERASED | {"target": "user:5"}})
    log.drop_parts("user:5")
    assert check(log)[1] == []
    log.edit_part(5, 4, "{}", part=1)
    assert check(log)[1] == [Finding(5, Kind.COMMIT, verifier.COMMIT, {"part": 1})]


# -- anything ----------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_any_character_is_found_and_named(data):
    log = Log(20, {13: ERASED})
    log.drop_parts("user:3")
    rows, first = (log.entries, 1) if data.draw(st.booleans()) else (log.parts, 2)
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(first, len(rows[place]) - 1))
    before = rows[place][column]
    cut = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(cut, len(before)))
    after = before[:cut] + data.draw(st.text(max_size=3)) + before[end:]
    head = log.head
    rows[place] = (*rows[place][:column], after, *rows[place][column + 1 :])
    found = named(check(log, head=head)[1])
    kind = "hash" if rows is log.entries else "commit"
    expected = [(rows[place][0], kind)] if after != before else []
    # an erasure that was altered no longer excuses the part that it erased
    assert [one for one in found if one != (3, "part-missing")] == expected


def test_reading_goes_on_block_by_block(monkeypatch):
    monkeypatch.setattr(verifier, "_BLOCK", 4)
    log = Log(50)
    log.edit(8, 8, "x")
    log.edit(9, 10, "0" * 64)
    log.edit(40, 10, "0" * 64)
    done, findings = check(log, head=log.head, marks=[3, 4, 8, 40, 41])
    assert named(findings) == [(8, "hash"), (9, "hash"), (40, "hash")]
    assert sorted(done.marks) == [3, 4, 8, 40, 41]


def test_details_are_sentences_and_safe_to_print():
    log = Log(9)
    log.edit(5, 8, '{"parts":["user:\\u001b[2J"]}')
    log.rechain()
    log.parts = [row for row in log.parts if row[:2] != (5, 0)]
    (found,) = check(log)[1]
    assert found.detail == "its personal part 0 about user:\\u{1b}[2J is missing, and no later erasure names it"
