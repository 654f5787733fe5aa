"""Units as users refer to them: names and paths read, units found, and the chain of heads above a user.

The table stands with the users', who belong to units; what changes a unit is in the domain ``org``.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.user import standing
from usermgmt.domains.user.errors import UnitNotFound
from usermgmt.domains.user.models import OrgUnit, User, UserOrg
from usermgmt.domains.user.types import UNIT_DEPTH_MAX, UNIT_NAME_MAX, UNIT_PATH_MAX
from usermgmt.kernel.bulk import among, insert_rows
from usermgmt.kernel.errors import Invalid, UsageProblem
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings_values import cut
from usermgmt.kernel.text import neutral, unstorable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context

user = User.__table__  # type: ignore[attr-defined]
unit = OrgUnit.__table__  # type: ignore[attr-defined]
member = UserOrg.__table__  # type: ignore[attr-defined]

SEPARATOR = "/"
_AFTER_SEPARATOR = chr(ord(SEPARATOR) + 1)
_PREFIXES = ("id:", "uid:")
# joiners, without which names in Persian and in scripts of India cannot be written; two names may not differ by them
_JOINERS = "\u200c\u200d"
_NEIGHBOURS = 25
_NAMESAKES = 50


class InvalidUnit(Invalid):
    """{field}: {problem}"""

    code = "org.invalid"


class Path(NamedTuple):
    """The way to a unit from the top: as it is shown, and the form in which it is unique."""

    shown: str
    norm: str

    def below(self, name: Path) -> Path:
        """Return the path of ``name``, which is one step, below this one."""
        return Path(f"{self.shown}{SEPARATOR}{name.shown}", f"{self.norm}{SEPARATOR}{name.norm}")


# -- names and paths -----------------------------------------------------------------------------------------------


def read_name(text: str) -> Path:
    """Return the name of a unit, in any script, as a path of one step; raises ``InvalidUnit``.

    Blanks around it go, and those inside count as one; widths and case do not count.
    """
    if bad := unstorable(text) or next((_named(char) for char in text if _is_hidden(char)), ""):
        raise _invalid(_("{char} cannot be stored").format(char=bad))
    if len(text) > 4 * UNIT_NAME_MAX:
        raise _too_long()
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    norm = _normal(shown)
    if not norm:
        raise _invalid(_("it is empty"))
    if max(len(shown), len(norm)) > UNIT_NAME_MAX:
        raise _too_long()
    if norm in (".", "..") or norm.startswith(("-", *_PREFIXES)):
        raise _invalid(_("{name} cannot be the name of a unit").format(name=neutral(shown)))
    if SEPARATOR in norm:
        raise _invalid(_("it holds {char}, which stands between the names of a path").format(char=SEPARATOR))
    return Path(shown, norm)


def _normal(shown: str) -> str:
    small = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
    return " ".join(small.translate(dict.fromkeys(map(ord, _JOINERS))).split())


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Zl", "Zp") and char not in _JOINERS


def _named(char: str) -> str:
    return f"U+{ord(char):04X}"


def _invalid(problem: str) -> InvalidUnit:
    return InvalidUnit(field="org", problem=problem)


def _too_long() -> InvalidUnit:
    return _invalid(_("it is longer than {n} characters").format(n=UNIT_NAME_MAX))


def read_path(text: str) -> Path:
    """Return a path such as ``华东/销售``; a separator in front or behind does not count. Raises ``InvalidUnit``."""
    if len(text) > 4 * UNIT_PATH_MAX:
        raise _invalid(_("the path is longer than {n} characters").format(n=UNIT_PATH_MAX))
    first, *rest = map(read_name, text.strip().removeprefix(SEPARATOR).removesuffix(SEPARATOR).split(SEPARATOR))
    path = first
    for name in rest:
        path = path.below(name)
    check_path(path)
    return path


def check_path(path: Path) -> None:
    """Refuse a path that is too long or too deep; raises ``InvalidUnit``."""
    check_extent(max(map(len, path)), path.norm.count(SEPARATOR))


def check_extent(length: int, steps: int) -> None:
    """Refuse a path of so many characters and separators; raises ``InvalidUnit``."""
    if length > UNIT_PATH_MAX:
        raise _invalid(_("the path is longer than {n} characters").format(n=UNIT_PATH_MAX))
    if steps >= UNIT_DEPTH_MAX:
        raise _invalid(_("there would be more than {n} units one below the other").format(n=UNIT_DEPTH_MAX))


# -- finding -------------------------------------------------------------------------------------------------------


def find(ctx: Context, word: str) -> Any:
    """Return the row of the unit that ``word`` means: a path, ``id:3`` or ``uid:...``; raises ``UnitNotFound``."""
    kind, colon, rest = word.strip().partition(":")
    if colon and kind == "id":
        digits = rest.isascii() and rest.isdecimal() and len(rest) <= 18
        row = _one(ctx, unit.c.id == int(rest)) if digits else None
    elif colon and kind == "uid":
        row = None if unstorable(rest) else _one(ctx, unit.c.uid == rest.strip().lower())
    else:
        return _by_path(ctx, word)
    if row is None:
        raise UnitNotFound(name=cut(word))
    return row


def _one(ctx: Context, condition: Any) -> Any:
    return ctx.db.execute(sa.select(unit).where(condition)).one_or_none()


def _by_path(ctx: Context, word: str) -> Any:
    try:
        norm = read_path(word).norm
    except InvalidUnit:
        raise UnitNotFound(name=cut(word) or '""') from None
    row = _one(ctx, unit.c.path_norm == norm)
    if row is None:
        raise missing(ctx.db, word, norm)
    return row


def missing(db: Connection, word: str, norm: str) -> UnitNotFound:
    """Return the error for ``word``, the path of no unit, with the one that may have been meant."""
    from difflib import get_close_matches

    columns, path = sa.select(unit.c.path_norm, unit.c.path), unit.c.path_norm
    last = norm.rpartition(SEPARATOR)[2]
    queries = (
        columns.where(path > norm).order_by(path).limit(_NEIGHBOURS),
        columns.where(path < norm).order_by(path.desc()).limit(_NEIGHBOURS),
        columns.where(sa.func.lower(unit.c.name) == last).order_by(path).limit(_NAMESAKES),
    )
    shown = {row.path_norm: row.path for query in queries for row in db.execute(query)}
    namesakes = [one for one in shown if one.rpartition(SEPARATOR)[2] == last]
    # of two characters one may be wrong
    close = get_close_matches(norm, namesakes or shown, 1, cutoff=0.0 if len(namesakes) == 1 else 0.5)
    if not close:
        return UnitNotFound(name=cut(word))
    return UnitNotFound(N_("did you mean {near}?"), name=cut(word), near=shown[close[0]])


def paths(db: Connection, uids: Iterable[str]) -> dict[str, str]:
    """Return the paths of the units with these uids."""
    query = sa.select(unit.c.uid, unit.c.path).where(among(db, unit.c.uid, uids))
    return {row.uid: row.path for row in db.execute(query)}


def path(db: Connection, uid: str | None) -> str | None:
    """Return the path of the unit ``uid``; None where there is none."""
    return paths(db, [uid]).get(uid) if uid else None


def path_of(user_id: Any) -> Any:
    """Return the subquery that gives the path of the unit to which the user of a row belongs."""
    query = sa.select(unit.c.path).join(member, member.c.org_id == unit.c.id).where(member.c.user_id == user_id)
    return query.correlate(user_id.table).scalar_subquery()


def by_path(db: Connection, norms: Iterable[str]) -> dict[str, str]:
    """Return the uids of the units at these paths, which are in normal form."""
    query = sa.select(unit.c.path_norm, unit.c.uid).where(among(db, unit.c.path_norm, norms))
    return {row.path_norm: row.uid for row in db.execute(query)}


def assign(db: Connection, ids: Sequence[int], uids: Sequence[str | None]) -> None:
    """Put users who are in no unit into those with these uids, which are there; None leaves one out."""
    query = sa.select(unit.c.uid, unit.c.id).where(among(db, unit.c.uid, {uid for uid in uids if uid}))
    known = {row.uid: row.id for row in db.execute(query)}
    rows = [(user_id, known[uid]) for user_id, uid in zip(ids, uids, strict=True) if uid]
    insert_rows(db, member, ("user_id", "org_id"), rows)


# -- a unit and those below it -------------------------------------------------------------------------------------


def within(norm: str) -> Any:
    """Return the condition that a unit is the one at the path ``norm`` or below it: two ranges of one index.

    What merely begins with the same characters (``华东2`` for ``华东``) is beside it.
    """
    first, end = norm + SEPARATOR, norm + _AFTER_SEPARATOR
    return sa.or_(unit.c.path_norm == norm, sa.and_(unit.c.path_norm >= first, unit.c.path_norm < end))


def members(norm: str, *, below: bool = True) -> Any:
    """Return the query of the ids of those who belong to the unit at ``norm``, or to one ``below`` it."""
    condition = within(norm) if below else unit.c.path_norm == norm
    return sa.select(member.c.user_id).join(unit, unit.c.id == member.c.org_id).where(condition)


def scope(ctx: Context, text: str) -> str:
    """Return the path, in normal form, that the resource scope ``org:PATH`` reaches: for ``within``.

    Raises ``UsageProblem`` where it is no such scope, ``UnitNotFound``.
    """
    kind, colon, path = text.partition(":")
    if kind != "org" or not colon:
        raise UsageProblem(problem=_("{text} is no scope of the organisation").format(text=neutral(cut(text))))
    norm: str = find(ctx, path).path_norm
    return norm


# -- superiors -----------------------------------------------------------------------------------------------------


def upwards(norm: str) -> list[str]:
    """Return the paths of a unit and of those above it, nearest first."""
    names = norm.split(SEPARATOR)
    return [SEPARATOR.join(names[:count]) for count in range(len(names), 0, -1)]


def heads(db: Connection, norm: str) -> list[Any]:
    """Return the rows of those who head the unit at ``norm`` and the ones above it, nearest first, each once."""
    query = (
        sa.select(user.c.id, user.c.username, user.c.status, user.c.valid_from, user.c.valid_until)
        .join(unit, unit.c.head_user_id == user.c.id)
        .where(among(db, unit.c.path_norm, upwards(norm)))
        .order_by(sa.func.length(unit.c.path_norm).desc())
    )
    nearest: dict[int, Any] = {}
    for row in db.execute(query):
        nearest.setdefault(row.id, row)
    return list(nearest.values())


def headed_by(db: Connection, user_id: int) -> str | None:
    """Return the path of a unit that the user heads, or None."""
    query = sa.select(unit.c.path).where(unit.c.head_user_id == user_id).order_by(unit.c.path_norm).limit(1)
    found: str | None = db.execute(query).scalar()
    return found


def superior(ctx: Context, user_id: int) -> Any:
    """Return the row (``id``, ``username``) of the user's superior, or None where there is none.

    That is the head of the user's unit, else of the nearest one above: whoever's account counts, and never the user.
    """
    query = sa.select(unit.c.path_norm).join(member, member.c.org_id == unit.c.id).where(member.c.user_id == user_id)
    norm = ctx.db.execute(query).scalar()
    found = heads(ctx.db, norm) if norm is not None else []
    return next((row for row in found if row.id != user_id and _counts(ctx, row)), None)


def _counts(ctx: Context, row: Any) -> bool:
    return standing.cause(row._mapping, ctx.now) is None  # noqa: SLF001 - SQLAlchemy's public name
