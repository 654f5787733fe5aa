"""The rules that every way to write a user obeys: commands that change one, and imports that change a million."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.domains.user import fields, state
from usermgmt.domains.user.confusables import confusable
from usermgmt.domains.user.errors import ConfusableName, IllegalTransition, NameReserved, UserExists
from usermgmt.domains.user.types import Kind, Status
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.domains.user.confusables import Likeness
    from usermgmt.domains.user.state import State
    from usermgmt.domains.user.taken import Taken
    from usermgmt.kernel.context import Context

EMPTY_LISTS: State = {"tags": [], "external_ids": {}, "addresses": [], "former_names": [], "attributes": {}}


def defaults(now: str) -> State:
    """Return the columns of a new user that a request may leave open, and what they then are."""
    return {"kind": Kind.PERSON.value, "status": Status.ACTIVE.value, "status_at": now, "created_at": now}


def new_state(values: State, lists: State, uid: str, now: str) -> State:
    """Return the state of a new user; its ``id`` is given when it is written."""
    columns = {
        **dict.fromkeys((*state.COLUMNS, "org")),
        "uid": uid,
        "version": 1,
        **defaults(now),
        **values,
        "updated_at": now,
    }
    return {**columns, **EMPTY_LISTS, **lists}


# -- names and addresses -------------------------------------------------------------------------------------------


def check_reserved(taken: Taken, values: State, own: int | None) -> None:
    """Refuse the former name of somebody else; raises ``NameReserved``."""
    holder = taken.former.get(values["username_norm"])
    if holder is not None and holder.user_id != own:
        raise NameReserved(name=values["username"], now=holder.username)


def lookalikes(taken: Taken, values: State, own: int | None) -> Iterator[tuple[Likeness, ConfusableName]]:
    """Yield how the name can be mistaken for another one, and the error that says so."""
    norm = values["username_norm"]
    for name in taken.alike.get(values["skeleton"], ()):
        if name.user_id != own and name.norm != norm and (likeness := confusable(norm, name.norm)):
            yield likeness, ConfusableName(field="username", name=values["username"], other=name.username)


def check_override(ctx: Context, allow_confusable: bool) -> None:
    """Refuse an override of the rule about likeness that gives no reason; raises ``Invalid``."""
    if allow_confusable and not ctx.reason:
        raise Invalid(field="--allow-confusable", problem=_("it needs --reason"), hint="")


_TAKE_IT = N_("usermgmt user show {ref}; --if-exists skip or update takes it as it is")


def check_unique(taken: Taken, values: State, external_ids: dict[str, str], own: int | None) -> None:
    """Refuse what another user holds already; raises ``UserExists``."""
    for holders, column, label in (
        (taken.usernames, "username_norm", "username"),
        (taken.emails, "email_norm", "email"),
        (taken.phones, "phone", "phone"),
    ):
        if values.get(column) is not None and holders.get(values[column], own) != own:
            hint = _TAKE_IT if label == "username" and own is None else None
            raise UserExists(hint, field=label, value=values[label], ref=f"{label}:{values[label]}")
    for system, value in external_ids.items():
        if taken.external_ids.get((system, value), own) != own:
            raise UserExists(field="external_id", value=f"{system}/{value}", ref=f"ext:{system}/{value}")


def forget_verification(before: State, after: State, values: State) -> None:
    """Take back that an address was verified where it is another one now."""
    for name in ("email", "phone"):
        norm = "email_norm" if name == "email" else name
        if after[norm] != before[norm] and f"{name}_verified_at" not in values:
            after[f"{name}_verified_at"] = None


# -- standing as an account ----------------------------------------------------------------------------------------


def check_window(after: State) -> None:
    """Refuse a window that is never open; raises ``InvalidField``."""
    start, end = after["valid_from"], after["valid_until"]
    if start is not None and end is not None and start >= end:
        raise fields.InvalidField(field="valid_until", problem=_("it does not lie after valid_from"))


STATUS_WORDS = {
    "pending": N_("pending"),
    "active": N_("active"),
    "suspended": N_("suspended"),
    "closed": N_("closed"),
    "erased": N_("erased"),
}

MOVES: dict[E, tuple[Status, tuple[Status, ...]]] = {
    E.USER_SUSPEND: (Status.SUSPENDED, (Status.PENDING, Status.ACTIVE)),
    E.USER_ACTIVATE: (Status.ACTIVE, (Status.PENDING, Status.SUSPENDED)),
    E.USER_CLOSE: (Status.CLOSED, (Status.PENDING, Status.ACTIVE, Status.SUSPENDED)),
    E.USER_REOPEN: (Status.ACTIVE, (Status.CLOSED,)),
}
"""Action -> the status it leads to, and the statuses it may start from."""

_MOVED = {
    E.USER_SUSPEND: N_("suspended"),
    E.USER_ACTIVATE: N_("activated"),
    E.USER_CLOSE: N_("closed"),
    E.USER_REOPEN: N_("reopened"),
}
_WAYS: dict[str, str] = {
    Status.CLOSED: N_("usermgmt user reopen {name}"),
    Status.PENDING: N_("usermgmt user activate {name}"),
    Status.SUSPENDED: N_("usermgmt user activate {name}"),
}


def check_move(before: State, action: E) -> None:
    """Refuse a move that the present status does not admit; raises ``IllegalTransition``."""
    if before["status"] not in MOVES[action][1]:
        raise illegal(before, _(_MOVED[action]))


def move_to(before: State, status: str) -> E:
    """Return the action that leads from the present status to another; raises ``IllegalTransition``."""
    for action, (target, sources) in MOVES.items():
        if target == status and before["status"] in sources:
            return action
    raise illegal(before, _(STATUS_WORDS[status]))


def check_not_erased(before: State) -> None:
    """Refuse changes of a record that was erased; raises ``IllegalTransition``."""
    if before["status"] == Status.ERASED:
        raise IllegalTransition(name=before["username"], status=_(STATUS_WORDS["erased"]), wanted=_("changed"))


def illegal(before: State, wanted: str) -> IllegalTransition:
    """Return the error for a status that cannot become ``wanted``."""
    status = _(STATUS_WORDS[before["status"]])
    return IllegalTransition(_WAYS.get(before["status"]), name=before["username"], status=status, wanted=wanted)


# -- what follows from a change ------------------------------------------------------------------------------------


def settle(before: State, after: State, given: Any, now: str) -> None:
    """Complete ``after``, which differs from ``before``, with what every change brings; ``given`` names fields."""
    after |= {"version": before["version"] + 1, "updated_at": now}
    if after["status"] != before["status"] and "status_at" not in given:
        after["status_at"] = now
