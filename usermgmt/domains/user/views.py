"""What results about users show, in which order, and what of it is masked."""

from __future__ import annotations

from usermgmt.domains.user.standing import CAUSES
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

STATUS = {
    "pending": N_("pending"),
    "active": N_("active"),
    "suspended": N_("suspended"),
    "closed": N_("closed"),
    "erased": N_("erased"),
}
KIND = {"person": N_("person"), "service": N_("service account")}
GENDER = {"female": N_("female"), "male": N_("male"), "other": N_("other")}

USER = View(
    N_("user"),
    (
        Column("id", N_("Id"), kind="number"),
        Column("uid", N_("Uid"), table=False),
        Column("username", N_("Username")),
        Column("display_name", N_("Display name")),
        Column("full_name", N_("Full name"), mask="name", table=False),
        Column("kind", N_("Kind"), table=False),
        Column("status", N_("Status")),
        Column("active", N_("Active"), kind="bool", table=False),
        Column("cause", N_("Cause")),
        Column("email", N_("Email"), mask="email"),
        Column("phone", N_("Phone"), mask="phone"),
        Column("gender", N_("Gender"), table=False),
        Column("birth_date", N_("Birth date"), mask="date", table=False),
        Column("age", N_("Age"), kind="number", table=False),
        Column("occupation", N_("Occupation"), table=False),
        Column("locale", N_("Locale"), table=False),
        Column("time_zone", N_("Time zone"), table=False),
        Column("org", N_("Unit"), table=False),
        Column("tags", N_("Tags"), kind="list"),
        Column("external_ids", N_("External ids"), kind="object", table=False),
        Column("attributes", N_("Attributes"), mask="attributes", kind="attributes", table=False),
        Column("addresses", N_("Further addresses"), mask="address", kind="list", table=False),
        Column("valid_from", N_("Valid from"), kind="time", table=False),
        Column("valid_until", N_("Valid until"), kind="time", table=False),
        Column("email_verified_at", N_("Email verified"), kind="time", table=False),
        Column("phone_verified_at", N_("Phone verified"), kind="time", table=False),
        Column("status_reason", N_("Reason of status"), table=False),
        Column("status_at", N_("Status since"), kind="time", table=False),
        Column("managed_by", N_("Managed by"), table=False),
        Column("created_at", N_("Created"), kind="time"),
        Column("updated_at", N_("Changed"), kind="time", table=False),
        Column("version", N_("Version"), kind="number", table=False),
    ),
    keyed="id:{}",
    enums={"status": STATUS, "kind": KIND, "gender": GENDER, "cause": CAUSES},
)

USER_SHOWN = View(
    USER.noun,
    (
        *USER.columns,
        Column("superior", N_("Superior"), table=False),
        Column("former_names", N_("Former names"), kind="list", table=False),
        Column("notes", N_("Notes"), kind="notes", table=False),
    ),
    keyed=USER.keyed,
    enums=USER.enums,
)

EXISTS = View(
    N_("user"),
    (Column("exists", N_("Exists"), kind="bool"), Column("id", N_("Id")), Column("username", N_("Username"))),
    keyed=USER.keyed,
)
