"""What the user domain offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.registry import Audited, Declaration, Job
from usermgmt.kernel.schedule import EachTick

USER = Audited(
    kind="user",
    personal=frozenset(
        {
            "username",
            "username_norm",
            "skeleton",
            "display_name",
            "full_name",
            "email",
            "email_norm",
            "phone",
            "gender",
            "birth_date",
            "occupation",
            "locale",
            "time_zone",
            "status_reason",
            "external_ids",
            "attributes",
            "addresses",
            "former_names",
            "note",
        }
    ),
    masks={
        "full_name": "name",
        "email": "email",
        "email_norm": "email",
        "phone": "phone",
        "birth_date": "date",
        "addresses": "address",
        "attributes": "attributes",
    },
    follows={
        "created_at": "@created",
        "updated_at": "@changed",
        "status_at": "@field:status",
        "username_norm": "username",
        "skeleton": "username_norm",
        "email_norm": "email",
    },
    rows="usermgmt.domains.user.state:rows",
    names="usermgmt.domains.user.state:names",
    details="usermgmt.domains.user.state:details",
)

EXPIRING = Job(
    name="user.expiring",
    summary=N_("Notice of accounts whose time will soon be over, or is over."),
    schedule=EachTick(),
    run="usermgmt.domains.user.expiring:tell",
)

DECLARES = Declaration(
    domain="user",
    models="usermgmt.domains.user.models",
    # who was told of which end: the telling itself is on the audit, and folds into nothing
    operational=frozenset({"user_notice"}),
    indexes={"user_bigram": "usermgmt.domains.user.bigrams:holds"},
    audited=(USER,),
    importers={"users": "usermgmt.domains.user.importing:IMPORTER"},
    exporters={"users": "usermgmt.domains.user.exporting:EXPORTER"},
    tick_jobs=(EXPIRING,),
    upcoming=("usermgmt.domains.user.upcoming:opening", "usermgmt.domains.user.upcoming:ending"),
)
