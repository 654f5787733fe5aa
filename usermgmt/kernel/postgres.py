"""PostgreSQL as the store: its URL, its password, its TLS rule, and its driver's errors as ours."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from usermgmt.kernel.errors import (
    BadConfiguration,
    DiskFull,
    FileMissing,
    StoreBusy,
    StoreUnreadable,
    Unavailable,
    UsageProblem,
    UsermgmtError,
    said,
)
from usermgmt.kernel.i18n import N_, _, retold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection, Engine

DRIVER = "postgresql+psycopg"
_LOCAL = ("", "localhost", "127.0.0.1", "::1")
VERIFYING = ("verify-ca", "verify-full")
_SERVER = r'(?:connection failed: )?connection to server (?:at|on socket) "(?P<server>[^"]*)".* failed: '
_SAID = (
    (_SERVER + "Connection refused", N_("no server listens at {server}")),
    (_SERVER + "No such file or directory", N_("no server listens at {server}")),
    (_SERVER + r'FATAL: +database "(?P<name>.*)" does not exist', N_("the server has no database {name}")),
    (_SERVER + r'FATAL: +role "(?P<name>.*)" does not exist', N_("the server has no login {name}")),
    (_SERVER + r'FATAL: +(?:password|peer|Peer) authentication failed for user "(?P<name>.*)"',
     N_("the server does not let {name} in")),
    (_SERVER + "FATAL: +sorry, too many clients already", N_("the server has too many clients already")),
    (_SERVER + "fe_sendauth: no password supplied", N_("the server wants a password")),
    (r"failed to resolve host '(?P<name>[^']*)'.*", N_("nobody knows the host {name}")),
    (r".*timeout expired.*", N_("the server does not answer in time")),
    (r"server closed the connection unexpectedly.*", N_("the server has closed the connection")),
    (r"permission denied for (?:table|relation|schema|sequence) (?P<name>.*)", N_("the login may not use {name}")),
)  # fmt: skip
"""What the server and its library say most often."""
_BLOCK = 1 << 17
"""Bytes of a COPY that are sent at once."""


class NoDriver(Unavailable):
    """PostgreSQL needs the extra "postgres" of usermgmt, which is not installed."""

    code = "store.driver"
    hint = N_("pip install 'usermgmt[postgres]'")


class UnverifiedTls(Unavailable):
    """The connection to {host} is not protected by verified TLS."""

    code = "store.tls"
    hint = N_('add ?sslmode=verify-full to the URL, or allow it with store.tls = "insecure-allowed"')


def parse(url: str) -> URL:
    """Read a store URL.

    Raises ``UsageProblem`` where it is none, or names another database or driver.
    """
    if url.startswith("postgresql://"):
        url = DRIVER + url[len("postgresql") :]
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageProblem(problem=_("this is not a store URL"), hint=N_("postgresql+psycopg:///NAME")) from None
    if parsed.drivername != DRIVER:
        raise UsageProblem(
            problem=_("a store is a file or postgresql+psycopg://..., not {driver}").format(driver=parsed.drivername)
        )
    return parsed


def is_local(url: URL) -> bool:
    """Tell whether the server is on this host: a socket directory, or a loopback address."""
    host = url.host or str(url.query.get("host", ""))
    return host in _LOCAL or host.startswith("/")


def with_password(url: URL, password_file: Path | None) -> URL:
    """Return ``url`` with the password of ``store.password_file``; libpq's own files work without it."""
    if password_file is None or url.password:
        return url
    try:
        info = password_file.stat()
        text = password_file.read_text()
    except FileNotFoundError:
        raise FileMissing(path=password_file) from None
    except OSError as error:
        raise BadConfiguration(path=password_file, problem=said(error)) from None
    except UnicodeDecodeError:
        raise BadConfiguration(path=password_file, problem=_("it is not UTF-8")) from None
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadConfiguration(path=password_file, problem=_("other accounts may read it"), hint=N_("chmod 600 {path}"))
    return url.set(password=text.rstrip("\n"))


def engine(url: URL, *, busy_timeout: float, tls: str, schema: str = "public") -> Engine:
    """Return an engine on ``url``; each connection is opened anew, and finds tables in ``schema``."""
    try:
        import psycopg  # noqa: F401 - asked for here, so that its absence is one clear line
    except ImportError:
        raise NoDriver from None
    if tls != "insecure-allowed" and not is_local(url) and url.query.get("sslmode") not in VERIFYING:
        raise UnverifiedTls(host=url.host)
    wait = max(1, int(busy_timeout * 1000))
    made = sa.create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "application_name": "usermgmt",
            "client_encoding": "utf8",
            "connect_timeout": max(2, int(busy_timeout)),
            "options": f"-c timezone=UTC -c lock_timeout={wait} -c search_path={schema}",
        },
    )
    event.listen(made, "begin", _begin)
    event.listen(made, "do_execute", _copy)
    return made


def _copy(cursor: Any, statement: str, _parameters: Any, context: Any) -> bool | None:
    """Give a COPY the rows of its execution option ``copies``, where SQLAlchemy sees the statement and its errors."""
    rows: bytes | None = context.execution_options.get("copies")
    if rows is None:
        return None
    with cursor.copy(statement) as copy:
        for at in range(0, len(rows), _BLOCK):
            copy.write(rows[at : at + _BLOCK])
    return True


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("lockless"):
        return
    if options.get("writes"):
        # first statement of every writer: they stand in line here, so a service may check, then act
        connection.exec_driver_sql("SELECT seq FROM audit_head WHERE id = 1 FOR UPDATE")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def waited_for(connection: Connection) -> bool:
    """Tell whether another session waits for the end of this transaction, a writer's."""
    # the first in line waits for the transaction, the others for the first
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid)"
    return bool(connection.exec_driver_sql(query).scalar_one())


def printable(url: URL) -> str:
    """Return the URL without its password."""
    return url.set(password=None).render_as_string(hide_password=True)


def missing_relation(error: Any) -> bool:
    """Tell whether the database has none of our tables."""
    return getattr(error, "sqlstate", None) in ("42P01", "3D000")


def translate(error: Any, seconds: float) -> UsermgmtError | None:
    """Return our error for one of the driver's, or None where it is a fault of ours.

    ``error`` is the DB-API exception, ``seconds`` the time that was waited for a lock. Codes: PostgreSQL appendix A.
    """
    state = getattr(error, "sqlstate", None) or ""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if state in ("55P03", "40001", "40P01", "57014"):
        return StoreBusy(seconds=f"{seconds:g}")
    if state == "53100":
        return DiskFull(problem=retold(text, _SAID))
    if state == "25006":
        return StoreUnreadable(problem=_("it cannot be written to"))
    if state[:2] in ("08", "28", "3D", "53", "57", "58") or state == "42501" or not state:
        # no state: the connection itself failed
        return StoreUnreadable(problem=retold(text, _SAID), hint=_connection_hint(text))
    return None


@contextmanager
def guarded(seconds: float) -> Iterator[None]:
    """Turn errors that a bare cursor of the driver raised into ours; see ``translate``."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        ours = translate(error, seconds)
        if ours is None:
            raise
        raise ours from None


def _connection_hint(text: str) -> str:
    if "password" in text:
        return N_("use peer login, ~/.pgpass, or store.password_file")
    if "does not exist" in text:
        return N_("make the login or an empty database first: createdb --encoding=UTF8 NAME")
    return N_("is the server running, and does store.url name it?")
