"""Users from files: records are matched, judged by the rules of users, and written; by the batch where all is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from usermgmt.domains.user import attributes, batches, fields, lookup, rules, state, units, writing
from usermgmt.domains.user.errors import DifferingUser, FixedUid, OwnAccount, SeveralUsers
from usermgmt.domains.user.headers import GUESSES, PASSIVE
from usermgmt.domains.user.reading import FIELDS, WORDS, Checked, ColumnReader
from usermgmt.domains.user.taken import Taken, Wanted
from usermgmt.domains.user.types import IfExists, Status
from usermgmt.kernel import bulk
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import _
from usermgmt.kernel.permissions import P
from usermgmt.kernel.transfer import (
    CREATED,
    REJECTED,
    REPORTED,
    SKIPPED,
    UNCHANGED,
    UPDATED,
    Chunk,
    Finding,
    Handling,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from usermgmt.domains.user.state import State
    from usermgmt.kernel.context import Context


class UserImporter:
    """What ``import users`` knows of users."""

    fields: Sequence[str] = FIELDS
    keyed = frozenset({"external_ids", "attribute"})
    lists = frozenset({"tags", "external_ids", "addresses", "former_names"})
    words = WORDS
    passive = PASSIVE
    guesses = GUESSES

    def begin(self, ctx: Context, handling: Handling) -> UserSession:
        """Begin a run; raises ``Denied``, and ``Invalid`` for an override without a reason."""
        ctx.require(P.USER_CREATE)
        if handling.if_exists == IfExists.UPDATE:
            ctx.require(P.USER_UPDATE)
            ctx.require(P.USER_RENAME)
        rules.check_override(ctx, handling.allow_confusable)
        return UserSession(ctx, handling)


IMPORTER = UserImporter()


class UserSession:
    """One run: remembers whether users were new so far, since what is new can be written by the batch."""

    def __init__(self, ctx: Context, handling: Handling) -> None:
        self._ctx = ctx
        self._handling = handling
        self._reader = ColumnReader(ctx, handling)
        self._mostly_new = True

    def read(self, chunk: Chunk) -> Checked:
        """Read the records of a chunk."""
        return self._reader.read(chunk)

    def write(self, checked: object, start: int, stop: int, *, halt: bool) -> Written:
        """Write the records ``start`` to ``stop``, up to the first refused one with ``halt``."""
        assert isinstance(checked, Checked)
        if self._mostly_new and (written := self._write_new(checked, start, stop, halt=halt)) is not None:
            return written
        judged = _Judge(self._ctx, self._handling, checked, range(start, stop))
        written = judged.all(halt=halt)
        self._mostly_new = written.counts[CREATED] * 2 > stop - start
        return written

    def _write_new(self, checked: Checked, start: int, stop: int, *, halt: bool) -> Written | None:
        """Write records that are all new and resemble nobody; None where they are not, and nothing was written."""
        good = [row for row in range(start, stop) if row not in checked.faults]
        if (len(good) < stop - start and halt) or not checked.doubts.keys().isdisjoint(good):
            return None
        columns = {name: _of(column, good) for name, column in checked.columns.items()}
        if "org" in columns:
            known = units.by_path(self._ctx.db, {norm for norm in columns["org"] if norm})
            columns["org"] = [norm and known.get(norm, "") for norm in columns["org"]]
            if "" in columns["org"]:
                return None
        lists = {name: _of(column, good) for name, column in checked.lists.items()}
        if "attributes" in lists:
            lists["attributes"] = [attributes.merged({}, one) or None if one else None for one in lists["attributes"]]
        if not _may_be_new(self._ctx, columns, lists) or not _created(self._ctx, columns, lists, len(good)):
            return None
        written = Written()
        written.counts[CREATED] = len(good)
        for row in range(start, stop):
            if row in checked.faults:
                _tell(written, row, REJECTED, checked.faults[row])
            written.findings.extend(checked.dropped.get(row, ()))
        return written


def _of(column: list[Any], rows: list[int]) -> list[Any]:
    if rows and rows[-1] - rows[0] == len(rows) - 1:
        return column[rows[0] : rows[-1] + 1]
    return [column[row] for row in rows]


def _may_be_new(ctx: Context, columns: dict[str, list[Any]], lists: dict[str, list[Any]]) -> bool:
    """Tell whether all have names, unlike those of anybody, and windows that open; the rest the table's keys tell."""
    skeletons = set(columns.get("skeleton", ()))
    windows = zip(columns.get("valid_from", ()), columns.get("valid_until", ()), strict=False)
    if any(start and end and start >= end for start, end in windows):
        return False
    if not skeletons or None in skeletons or len(skeletons) < len(columns["skeleton"]) or "former_names" in lists:
        return False
    return not Taken.of(ctx.db, Wanted(skeletons=skeletons)).alike


def _created(ctx: Context, columns: dict[str, list[Any]], lists: dict[str, list[Any]], count: int) -> bool:
    changed = ctx.store.changed
    try:
        with ctx.db.begin_nested():
            batches.create(ctx, columns, lists, count)
    except IntegrityError:
        # somebody has one of these addresses or ids, or two records have the same
        ctx.store.settle(ctx.db)
        ctx.store.changed = changed
        return False
    return True


def _tell(written: Written, row: int, outcome: str, error: UsermgmtError) -> None:
    written.findings.append(Finding(row, outcome, error))
    if outcome == REJECTED:
        written.counts[REJECTED] += 1


class _Judge:
    """Judges records one by one, each after the ones before it, over a picture of all that they could touch."""

    def __init__(self, ctx: Context, handling: Handling, checked: Checked, rows: range) -> None:
        self._ctx = ctx
        self._handling = handling
        self._checked = checked
        self._rows = rows
        self._written = Written()
        self._new: list[State] = []
        wanted = Wanted()
        self._given = {row: (checked.values(row), checked.lists_of(row)) for row in rows if row not in checked.faults}
        for values, lists in self._given.values():
            wanted.add(values, lists.get("external_ids", {}).items())
            wanted.usernames.update(name.norm for name in lists.get("former_names", ()))
        self._units = units.by_path(
            ctx.db, {values["org"] for values, _lists in self._given.values() if values.get("org")}
        )
        self._taken = Taken.of(ctx.db, wanted)
        self._states = self._load()
        self._ids = iter(bulk.next_ids(ctx.db, state.user, len(rows)))

    def _load(self) -> dict[int, State]:
        taken = self._taken
        holders = (taken.usernames, taken.emails, taken.uids, taken.external_ids)
        return state.load(self._ctx.db, sorted({user_id for held in holders for user_id in held.values()}))

    def all(self, *, halt: bool) -> Written:
        """Judge and write every record; with ``halt`` up to the first refused one."""
        for row in self._rows:
            try:
                outcome = self._one(row)
            except UsermgmtError as error:
                error.__traceback__ = None
                self._refuse(row, error)
                if halt:
                    self._written.refused = True
                    break
            else:
                self._written.counts[outcome] += 1
                self._written.findings.extend(self._checked.dropped.get(row, ()))
        self._flush()
        return self._written

    def _refuse(self, row: int, error: UsermgmtError) -> None:
        if error.exit == Exit.DENIED:
            self._ctx.log.append_denial(self._ctx.action, self._ctx.target, error)
        _tell(self._written, row, REJECTED, error)

    def _one(self, row: int) -> str:
        if row in self._checked.faults:
            raise self._checked.faults[row]
        values, lists = self._given[row]
        values = self._with_unit(values)
        found, by_name = self._match(values, lists)
        self._check_doubts(row, lists, self._states[found]["attributes"] if found is not None else {})
        if found is None:
            return self._create(row, values, lists)
        before = self._states[found]
        if by_name:
            # the name was the key: that it is written otherwise is no wish to change it
            values = {name: value for name, value in values.items() if name not in _NAME}
        return self._merge(row, before, values, lists)

    def _with_unit(self, values: State) -> State:
        """Return what a record gives with the uid of the unit at its path; raises ``UnitNotFound``."""
        if not (norm := values.get("org")):
            return values
        if norm not in self._units:
            raise units.missing(self._ctx.db, norm, norm)
        return values | {"org": self._units[norm]}

    def _check_doubts(self, row: int, lists: State, held: Mapping[str, str]) -> None:
        """Refuse attributes that nobody can be given, unless the user has them as they stand there."""
        for name, error in self._checked.doubts.get(row, {}).items():
            if held.get(name) != lists["attributes"][name]:
                raise error

    def _match(self, values: State, lists: State) -> tuple[int | None, bool]:
        """Return whom the record means: by uid, external id, username, email; raises ``SeveralUsers``."""
        taken = self._taken
        hits: dict[int, str] = {}
        keys = [(taken.uids.get(values.get("uid", "")), "uid")]
        keys += [(taken.external_ids.get(pair), "external_ids") for pair in lists.get("external_ids", {}).items()]
        keys += [(taken.usernames.get(values.get("username_norm") or ""), "username")]
        keys += [(taken.emails.get(values.get("email_norm") or ""), "email")]
        for user_id, key in keys:
            if user_id is not None:
                hits.setdefault(user_id, key)
        if len(hits) > 1:
            names = ", ".join(self._states[user_id]["username"] for user_id in hits)
            raise SeveralUsers(keys=", ".join(hits.values()), names=names)
        return next(((user_id, key == "username") for user_id, key in hits.items()), (None, False))

    # -- new -------------------------------------------------------------------------------------------------------

    def _create(self, row: int, values: State, lists: State) -> str:
        if "username" not in values:
            raise fields.InvalidField(field="username", problem=_("it is missing, and no other key finds a user"))
        alike = self._check_name(row, values, None)
        rules.check_unique(self._taken, values, lists.get("external_ids", {}), None)
        former = lists.get("former_names", ())
        self._check_former(former, values, None)
        uid = values.get("uid") or self._ctx.random.uuid7(self._ctx.clock.now())
        after = rules.new_state(
            values,
            {**_merged(rules.EMPTY_LISTS, lists), "former_names": [name.username for name in former]},
            uid,
            self._ctx.now,
        )
        rules.check_window(after)
        after["id"] = next(self._ids)
        self._new.append(after)
        if former:
            self._flush()
            writing.reserve(self._ctx, after["id"], former)
        self._know(after)
        self._written.findings.extend(alike)
        return CREATED

    def _know(self, after: State) -> None:
        """Let the records after this one find the user as it is now."""
        self._states[after["id"]] = after
        self._taken.put(after["id"], after)

    def _flush(self) -> None:
        new, self._new = self._new, []
        if new:
            writing.create(self._ctx, new)

    # -- there already ---------------------------------------------------------------------------------------------

    def _merge(self, row: int, before: State, values: State, lists: State) -> str:
        former = [name for name in lists.get("former_names", ()) if not self._held(name, before["id"])]
        after = {**before, **values, **_merged(before, lists)}
        rules.forget_verification(before, after, values)
        differing = state.changes(before, after)
        if not differing and not former:
            return UNCHANGED
        if self._handling.if_exists == IfExists.SKIP:
            return SKIPPED
        if self._handling.if_exists == IfExists.FAIL:
            names = [name for name in FIELDS if name in differing or (name == "former_names" and former)]
            raise DifferingUser(name=before["username"], fields=", ".join(names))
        self._update(row, before, after, values, former)
        return UPDATED

    def _update(self, row: int, before: State, after: State, values: State, former: list[writing.Former]) -> None:
        own, ctx = before["id"], self._ctx
        ctx.target = f"user:{before['uid']}"
        rules.check_not_erased(before)
        if after["uid"] != before["uid"]:
            raise FixedUid(name=before["username"])
        action = self._move(before, after, values)
        changed = {name: value for name, value in after.items() if value != before[name]}
        alike = self._check_name(row, after, own) if "username" in changed else []
        rules.check_unique(self._taken, changed, changed.get("external_ids", {}), own)
        self._check_former(former, after, own)
        rules.check_window(after)
        rules.settle(before, after, given=values, now=ctx.now)
        self._flush()
        if "username_norm" in changed:
            action = E.USER_RENAME if action == E.USER_SET else action
            writing.give_up_name(ctx, before, after)
            self._taken.give_up(own, before, after)
        if former:
            writing.reserve(ctx, own, former)
            after["former_names"] = writing.former_names(ctx, own)
        writing.change(ctx, before, after, action)
        self._taken.drop(own, before)
        self._know(after)
        self._written.findings.extend(alike)

    def _move(self, before: State, after: State, values: State) -> E:
        if after["status"] == before["status"]:
            return E.USER_SET
        if after["status"] in (Status.SUSPENDED, Status.CLOSED) and lookup.own_account(self._ctx) == before["id"]:
            raise OwnAccount(name=before["username"])
        if "status_reason" not in values:
            after["status_reason"] = self._ctx.reason or None
        return rules.move_to(before, after["status"])

    # -- names -----------------------------------------------------------------------------------------------------

    def _check_name(self, row: int, values: State, own: int | None) -> list[Finding]:
        """Refuse names that are reserved or imitate another script; return what to report about the others."""
        rules.check_reserved(self._taken, values, own)
        if self._handling.allow_confusable:
            return []
        found = []
        for likeness, error in rules.lookalikes(self._taken, values, own):
            if likeness != "same-script":
                raise error
            found.append(Finding(row, REPORTED, error))
        return found[:1]

    def _held(self, name: writing.Former, own: int) -> bool:
        holder = self._taken.former.get(name.norm)
        return holder is not None and holder.user_id == own

    def _check_former(self, names: Sequence[writing.Former], values: State, own: int | None) -> None:
        for name in names:
            asked = {"username": name.username, "username_norm": name.norm}
            rules.check_reserved(self._taken, asked, own)
            rules.check_unique(self._taken, asked, {}, own)
            if name.norm == values["username_norm"]:
                raise fields.InvalidField(field="former_names", problem=_("the name of today is among them"))


_NAME = frozenset({"username", "username_norm", "skeleton"})


def _merged(before: State, lists: State) -> State:
    """Return the lists as they shall be: ids in systems and attributes that the record does not name stay."""
    wanted = {name: value for name, value in lists.items() if name != "former_names"}
    if wanted.get("external_ids"):
        wanted["external_ids"] = {**before["external_ids"], **wanted["external_ids"]}
    if "attributes" in wanted:
        wanted["attributes"] = attributes.merged(before["attributes"], wanted["attributes"])
    return wanted
