"""Whom a bulk command means, and the command carried out on each: refused ones are reported, the rest go through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usermgmt.domains.user import attributes, expressions, lookup, queries, state, units
from usermgmt.domains.user.errors import Renamed, UserNotFound
from usermgmt.domains.user.types import Status
from usermgmt.kernel.context import MANY
from usermgmt.kernel.errors import Exit, Invalid, UsageProblem, UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.masking import given_attribute
from usermgmt.kernel.results import UNCHANGED, Batch, Change, Refusal
from usermgmt.kernel.selectors import Compare
from usermgmt.kernel.text import neutral, unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usermgmt.domains.user.options import Selectors, Whom, WhomToChange
    from usermgmt.engines.rules.rule import Rule
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.selectors import Predicate

_LONGEST_LINE = 4096
_CHUNK = 500
_SUGGESTED = 10  # for more wrong names than this, nobody reads what may have been meant


def predicate(ctx: Context, filters: Selectors) -> Predicate:
    """Return the predicate of the shared selectors.

    Raises ``UsageProblem``, ``Invalid``, ``BadTime``, ``UnknownAttribute``, ``UnitNotFound``, ``Denied``.
    """
    for word in filters.status or ():
        if word not in tuple(Status):
            raise UsageProblem(
                problem=_("--status: there is no status {name}").format(name=neutral(word)),
                hint=_("one of {choices}").format(choices=", ".join(Status)),
            )
    for option, words in (
        ("--search", (filters.search,)),
        ("--tag", filters.tag or ()),
        ("--attribute", filters.attribute or ()),
    ):
        for bad in filter(None, map(unstorable, words)):
            raise Invalid(field=option, problem=_("{char} cannot stand in a name").format(char=bad))
    after = ctx.moment(filters.created_after, "--created-after", direction="past") if filters.created_after else ""
    rule = _rule(ctx, filters.where) if filters.where is not None else None
    conditions = [_condition(ctx, text) for text in filters.attribute or ()]
    if filters.units:
        conditions.append(Compare("org", "within", tuple(units.find(ctx, word).path_norm for word in filters.units)))
    return queries.predicate(
        status=filters.status or (),
        tags=filters.tag or (),
        search=filters.search,
        searched=attributes.searched(ctx.settings.attributes),
        created_after=after,
        conditions=conditions,
        rule=rule,
    )


def _condition(ctx: Context, text: str) -> Compare:
    declared = ctx.settings.attributes
    name, op, value = attributes.condition(declared, text, lambda name: queries.has_attribute(ctx, name))
    if op == "=":
        ctx.gave(given_attribute(name, str(value)))
    return Compare("attribute", op, (name, value))


def _rule(ctx: Context, source: str) -> Rule:
    rule = expressions.where(ctx, source)
    if ctx.output.verbose:
        count = queries.count(ctx, rule.unknown)
        ctx.detail(_("--where cannot judge {n} users: a field that it asks for has no value").format(n=count))
    return rule


@dataclass(frozen=True, slots=True)
class Target:
    """One user that is meant: its id, or why there is none."""

    name: str
    id: int = 0
    error: UsermgmtError | None = field(default=None, compare=False)


def resolve(ctx: Context, whom: Whom | WhomToChange) -> list[Target]:
    """Return whom ``whom`` means, each once: the named, those in the file, those that the filters hold for.

    Raises ``UsageProblem`` where it names nobody at all.
    """
    words = list(_words(ctx, whom))
    if not words and not whom.selects:
        hint = N_("name users, or select them: --status, --tag, --attribute, --search, --where")
        raise UsageProblem(problem=_("no user is named"), hint=hint)
    found: dict[object, Target] = {}
    wrong = 0
    for word in words:
        try:
            user_id = lookup.find(ctx, word, near=wrong < _SUGGESTED)
            found.setdefault(user_id, Target(word, user_id))
        except UsermgmtError as error:
            found.setdefault(word, Target(word, error=error))
            wrong += 1
    if whom.given:
        for name, user_id in queries.selected(ctx, predicate(ctx, whom)):
            found.setdefault(user_id, Target(name, user_id))
    return list(found.values())


def _words(ctx: Context, whom: Whom | WhomToChange) -> Iterator[str]:
    for word in whom.users or ():
        if word == "-":
            yield from _lines(ctx, "-")
        else:
            yield word
    if whom.from_file:
        yield from _lines(ctx, whom.from_file)


def _lines(ctx: Context, name: str) -> Iterator[str]:
    stream = ctx.open_input(name)
    try:
        number = 0
        while line := stream.readline(_LONGEST_LINE + 1):
            number += 1
            yield from _line(line, number)
    except OSError as error:
        from usermgmt.kernel.files import failure

        raise failure(ctx.path(name), error) from None
    finally:
        if name != "-":
            stream.close()


def _line(line: bytes, number: int) -> Iterator[str]:
    where = _("line {n}").format(n=number)
    if len(line) > _LONGEST_LINE:
        raise Invalid(field=where, problem=_("it is too long to be a user"))
    try:
        word = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError:
        raise Invalid(field=where, problem=_("it is not UTF-8")) from None
    if bad := unstorable(word):
        raise Invalid(field=where, problem=_("{char} cannot stand in a name").format(char=bad))
    if word:
        yield word


def of_history(ctx: Context, word: str) -> str:
    """Return how the audit names the user that ``word`` means or meant: a former name, the uid of one removed.

    Raises as ``lookup.find`` does.
    """
    try:
        return queries.target(ctx, lookup.find(ctx, word))
    except Renamed as error:
        return queries.target(ctx, error.user_id)
    except UserNotFound:
        prefix, colon, uid = word.partition("uid:")
        target = f"user:{uid.strip().lower()}"
        if prefix or not colon or not queries.was_there(ctx, target):
            raise
        return target


def each(
    ctx: Context,
    whom: Whom | WhomToChange,
    act: Callable[[int], Change],
    *,
    question: str = "",
    grave: bool = False,
) -> Change | Batch:
    """Carry out ``act`` on every user that ``whom`` means, each in a savepoint.

    ``question`` is asked, with their count, where the act is ``grave`` and where they are many: selected, read from a
    file, or more than ``MANY`` by name.
    Raises the one error where one user was named, and what ``Context.confirm`` raises.
    """
    targets = resolve(ctx, whom)
    if not targets:
        ctx.note(_("nobody is meant: no user fits"))
    live = sum(1 for target in targets if target.error is None)
    if live and (grave or whom.selects or len(targets) > MANY):
        ctx.confirm(live, question.format(count=live), grave=grave)
    if whom.single:
        only = targets[0]
        if only.error is not None:
            raise only.error
        return act(only.id)
    batch = Batch(tuple(_attempts(ctx, targets, act)))
    _record_run(ctx, batch)
    return batch


def _record_run(ctx: Context, batch: Batch) -> None:
    """Leave the entry of the run itself, beside those of the users; refused whole, it is a failed command."""
    counts = Counter(one.outcome if isinstance(one, Change) else "refused" for one in batch.results)
    if set(counts) - {UNCHANGED, "refused"}:
        ctx.audit(E.USER_BULK, "users", facts={"counts": counts})
        return
    refused = next((one.error for one in batch.results if isinstance(one, Refusal)), None)
    if set(counts) == {"refused"} and refused is not None and refused.exit in (Exit.CONFLICT, Exit.INVALID):
        facts = {"code": refused.code, "counts": counts}
        ctx.log.append(ctx.action, "users", outcome="failed", facts=facts, error=refused.message)


def _attempts(ctx: Context, targets: list[Target], act: Callable[[int], Change]) -> Iterator[Change | Refusal]:
    for start in range(0, len(targets), _CHUNK):
        chunk = targets[start : start + _CHUNK]
        state.read_ahead(ctx.db, [target.id for target in chunk if target.error is None])
        for target in chunk:
            yield _attempt(ctx, target, act)


def _attempt(ctx: Context, target: Target, act: Callable[[int], Change]) -> Change | Refusal:
    if target.error is not None:
        return Refusal(target.name, target.error)
    mark, changed = ctx.log.mark(), ctx.store.changed
    try:
        with ctx.db.begin_nested():
            return act(target.id)
    except UsermgmtError as error:
        ctx.log.rollback_to(mark)
        ctx.store.changed = changed
        if error.exit == Exit.DENIED:
            ctx.log.append_denial(ctx.action, ctx.target, error)
        return Refusal(target.name, error)
