"""Rules of users that hold for every input: edits of lists, windows and their causes, ages, names one slip away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from usermgmt.domains.user import standing
from usermgmt.domains.user.fields import InvalidField
from usermgmt.domains.user.lookup import _slips
from usermgmt.domains.user.requests import Lists
from usermgmt.domains.user.types import Status
from usermgmt.kernel.clock import to_text

EMPTY = {"tags": [], "external_ids": {}, "addresses": [], "attributes": {}}

# -- lists -------------------------------------------------------------------------------------------------------------

TAGS = st.lists(st.sampled_from(["a", "b", "c", "张", "A", "x y"]), max_size=5)
PHONES = st.sampled_from(["phone:13800138000", "phone:+86 138 0013 8001", "phone:+8613800138002"])
ADDRESSES = st.lists(st.one_of(PHONES, st.sampled_from(["email:a@x.com", "email: B@X.com "])), max_size=4)
NORMAL = {
    "phone:13800138000": "phone:+8613800138000",
    "phone:+86 138 0013 8001": "phone:+8613800138001",
    "email: B@X.com ": "email:B@x.com",
}


def edited(before, replaced, added, removed):
    return ((set(before) if replaced is None else set(replaced)) | set(added)) - set(removed)


@given(before=TAGS, replaced=st.none() | TAGS, added=TAGS, removed=TAGS)
def test_tags_are_replaced_then_added_then_taken_away(before, replaced, added, removed):
    edits = Lists(set_tags=replaced, add_tags=added, remove_tags=removed)
    once = edits.apply({**EMPTY, "tags": sorted(set(before))}, "CN", {})
    assert once["tags"] == sorted(edited(before, replaced, added, removed))
    assert edits.apply(once, "CN", {}) == once
    assert (once["external_ids"], once["addresses"]) == ({}, [])


@given(before=ADDRESSES, replaced=st.none() | ADDRESSES, added=ADDRESSES, removed=ADDRESSES)
def test_addresses_are_edited_in_their_normal_form(before, replaced, added, removed):
    def normal(items):
        return None if items is None else [NORMAL.get(item, item) for item in items]

    edits = Lists(set_addresses=replaced, add_addresses=added, remove_addresses=removed)
    once = edits.apply({**EMPTY, "addresses": sorted(set(normal(before)))}, "CN", {})
    assert once["addresses"] == sorted(edited(*map(normal, (before, replaced, added, removed))))
    assert edits.apply(once, "CN", {}) == once


IDS = st.dictionaries(st.sampled_from(["ldap", "hr", "ad"]), st.sampled_from(["1", "2", "a/b"]), max_size=3)


def items(ids):
    return [f"{system.upper()}/{value}" for system, value in ids.items()]


@given(
    before=IDS, replaced=st.none() | IDS, added=IDS, removed=IDS, systems=st.sets(st.sampled_from(["ldap", "hr", "ad"]))
)
def test_a_user_has_one_id_per_system(before, replaced, added, removed, systems):
    edits = Lists(
        set_external_ids=None if replaced is None else items(replaced),
        add_external_ids=items(added),
        remove_external_ids=[*items(removed), *systems],
    )
    once = edits.apply({**EMPTY, "external_ids": before}, None, {})
    expected = {**(before if replaced is None else replaced), **added}
    kept = {s: v for s, v in expected.items() if removed.get(s) != v and s not in systems}
    assert once["external_ids"] == kept
    assert edits.apply(once, None, {})["external_ids"] == kept


@given(st.lists(st.tuples(st.sampled_from(["ldap", "LDAP "]), st.sampled_from(["1", "2"])), min_size=1, max_size=3))
def test_two_ids_in_one_system_are_refused_and_the_same_twice_is_not(given_ids):
    edits = Lists(add_external_ids=[f"{system}/{value}" for system, value in given_ids])
    values = {value for _system, value in given_ids}
    if len(values) == 1:
        assert edits.apply(EMPTY, None, {})["external_ids"] == {"ldap": values.pop()}
    else:
        with pytest.raises(InvalidField):
            edits.apply(EMPTY, None, {})


@pytest.mark.parametrize("name", ["tags", "external_ids", "addresses"])
@given(tags=TAGS, ids=IDS, addresses=ADDRESSES)
def test_an_empty_text_empties_and_none_leaves_alone(name, tags, ids, addresses):
    before = {
        "tags": sorted(set(tags)),
        "external_ids": ids,
        "addresses": sorted({NORMAL.get(item, item) for item in addresses}),
        "attributes": {"left": "alone"},
    }
    assert Lists().apply(before, "CN", {}) == before
    after = Lists(**{f"set_{name}": [""]}).apply(before, "CN", {})
    assert after == {**before, name: EMPTY[name]}


# -- windows -----------------------------------------------------------------------------------------------------------

MOMENTS = st.integers(0, 6).map(lambda hours: to_text(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)))


@given(start=st.none() | MOMENTS, end=st.none() | MOMENTS, now=MOMENTS, status=st.sampled_from(list(Status)))
def test_an_account_counts_from_its_start_until_just_before_its_end(start, end, now, status):
    assume(start is None or end is None or start < end)
    row = {"status": status.value, "valid_from": start, "valid_until": end}
    found = standing.cause(row, now)
    inside = (start is None or start <= now) and (end is None or now < end)
    assert (found is None) == (status == Status.ACTIVE and inside)
    if found is not None:
        assert found in standing.CAUSES
        assert found == (
            status.value if status != Status.ACTIVE else "not-yet-valid" if now < (start or "") else "expired"
        )


# -- age ---------------------------------------------------------------------------------------------------------------


def birthdays(born, today):
    """Count them one by one: of one born on 29 February, on 1 March in common years."""
    count = 0
    for year in range(born.year + 1, today.year + 1):
        try:
            day = born.replace(year=year)
        except ValueError:
            day = date(year, 3, 1)
        count += day <= today
    return count


@given(st.dates(date(1900, 1, 1), date(2030, 1, 1)), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
@example(date(2000, 2, 29), date(2001, 2, 28))
@example(date(2000, 2, 29), date(2001, 3, 1))
@example(date(2000, 2, 29), date(2004, 2, 29))
def test_an_age_is_the_number_of_birthdays(born, today):
    assume(born <= today)
    assert standing.age(born.isoformat(), today.isoformat()) == birthdays(born, today)


@given(st.none() | st.text())
def test_no_age_breaks_on_any_text(text):
    found = standing.age(text, "2026-05-17")
    assert found is None or isinstance(found, int)


# -- slips -------------------------------------------------------------------------------------------------------------

WORDS = st.text(st.sampled_from("abz019._-"), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_every_slip_of_the_keyboard_is_among_those_looked_up(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abz019._-"))
    slipped = data.draw(
        st.sampled_from(
            [
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at:],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            ]
        )
    )
    assert word in _slips(slipped) or slipped == word


def test_slips_are_few_enough_to_be_looked_up_at_once():
    assert len(_slips("x" * 32)) < 3000
