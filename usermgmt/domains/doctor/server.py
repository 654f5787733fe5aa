"""What only PostgreSQL can get wrong: its version, its encoding, its durability, TLS, and the login's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usermgmt.domains.doctor.types import Finding, Severity
from usermgmt.domains.store import contents
from usermgmt.kernel import postgres
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

OLDEST = 130000
"""PostgreSQL 13: the oldest one that is tried."""
_LASTING = ("fsync", "full_page_writes", "synchronous_commit")


def _show(connection: Connection, setting: str) -> str:
    return str(connection.exec_driver_sql("SELECT current_setting(%s)", (setting,)).scalar_one())


def version(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge the server's version and the database's encoding."""
    with store.reading() as connection:
        number, name = _show(connection, "server_version_num"), _show(connection, "server_version")
        encoding = _show(connection, "server_encoding")
    severity = Severity.WARNING if int(number) < OLDEST else Severity.OK
    yield Finding("server", severity, _("PostgreSQL {version}").format(version=name))
    if encoding == "UTF8":
        yield Finding("encoding", Severity.OK, encoding)
    else:
        told = _("{encoding}: it cannot hold every name").format(encoding=encoding)
        hint = _("make a database with ENCODING UTF8, and restore a backup into it")
        yield Finding("encoding", Severity.WARNING, told, hint)


def durability(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge whether a committed change survives a power cut."""
    with store.reading() as connection:
        off = [name for name in _LASTING if _show(connection, name) == "off"]
    if off:
        told = _("a power cut may take committed changes: {settings} off").format(settings=", ".join(off))
        yield Finding("durability", Severity.WARNING, told, f"ALTER SYSTEM SET {off[0]} = on")
    else:
        yield Finding("durability", Severity.OK, _("commits are on the disk before they are told of"))


def tls(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge the way to the server; opening the store has refused what the configuration does not allow."""
    url = store.place.url
    if postgres.is_local(url):
        yield Finding("tls", Severity.OK, _("the server is on this host"))
    elif url.query.get("sslmode") in postgres.VERIFYING:
        yield Finding("tls", Severity.OK, str(url.query["sslmode"]))
    else:
        told = _("nothing proves that {host} is the server: store.tls allows it").format(host=url.host)
        yield Finding("tls", Severity.WARNING, told, _("add ?sslmode=verify-full to the URL"))


def rights(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge what the login may do: too little for the program, or more than it needs."""
    wanted = ("SELECT", "INSERT", "UPDATE", "DELETE")
    with store.reading() as connection:
        lacking = [
            f"{right} {name}"
            for name in contents.tables(connection)
            for right in wanted
            if not connection.exec_driver_sql(
                "SELECT has_table_privilege(quote_ident(%s), %s)", (name, right)
            ).scalar_one()
        ]
        creates = connection.exec_driver_sql("SELECT has_schema_privilege('public', 'CREATE')").scalar_one()
        superuser = _show(connection, "is_superuser") == "on"
    if lacking:
        yield Finding("rights", Severity.WARNING, _("the login lacks {rights}").format(rights=", ".join(lacking)))
    elif not creates:
        told = _("the login may not make tables: usermgmt store migrate needs to")
        yield Finding("rights", Severity.WARNING, told, "GRANT CREATE ON SCHEMA public TO ...")
    elif superuser:
        told = _("the login is a superuser; the store needs one that owns its database and no more")
        yield Finding("rights", Severity.INFO, told)
    else:
        yield Finding("rights", Severity.OK, _("the login may do what the program does"))


CHECKS: dict[str, Callable[[Context, Store], Iterator[Finding]]] = {
    "server": version,
    "durability": durability,
    "tls": tls,
    "rights": rights,
}
