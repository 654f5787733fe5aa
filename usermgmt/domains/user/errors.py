"""What can be wrong with a request about users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from usermgmt.kernel.errors import Conflict, Denied, Invalid, NotFound
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Iterable


class UserNotFound(NotFound):
    """There is no user {name}."""

    code = "user.not_found"
    hint = N_("usermgmt user list --search TEXT finds users")

    @classmethod
    def near(cls, name: str, names: Iterable[str]) -> Self:
        """Return the error with the nearest of ``names`` as its hint."""
        from difflib import get_close_matches

        close = get_close_matches(name, list(names), 1)
        return cls(name=name, near=close[0], hint=N_("did you mean {near}?")) if close else cls(name=name)


class Renamed(UserNotFound):
    """There is no user {name} any more: it is {now} now."""

    code = "user.renamed"
    hint = N_("use the name {now}")


class AmbiguousUser(Conflict):
    """{name} is the username of one user and an address of another."""

    code = "user.ambiguous"
    hint = N_("say which: {choices}")


class UserExists(Conflict):
    """There is a user with this {field} already: {value}."""

    code = "user.exists"
    hint = N_("usermgmt user show {ref}; --if-exists skip or update takes it as it is")


class NameReserved(Conflict):
    """{name} was the name of another user and stays reserved."""

    code = "user.name_reserved"
    hint = N_("choose another name")


class ConfusableName(Invalid):
    """The name {name} can be mistaken for {other}, which is taken."""

    code = "username.confusable"
    hint = N_("choose another name, or pass --allow-confusable with --reason")


class IllegalTransition(Conflict):
    """{name} is {status}, and cannot be {wanted}."""

    code = "user.transition"


class OwnAccount(Denied):
    """{name} is the account through which you act; it cannot be closed, suspended or removed."""

    code = "user.own_account"
    hint = N_("have another operator do it")


class HasHistory(Conflict):
    """{name} has {what} and cannot be removed."""

    code = "user.has_history"
    hint = N_("usermgmt user close {name} keeps the record")
