"""Options of the user commands, declared once for add, ensure and set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from usermgmt.domains.user.complete import attributes, tags, units, usernames
from usermgmt.domains.user.types import Gender, Kind, Status
from usermgmt.kernel import complete
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from usermgmt.domains.user.requests import Lists, Request

_PROFILE = N_("Profile")
_SELECT = N_("Whom")

NewName = Annotated[str, Argument(help=N_("The username."), metavar="USERNAME", show_default=False)]
User = Annotated[
    str,
    Argument(
        help=N_("The user: a username, or id:42, uid:..., email:..., phone:..., ext:SYSTEM/ID."),
        metavar="USER",
        autocompletion=usernames,
        show_default=False,
    ),
]


def _field(flag: str, help: str, metavar: str = "TEXT", **more: object) -> object:  # noqa: A002 - Typer's word
    return Option(flag, help=help, metavar=metavar, rich_help_panel=_PROFILE, show_default=False, **more)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Profile:
    """Fields of a user as the command line gives them; None: not given, empty: to be cleared."""

    email: Annotated[str | None, _field("--email", N_("Email address."), "A@B")] = None
    phone: Annotated[str | None, _field("--phone", N_("Phone number, kept as +COUNTRY..."), "NUMBER")] = None
    display_name: Annotated[str | None, _field("--display-name", N_("Name as shown to others."))] = None
    full_name: Annotated[str | None, _field("--full-name", N_("Full name."))] = None
    gender: Annotated[
        str | None,
        _field("--gender", N_("female, male or other."), "GENDER", autocompletion=complete.choices(Gender)),
    ] = None
    birth_date: Annotated[str | None, _field("--birth-date", N_("Date of birth."), "YYYY-MM-DD")] = None
    occupation: Annotated[str | None, _field("--occupation", N_("Occupation."))] = None
    locale: Annotated[str | None, _field("--locale", N_("Language tag, as zh-CN."), "TAG")] = None
    time_zone: Annotated[str | None, _field("--time-zone", N_("Time zone, as Asia/Shanghai."), "ZONE")] = None
    kind: Annotated[
        str | None, _field("--kind", N_("person or service."), "KIND", autocompletion=complete.choices(Kind))
    ] = None
    valid_from: Annotated[str | None, _field("--valid-from", N_("From when the account counts."), "TIME")] = None
    valid_until: Annotated[str | None, _field("--valid-until", N_("Until when the account counts."), "TIME")] = None
    email_verified_at: Annotated[
        str | None, _field("--email-verified-at", N_("When the email was verified."), "TIME")
    ] = None
    phone_verified_at: Annotated[
        str | None, _field("--phone-verified-at", N_("When the phone was verified."), "TIME")
    ] = None
    managed_by: Annotated[str | None, _field("--managed-by", N_("The specification that owns the record."), "NAME")] = (
        None
    )
    org: Annotated[
        str | None,
        _field("--org", N_("The unit they belong to: a path or id:N; empty for none."), "UNIT", autocompletion=units),
    ] = None


def _list(flag: str, help: str, metavar: str, **more: object) -> object:  # noqa: A002 - Typer's word
    return Option(flag, help=help, metavar=metavar, show_default=False, **more)  # type: ignore[arg-type]


AddTag = Annotated[list[str] | None, _list("--add-tag", N_("Add a tag."), "TAG", autocompletion=tags)]
RemoveTag = Annotated[list[str] | None, _list("--remove-tag", N_("Take a tag away."), "TAG", autocompletion=tags)]
SetTag = Annotated[
    list[str] | None, _list("--set-tag", N_("Replace all tags; an empty one empties."), "TAG", autocompletion=tags)
]


@dataclass(frozen=True, slots=True)
class Tags:
    """Edits of a user's tags."""

    add_tag: AddTag = None
    remove_tag: RemoveTag = None
    set_tag: SetTag = None


@dataclass(frozen=True, slots=True)
class AddedLists:
    """Additions to a user's lists."""

    add_tag: AddTag = None
    external_id: Annotated[
        list[str] | None,
        _list("--external-id", N_("Id in another system; the same as --add-external-id."), "SYSTEM/ID"),
    ] = None
    add_external_id: Annotated[
        list[str] | None, _list("--add-external-id", N_("Add an id in another system."), "SYSTEM/ID")
    ] = None
    add_address: Annotated[
        list[str] | None, _list("--add-address", N_("Add a further email:... or phone:..."), "KIND:VALUE")
    ] = None
    add_attribute: Annotated[
        list[str] | None,
        _list("--add-attribute", N_("Give an attribute a value."), "NAME=VALUE", autocompletion=attributes),
    ] = None


@dataclass(frozen=True, slots=True)
class NewLists(AddedLists):
    """Lists of a user that a command makes, and so does not select."""

    attribute: Annotated[
        list[str] | None,
        _list("--attribute", N_("The same as --add-attribute."), "NAME=VALUE", autocompletion=attributes),
    ] = None


@dataclass(frozen=True, slots=True)
class ChangedLists(AddedLists):
    """Edits of a user's lists."""

    remove_tag: RemoveTag = None
    set_tag: SetTag = None
    remove_external_id: Annotated[
        list[str] | None, _list("--remove-external-id", N_("Take an id in another system away."), "SYSTEM[/ID]")
    ] = None
    set_external_id: Annotated[
        list[str] | None, _list("--set-external-id", N_("Replace all ids in other systems."), "SYSTEM/ID")
    ] = None
    remove_address: Annotated[
        list[str] | None, _list("--remove-address", N_("Take a further address away."), "KIND:VALUE")
    ] = None
    set_address: Annotated[
        list[str] | None, _list("--set-address", N_("Replace all further addresses."), "KIND:VALUE")
    ] = None
    remove_attribute: Annotated[
        list[str] | None,
        _list("--remove-attribute", N_("Take an attribute away."), "NAME", autocompletion=attributes),
    ] = None
    set_attribute: Annotated[
        list[str] | None,
        _list("--set-attribute", N_("Replace all attributes."), "NAME=VALUE", autocompletion=attributes),
    ] = None


AllowConfusable = Annotated[
    bool,
    Option("--allow-confusable", help=N_("Admit a name that resembles another; needs --reason."), show_default=False),
]
RequestedBy = Annotated[
    str,
    Option(
        "--requested-by",
        help=N_("Whose wish this is: self, or what proves it."),
        metavar="self|PROOF",
        show_default=False,
    ),
]


def _select(flag: str, help: str, metavar: str, **more: object) -> object:  # noqa: A002 - Typer's word
    return Option(flag, help=help, metavar=metavar, rich_help_panel=_SELECT, show_default=False, **more)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Selectors:
    """The selectors that every command has which takes several users."""

    status: Annotated[
        list[str] | None,
        _select("--status", N_("Those with this status."), "STATUS", autocompletion=complete.choices(Status)),
    ] = None
    tag: Annotated[
        list[str] | None,
        _select("--tag", N_("Those with this tag; several tags must all be there."), "TAG", autocompletion=tags),
    ] = None
    attribute: Annotated[
        list[str] | None,
        _select(
            "--attribute",
            N_("Those with this attribute, or this value of it; >= and the like for numbers and dates."),
            "NAME[=VALUE]",
            autocompletion=attributes,
        ),
    ] = None
    search: Annotated[
        str, _select("--search", N_("Those whose name, email, phone or attribute holds this text."), "TEXT")
    ] = ""
    created_after: Annotated[str, _select("--created-after", N_("Those created from this time on."), "TIME")] = ""
    where: Annotated[
        str | None, _select("--where", N_("Those for whom this holds; usermgmt help expressions."), "EXPR")
    ] = None

    @property
    def units(self) -> list[str]:
        """The units of which they choose the members."""
        return []

    @property
    def given(self) -> bool:
        """Whether any of them is there."""
        filters = (self.status, self.tag, self.attribute, self.search, self.created_after, self.units)
        return any(filters) or self.where is not None


@dataclass(frozen=True, slots=True)
class Filters(Selectors):
    """The shared selectors, for lists."""

    org: Annotated[
        list[str] | None,
        _select("--org", N_("Those of this unit and the units below it."), "UNIT", autocompletion=units),
    ] = None

    @property
    def units(self) -> list[str]:
        """The units of which they choose the members."""
        return self.org or []


Users = Annotated[
    list[str] | None,
    Argument(
        help=N_("Users, as names or id:42, uid:..., email:..., phone:..., ext:SYSTEM/ID; - reads one per line."),
        metavar="USER|-",
        autocompletion=usernames,
        show_default=False,
    ),
]
FromFile = Annotated[
    str, _select("--from-file", N_("Those in this file, one per line; - is standard input."), "FILE|-")
]


class _Targets:
    """What one can tell of a command line that names users, and selects them."""

    __slots__ = ()
    users: list[str] | None
    from_file: str
    given: bool

    @property
    def selects(self) -> bool:
        """Whether users are meant whom the command line does not name."""
        return bool(self.given or self.from_file or "-" in (self.users or ()))

    @property
    def single(self) -> bool:
        """Whether exactly one user is named, and nothing else: the answer is then one object and not a list."""
        return len(self.users or ()) == 1 and not self.selects


@dataclass(frozen=True, slots=True)
class Whom(_Targets, Filters):
    """Whom a bulk command means: the named, those in the file, those that the selectors hold for."""

    users: Users = None
    from_file: FromFile = ""


@dataclass(frozen=True, slots=True)
class WhomToChange(_Targets, Selectors):
    """The same for a command whose ``--org`` is the unit that it puts users into."""

    users: Users = None
    from_file: FromFile = ""


def required(whom: Whom | WhomToChange, *given: Profile | Tags | AddedLists | ChangedLists) -> None:
    """Refuse a command line that asks for no change at all; raises ``UsageProblem``."""
    if all(getattr(one, field.name) in (None, []) for one in given for field in fields(one)):
        from usermgmt.kernel.errors import UsageProblem

        hint = N_("--attribute chooses users; --add-attribute gives them a value") if whom.attribute else ""
        raise UsageProblem(problem=_("nothing is to be changed"), hint=hint or N_("--help lists what can be"))


def lists(given: Tags | AddedLists | ChangedLists) -> Lists:
    """Return the edits of lists that the options ask for."""
    from usermgmt.domains.user.requests import Lists

    def words(name: str) -> list[str]:
        return getattr(given, name, None) or []

    return Lists(
        add_tags=words("add_tag"),
        remove_tags=words("remove_tag"),
        set_tags=getattr(given, "set_tag", None),
        add_external_ids=words("external_id") + words("add_external_id"),
        remove_external_ids=words("remove_external_id"),
        set_external_ids=getattr(given, "set_external_id", None),
        add_addresses=words("add_address"),
        remove_addresses=words("remove_address"),
        set_addresses=getattr(given, "set_address", None),
        add_attributes=words("attribute") + words("add_attribute"),
        remove_attributes=words("remove_attribute"),
        set_attributes=getattr(given, "set_attribute", None),
    )


def request(profile: Profile, edits: AddedLists, *, allow_confusable: bool = False, requested_by: str = "") -> Request:
    """Return what the options ask of a user's record."""
    from usermgmt.domains.user.requests import Request

    given = {field.name: getattr(profile, field.name) for field in fields(profile)}
    return Request(given, lists(edits), allow_confusable=allow_confusable, requested_by=requested_by)
