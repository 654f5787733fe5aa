"""The index by which parts of Chinese and other names are found: pairs of neighbouring characters, and who has them.

A part of two characters, which most Chinese words are, is below what a trigram index finds, and reading a million users
takes seconds. So each pair of which at least one character is not ASCII stands in ``user_bigram``; parts without such
a pair are looked for in every user. The index follows from the users alone, and is made again by ``rebuild``.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from itertools import chain, pairwise, starmap
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import sqlalchemy as sa

from usermgmt.domains.user.models import UserBigram
from usermgmt.domains.user.state import attribute, user
from usermgmt.kernel import bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

bigram = UserBigram.__table__  # type: ignore[attr-defined]

NAMES = ("display_name", "full_name", "occupation")
"""Columns that are kept as written, and compared without regard to the case of ASCII."""
IDENTIFIERS = ("username_norm", "email_norm")
COLUMNS = (*NAMES, *IDENTIFIERS)
"""All columns of a user in which a search looks for such parts."""
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
_USERS = 2000
_MOST = 4
"""Pairs that are looked up for one part: each makes the rest fewer, and reading rows costs more than the fifth does."""


def as_name(text: str) -> str:
    """Return ``text`` as names are compared: SQL's lower() folds ASCII on both engines, and other scripts on one."""
    return text.translate(_SMALL)


def as_username(text: str) -> str:
    """Return ``text`` in the form in which usernames are unique (identifiers.py)."""
    return normalize("NFKC", text).lower()


def as_email(text: str) -> str:
    """Return ``text`` in the form in which mail addresses are unique (identifiers.py)."""
    return normalize("NFC", normalize("NFD", text).casefold())


@lru_cache(maxsize=1 << 16)
def pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbours in ``text`` that are not both ASCII."""
    if text.isascii():
        return frozenset()
    return frozenset(one for one in map("".join, pairwise(text)) if not one.isascii())


def of_user(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the pairs that a user is found by: those of names, identifiers and attributes."""
    names = chain((state[name] for name in NAMES if state.get(name)), (state.get("attributes") or {}).values())
    forms = chain(map(as_name, names), (state[name] for name in IDENTIFIERS if state.get(name)))
    return frozenset(chain.from_iterable(map(pairs, forms)))


def holding(part: str) -> Any:
    """Return the condition that a user may hold ``part``, in whichever form; None where only reading them can tell."""
    forms = {form(part) for form in (as_name, as_username, as_email)}
    wanted = [sorted(pairs(form))[:_MOST] for form in sorted(forms)]
    return sa.or_(*map(_having, wanted)) if all(wanted) else None


def _having(wanted: Sequence[str]) -> Any:
    """Return the condition that a user has all of the pairs ``wanted``."""
    return sa.and_(*(user.c.id.in_(sa.select(bigram.c.user_id).where(bigram.c.bigram == one)) for one in wanted))


# -- keeping it ----------------------------------------------------------------------------------------------------


def insert(
    db: Connection, ids: Sequence[int], columns: Mapping[str, Sequence[Any]], attributes: Iterable[Any] = ()
) -> None:
    """Write the pairs of new users, who are given as columns of their table and with their attributes, or None."""
    found: dict[int, set[str]] = {}
    for user_id, given in zip(ids, attributes, strict=False):
        if given and (wanted := of_user({"attributes": given})):
            found[user_id] = set(wanted)
    for name in COLUMNS:
        column = columns.get(name, ())
        if "".join(filter(None, column)).isascii():
            continue
        small = name in NAMES
        for user_id, text in zip(ids, column, strict=True):
            if text and not text.isascii():
                found.setdefault(user_id, set()).update(pairs(as_name(text) if small else text))
    # in the order of the index: each of its pages is looked for once
    rows = sorted((one, user_id) for user_id, of_one in found.items() for one in of_one)
    bulk.insert_rows(db, bigram, ("bigram", "user_id"), rows)


def change(db: Connection, user_id: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Make the pairs of one user those of ``after``; an empty mapping is a user who is not there."""
    old, new = of_user(before), of_user(after)
    if gone := old - new:
        db.execute(sa.delete(bigram).where(bigram.c.user_id == user_id, bulk.among(db, bigram.c.bigram, gone)))
    bulk.insert_rows(db, bigram, ("bigram", "user_id"), [(one, user_id) for one in sorted(new - old)])


def rebuild(db: Connection) -> None:
    """Make the whole index again."""
    db.execute(sa.delete(bigram))
    for ids, columns, attributes in _users(db):
        insert(db, ids, columns, attributes)


def holds(db: Connection) -> bool:
    """Tell whether the index is what follows from the users; reads both."""
    wanted = chain.from_iterable(starmap(_pairs_of, _users(db)))
    there = db.execute(sa.select(bigram.c.user_id, bigram.c.bigram).execution_options(yield_per=_USERS))
    return _fingerprint(wanted) == _fingerprint((row[0], row[1]) for row in there)


_Columns = dict[str, list[Any]]


def _users(db: Connection) -> Iterator[tuple[list[int], _Columns, list[dict[str, str]]]]:
    """Yield the users, some at a time: their ids, what they are found by, and their attributes."""
    last = 0
    while True:
        query = sa.select(user.c.id, *(user.c[name] for name in COLUMNS)).where(user.c.id > last)
        rows = db.execute(query.order_by(user.c.id).limit(_USERS)).all()
        if not rows:
            return
        ids, *columns = (list(column) for column in zip(*rows, strict=True))
        given: dict[int, dict[str, str]] = {user_id: {} for user_id in ids}
        for row in db.execute(sa.select(attribute).where(attribute.c.user_id.between(ids[0], ids[-1]))):
            given[row.user_id][row.name] = row.value
        yield ids, dict(zip(COLUMNS, columns, strict=True)), list(given.values())
        last = ids[-1]


def _pairs_of(ids: list[int], columns: _Columns, attributes: list[dict[str, str]]) -> Iterator[tuple[int, str]]:
    for user_id, given, *texts in zip(ids, attributes, *columns.values(), strict=True):
        for one in of_user({**dict(zip(columns, texts, strict=True)), "attributes": given}):
            yield user_id, one


def _fingerprint(rows: Iterable[tuple[int, str]]) -> tuple[int, int]:
    """Return the number of rows and a sum over them, which are the same in whatever order they come."""
    count = total = 0
    for user_id, one in rows:
        count += 1
        total += int.from_bytes(blake2b(f"{user_id}:{one}".encode(), digest_size=16).digest())
    return count, total
