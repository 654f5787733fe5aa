"""What can be wrong with a request about users."""

from __future__ import annotations

from typing import Self

from usermgmt.kernel.errors import Conflict, Denied, Invalid, NotFound
from usermgmt.kernel.i18n import N_


class UserNotFound(NotFound):
    """There is no user {name}."""

    code = "user.not_found"
    hint = N_("usermgmt user list --search TEXT finds users")

    @classmethod
    def meant(cls, name: str, near: str) -> Self:
        """Return the error with ``near``, which is there, as its hint."""
        return cls(name=name, near=near, hint=N_("did you mean {near}?"))


class Renamed(UserNotFound):
    """There is no user {name} any more: it is {now} now."""

    code = "user.renamed"
    hint = N_("use the name {now}")
    user_id: int = 0


class UnknownAttribute(NotFound):
    """There is no attribute {name}."""

    code = "user.attribute"
    hint = N_("the configuration declares attributes: usermgmt help formats")


class UnitNotFound(NotFound):
    """There is no unit {name}."""

    code = "org.not_found"
    hint = N_("usermgmt org list shows the units")


class HeadsUnits(Conflict):
    """{name} is the head of {unit} and cannot be removed."""

    code = "user.heads_units"
    hint = N_("usermgmt org set {unit} --head USER gives it another one")


class AmbiguousUser(Conflict):
    """{name} is the username of one user and an address of another."""

    code = "user.ambiguous"
    hint = N_("say which: {choices}")


class UserExists(Conflict):
    """There is a user with this {field} already: {value}."""

    code = "user.exists"
    hint = N_("usermgmt user show {ref}")


class DifferingUser(Conflict):
    """{name} is there already, and differs in {fields}."""

    code = "user.exists"
    hint = N_("--if-exists skip leaves such users alone, --if-exists update changes them")


class SeveralUsers(Conflict):
    """Its keys ({keys}) are those of different users: {names}."""

    code = "user.ambiguous"


class FixedUid(Conflict):
    """{name} is there with another uid, which never changes."""

    code = "user.uid"


class NameReserved(Conflict):
    """{name} was the name of another user, who is {now} now, and stays reserved."""

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
