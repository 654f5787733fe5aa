"""Folding: what `recorded` leaves out of an entry is what `Fold` puts back, for any declaration and any history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel import registry
from usermgmt.kernel.audit.fold import Fold, Row, Rules, rules
from usermgmt.kernel.registry import Audited

THING = Audited(
    kind="thing",
    personal=frozenset({"name", "name_norm", "note"}),
    masks={},
    follows={
        "made": "@created",
        "changed": "@changed",
        "status_at": "@field:status",
        "name_norm": "name",
        "skeleton": "name_norm",
    },
    rows="",
    names="",
)
RULES = Rules(THING)
FREE = ("name", "status", "tags", "count")
VALUES = {
    "name": st.sampled_from(["a", "B", None]),
    "status": st.sampled_from(["x", "y"]),
    "tags": st.sampled_from([[], ["t"], ["t", "u"]]),
    "count": st.sampled_from([0, 1, None]),
}
# what follows mostly does, and sometimes stands on its own
ODD = {name: st.sampled_from([..., ..., "odd", None]) for name in THING.follows}


def settled(before, given_, odd, at):
    """The row that a service would write: fields as given, the rest following, unless it was set on its own."""
    after = {**before, **given_}
    touched = {name for name in given_ if after.get(name) != before.get(name)}
    for name, lead in THING.follows.items():
        fires = {
            "made": not before,
            "changed": True,
            "status_at": "status" in touched,
            "name_norm": "name" in touched,
            "skeleton": "name" in touched,
        }[name]
        if fires:
            after[name] = at if lead.startswith("@") else after.get(lead)
        if odd[name] is not ...:
            after[name] = odd[name]
    return after


def full(state):
    return {name: value for name, value in state.items() if value or value == 0}


histories = st.lists(st.tuples(st.fixed_dictionaries(VALUES), st.fixed_dictionaries(ODD)), min_size=1, max_size=6)


@given(histories)
def test_entries_folded_give_the_row(history):
    before, fold = {}, Fold(RULES)
    for number, (given_, odd) in enumerate(history, 1):
        at = f"t{number}"
        after = settled(before, given_, odd, at)
        made = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
        if set(made) <= {"changed"}:
            # a service leaves no entry where nothing but the time would change
            continue
        fold.apply(number, at, "owner", RULES.recorded(made, before, after, at))
        assert fold.fields == full(after)
        before = after


def test_what_follows_is_left_out_and_what_does_not_stands_there():
    after = {"name": "B", "name_norm": "b", "skeleton": "b", "made": "t1", "changed": "t1"}
    made = {name: [None, value] for name, value in after.items()}
    assert RULES.recorded(made, {}, after, "t1") == {"name": [None, "B"], "name_norm": [None, "b"]}
    renamed = {**after, "name": "b", "changed": "t2"}
    # the new name has the same normal form as the old one, so following gives it
    assert RULES.recorded({"name": ["B", "b"]}, after, renamed, "t2") == {"name": ["B", "b"]}
    back = {**renamed, "name": "B", "changed": "t3"}
    # unchanged, and yet stated: following would give "B"
    assert RULES.recorded({"name": ["b", "B"]}, renamed, back, "t3") == {"name": ["b", "B"], "name_norm": ["b", "b"]}


def test_a_follower_that_changes_on_its_own_is_recorded():
    before = {"name": "B", "name_norm": "b", "changed": "t1"}
    after = {**before, "name_norm": "β", "changed": "t2"}
    assert RULES.recorded({"name_norm": ["b", "β"]}, before, after, "t2") == {"name_norm": ["b", "β"]}


def test_the_store_s_own_numbers_are_not_recorded():
    made = {"id": [None, 7], "version": [None, 1], "status": [None, "x"]}
    after = {"status": "x", "status_at": "t1", "made": "t1", "changed": "t1", "id": 7, "version": 1}
    assert RULES.recorded(made, {}, after, "t1") == {"status": [None, "x"]}


def fold_of(*entries):
    fold = Fold(RULES)
    for seq, (changes, erased) in enumerate(entries, 1):
        fold.apply(seq, f"t{seq}", "owner", changes, erased=erased)
    return fold


def row(version, **fields):
    return Row("thing:1", version, "a", "id:1", fields, {})


def test_a_removal_folds_to_nothing_and_a_new_beginning_counts_anew():
    made = {"name": [None, "a"], "status": [None, "x"]}
    gone = {name: [pair[1], None] for name, pair in made.items()}
    followers = {name: ["v", None] for name in THING.follows}
    fold = fold_of((made, False), (gone | followers, False))
    assert (fold.fields, fold.version) == ({}, 0)
    fold.apply(3, "t3", "owner", made)
    assert (fold.fields["made"], fold.version) == ("t3", 1)


def test_entries_without_changes_count_for_nothing():
    fold = fold_of(({"status": [None, "x"]}, False), ({}, False))
    assert (fold.version, fold.fields["changed"]) == (1, "t1")


def test_an_erased_part_leaves_personal_fields_unknown_until_they_are_set_again():
    fold = fold_of(({"status": [None, "x"]}, True))
    known = {"status": "x", "status_at": "t1", "made": "t1", "changed": "t1"}
    assert fold.differing(row(1, **known, name="anything", name_norm="any", skeleton="thing")) == []
    assert fold.differing(row(1, **known | {"status": "y"}, name="anything")) == ["status"]
    fold.apply(2, "t2", "owner", {"name": ["?", "b"]})
    known |= {"changed": "t2"}
    assert fold.differing(row(2, **known, name="b", name_norm="b", skeleton="b")) == []
    assert fold.differing(row(2, **known, name="c", name_norm="b", skeleton="b")) == ["name"]
    assert fold.differing(row(2, **known | {"note:1": "x"}, name="b", name_norm="b", skeleton="b")) == []


def test_an_entry_whose_whole_content_was_erased_leaves_the_version_unknown():
    fold = fold_of(({"status": [None, "x"]}, False), ({}, True))
    assert fold.version is None
    assert fold.differing(row(9, status="x", status_at="t1", made="t1", changed="t9")) == []


@pytest.mark.parametrize("kind", [row.kind for one in registry.declarations() for row in one.audited])
def test_every_declaration_of_the_program_can_be_folded(kind):
    made = rules(kind)
    names = {one.name for one in made.followers}
    assert all(one.base == "" or one.base in names or one.trigger == one.base for one in made.followers)
    # a base that itself follows comes first, since its value is taken
    seen = set()
    for one in made.followers:
        assert one.base not in names or one.base in seen
        seen.add(one.name)
