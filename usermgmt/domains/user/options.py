"""Options of the user commands, declared once for add, ensure and set."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from usermgmt.domains.user.types import Gender, Kind, Status
from usermgmt.domains.user.complete import tags, usernames
from usermgmt.kernel import complete
from usermgmt.kernel.i18n import N_

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
Users = Annotated[
    list[str] | None,
    Argument(
        help=N_("Users, as names or id:42, uid:..., email:..., phone:..., ext:SYSTEM/ID; - reads one per line."),
        metavar="[USER]...",
        autocompletion=usernames,
        show_default=False,
    ),
]


def _field(flag: str, help: str, metavar: str = "TEXT", **more: object) -> object:  # noqa: A002 - Typer's word
    return Option(flag, help=help, metavar=metavar, rich_help_panel=_PROFILE, show_default=False, **more)  # type: ignore[arg-type]


Email = Annotated[str | None, _field("--email", N_("Email address."), "A@B")]
Phone = Annotated[str | None, _field("--phone", N_("Phone number, kept as +COUNTRY..."), "NUMBER")]
DisplayName = Annotated[str | None, _field("--display-name", N_("Name as shown to others."))]
FullName = Annotated[str | None, _field("--full-name", N_("Full name."))]
GenderOption = Annotated[
    str | None,
    _field("--gender", N_("female, male or other."), "GENDER", autocompletion=complete.choices(Gender)),
]
BirthDate = Annotated[str | None, _field("--birth-date", N_("Date of birth."), "YYYY-MM-DD")]
Occupation = Annotated[str | None, _field("--occupation", N_("Occupation."))]
Locale = Annotated[str | None, _field("--locale", N_("Language tag, as zh-CN."), "TAG")]
TimeZone = Annotated[str | None, _field("--time-zone", N_("Time zone, as Asia/Shanghai."), "ZONE")]
KindOption = Annotated[
    str | None, _field("--kind", N_("person or service."), "KIND", autocompletion=complete.choices(Kind))
]
ValidFrom = Annotated[str | None, _field("--valid-from", N_("From when the account counts."), "TIME")]
ValidUntil = Annotated[str | None, _field("--valid-until", N_("Until when the account counts."), "TIME")]
EmailVerified = Annotated[str | None, _field("--email-verified-at", N_("When the email was verified."), "TIME")]
PhoneVerified = Annotated[str | None, _field("--phone-verified-at", N_("When the phone was verified."), "TIME")]
ManagedBy = Annotated[str | None, _field("--managed-by", N_("The specification that owns the record."), "NAME")]


def _list(flag: str, help: str, metavar: str, **more: object) -> object:  # noqa: A002 - Typer's word
    return Option(flag, help=help, metavar=metavar, show_default=False, **more)  # type: ignore[arg-type]


AddTag = Annotated[list[str] | None, _list("--add-tag", N_("Add a tag."), "TAG", autocompletion=tags)]
RemoveTag = Annotated[list[str] | None, _list("--remove-tag", N_("Take a tag away."), "TAG", autocompletion=tags)]
SetTag = Annotated[
    list[str] | None,
    _list("--set-tag", N_("Replace all tags; an empty one empties."), "TAG", autocompletion=tags),
]
AddExternalId = Annotated[
    list[str] | None, _list("--external-id", N_("Id in another system; the same as --add-external-id."), "SYSTEM/ID")
]
MoreExternalId = Annotated[list[str] | None, _list("--add-external-id", N_("Add an id in another system."), "SYSTEM/ID")]
RemoveExternalId = Annotated[
    list[str] | None, _list("--remove-external-id", N_("Take an id in another system away."), "SYSTEM[/ID]")
]
SetExternalId = Annotated[
    list[str] | None, _list("--set-external-id", N_("Replace all ids in other systems."), "SYSTEM/ID")
]
AddAddress = Annotated[list[str] | None, _list("--add-address", N_("Add a further email:... or phone:..."), "KIND:VALUE")]
RemoveAddress = Annotated[list[str] | None, _list("--remove-address", N_("Take a further address away."), "KIND:VALUE")]
SetAddress = Annotated[list[str] | None, _list("--set-address", N_("Replace all further addresses."), "KIND:VALUE")]
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


ByStatus = Annotated[
    list[str] | None,
    _select("--status", N_("Those with this status; may be repeated."), "STATUS", autocompletion=complete.choices(Status)),
]
ByTag = Annotated[
    list[str] | None,
    _select("--tag", N_("Those with this tag; several tags must all be there."), "TAG", autocompletion=tags),
]
BySearch = Annotated[str, _select("--search", N_("Those whose name, email or phone holds this text."), "TEXT")]
CreatedAfter = Annotated[str, _select("--created-after", N_("Those created from this time on."), "TIME")]
FromFile = Annotated[str, _select("--from-file", N_("Those in this file, one per line; - is standard input."), "FILE")]
