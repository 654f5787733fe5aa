"""Whom a bulk command means, and the command carried out on each: refused ones are reported, the rest go through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usermgmt.domains.user import lookup, queries
from usermgmt.domains.user.types import Status
from usermgmt.kernel.errors import Invalid, UsageProblem, UsermgmtError
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import Batch, Change, Refusal
from usermgmt.kernel.text import unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.selectors import Predicate

_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Selection:
    """The shared selectors as given, and the users named one by one."""

    users: Sequence[str] = ()
    status: Sequence[str] = ()
    tags: Sequence[str] = ()
    search: str = ""
    created_after: str = ""
    from_file: str = ""

    @property
    def filters(self) -> bool:
        """Whether anything but names selects."""
        return bool(self.status or self.tags or self.search or self.created_after)

    @property
    def single(self) -> bool:
        """Whether exactly one user is named, and nothing else: the answer is then one object and not a list."""
        return len(self.users) == 1 and self.users[0] != "-" and not self.filters and not self.from_file

    def predicate(self, ctx: Context) -> Predicate:
        """Return the predicate of the filters; raises ``UsageProblem``, ``BadTime``."""
        for word in self.status:
            if word not in tuple(Status):
                raise UsageProblem(
                    problem=_("--status: there is no status {name}").format(name=word),
                    hint=_("one of {choices}").format(choices=", ".join(Status)),
                )
        after = ctx.moment(self.created_after, "--created-after", direction="past") if self.created_after else ""
        return queries.predicate(status=self.status, tags=self.tags, search=self.search, created_after=after)


@dataclass(frozen=True, slots=True)
class Target:
    """One user that is meant: its id, or why there is none."""

    name: str
    id: int = 0
    error: UsermgmtError | None = field(default=None, compare=False)


def resolve(ctx: Context, selection: Selection) -> list[Target]:
    """Return whom ``selection`` means, each once: the named, those in the file, those that the filters hold for.

    Raises ``UsageProblem`` where it names nobody at all.
    """
    words = list(_words(ctx, selection))
    if not words and not selection.filters and not selection.from_file and "-" not in selection.users:
        raise UsageProblem(problem=_("no user is named"), hint=N_("name users, or select them: --status, --tag, --search"))
    found: dict[object, Target] = {}
    for word in words:
        try:
            user_id = lookup.find(ctx, word)
            found.setdefault(user_id, Target(word, user_id))
        except UsermgmtError as error:
            found.setdefault(word, Target(word, error=error))
    if selection.filters:
        for name, user_id in queries.selected(ctx, selection.predicate(ctx)):
            found.setdefault(user_id, Target(name, user_id))
    return list(found.values())


def _words(ctx: Context, selection: Selection) -> Iterator[str]:
    for word in selection.users:
        if word == "-":
            yield from _lines(ctx, "-")
        else:
            yield word
    if selection.from_file:
        yield from _lines(ctx, selection.from_file)


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


def each(
    ctx: Context,
    selection: Selection,
    act: Callable[[int], Change],
    *,
    question: str = "",
    grave: bool = False,
) -> Change | Batch:
    """Carry out ``act`` on every user that ``selection`` means, each in a savepoint.

    ``question`` is asked, with their count, where many are changed, or where the act is ``grave``.
    Raises the one error where one user was named, and what ``Context.confirm`` raises.
    """
    targets = resolve(ctx, selection)
    if grave or selection.filters or selection.from_file:
        live = sum(1 for target in targets if target.error is None)
        if live:
            ctx.confirm(live, question.format(count=live), grave=grave)
    if selection.single:
        only = targets[0]
        if only.error is not None:
            raise only.error
        return act(only.id)
    return Batch(tuple(_attempt(ctx, target, act) for target in targets))


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
        return Refusal(target.name, error)
