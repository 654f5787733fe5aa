"""The embedded engine: opening a SQLite store safely, and its driver's errors as ours.

SQLAlchemy is imported only where an engine is made, since completion reads the file without it.
``sqlcipher3`` carries a current SQLite everywhere; the standard library's module is the fallback, without WAL where
its version has the WAL-reset corruption bug (SQLite 3.7.0 to 3.51.2, mended in 3.51.3 and in 3.50.7, 3.44.6).
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.errors import (
    DiskFull,
    IntegrityBroken,
    NoStore,
    NotAStore,
    StoreBusy,
    StoreUnreadable,
    UnsafeStore,
    UsermgmtError,
    said,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy.engine import Connection, Engine

APPLICATION_ID = 0x554D4754  # "UMGT"
_MAGIC = b"SQLite format 3\x00"
_PRIMARY = 0xFF  # extended result codes keep the primary one in their low byte

# Primary result codes (sqlite.org/rescode.html)
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26
# The driver's backup() tells a code by its text alone, as sqlite3_errstr gives it
_BY_TEXT = {
    "database is locked": _BUSY,
    "database table is locked": _LOCKED,
    "attempt to write a readonly database": _READONLY,
    N_("disk I/O error"): _IOERR,
    N_("database disk image is malformed"): _CORRUPT,
    N_("database or disk is full"): _FULL,
    N_("unable to open database file"): _CANTOPEN,
    N_("file is not a database"): _NOTADB,
}


def driver() -> ModuleType:
    """Return the DB-API module: sqlcipher3, else the standard library's."""
    try:
        from sqlcipher3 import dbapi2
    except ImportError:
        import sqlite3 as dbapi2
    return dbapi2  # type: ignore[no-any-return]


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Tell whether SQLite ``version`` is free of the WAL-reset bug; 3.52.0 was withdrawn."""
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    return version >= (3, 51, 3) and version[:3] != (3, 52, 0)


def version() -> tuple[int, ...]:
    """Return the library's version."""
    return tuple(driver().sqlite_version_info)


def check_file(path: Path) -> None:
    """Refuse what is not a store of ours, before any SQLite code touches it.

    Raises ``NoStore``, ``NotAStore``, ``UnsafeStore``, ``StoreUnreadable``.
    """
    try:
        # O_NOFOLLOW: a planted link must not lead us to somebody else's file; O_NONBLOCK: a FIFO must not hold us up
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NoStore(path=path) from None
    except NotADirectoryError:
        raise NoStore(path=path) from None
    except OSError as error:
        if path.is_symlink():
            raise UnsafeStore(path=path, problem=_("it is a symbolic link")) from None
        raise StoreUnreadable(problem=f"{path}: {said(error)}") from None
    try:
        _check_open(path, os.fstat(descriptor), descriptor)
    finally:
        os.close(descriptor)


def _check_open(path: Path, info: os.stat_result, descriptor: int) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise NotAStore(path=path, problem=_("it is a directory"))
    if not stat.S_ISREG(info.st_mode):
        raise NotAStore(path=path, problem=_("it is not a regular file"))
    if info.st_uid not in (os.geteuid(), 0):
        raise UnsafeStore(path=path, problem=_("it belongs to another account"))
    if info.st_mode & 0o022:
        raise UnsafeStore(path=path, problem=_("other accounts may write to it"), hint=N_("chmod 600 {path}"))
    folder = path.parent.stat().st_mode
    if folder & 0o022 and not folder & stat.S_ISVTX:
        raise UnsafeStore(
            path=path, problem=_("other accounts may write to its directory"), hint=N_("chmod go-w its directory")
        )
    header = os.pread(descriptor, 100, 0)
    if not header:
        raise NotAStore(path=path, problem=_("it is empty"))
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise NotAStore(path=path, problem=_("it is not a SQLite database"))
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise NotAStore(path=path, problem=_("it is another program's database"))


def is_foreign(header: bytes) -> bool:
    """Tell whether a file that begins with these 100 bytes is another program's database."""
    return header.startswith(_MAGIC) and int.from_bytes(header[68:72], "big") != APPLICATION_ID


def engine(path: Path, *, busy_timeout: float, create: bool = False) -> Engine:
    """Return an engine on the file at ``path``; each connection is opened anew and set up as the laws of data say."""
    import sqlalchemy as sa
    from sqlalchemy import event
    from sqlalchemy.pool import NullPool

    dbapi = driver()
    mode = "rwc" if create else "rw"
    uri = f"file:{quoted(path)}?mode={mode}"

    def connect() -> Any:
        connection = dbapi.connect(uri, uri=True, isolation_level=None, timeout=busy_timeout, check_same_thread=False)
        _set_up(connection, wal=wal_is_safe(tuple(dbapi.sqlite_version_info)))
        return connection

    made = sa.create_engine(
        "sqlite://",
        module=dbapi,
        creator=connect,
        poolclass=NullPool,
        hide_parameters=True,
        skip_autocommit_rollback=True,
    )
    event.listen(made, "begin", _begin)
    return made


def quoted(path: Path) -> str:
    """Return a path as it stands in a SQLite URI."""
    from urllib.parse import quote

    return quote(str(path.absolute()))


def _set_up(connection: Any, *, wal: bool) -> None:
    for pragma in (
        "cipher_log_level=NONE",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "secure_delete=ON",
        "cell_size_check=ON",
        "temp_store=MEMORY",
        # a journal needs EXTRA for what FULL gives in WAL: the directory entry synced too
        f"synchronous={'FULL' if wal else 'EXTRA'}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def for_bulk(connection: Any) -> None:
    """Give a driver's connection memory for many changes: 64 MiB of pages, and as much log between two checkpoints."""
    for pragma in ("cache_size=-65536", "wal_autocheckpoint=16384"):
        connection.execute(f"PRAGMA {pragma}")


def be_patient(connection: Any, seconds: float) -> None:
    """Let a driver's connection wait ``seconds`` for a lock."""
    connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def _begin(connection: Connection) -> None:
    # a writer takes its lock at once: a read that becomes a write later fails without waiting (SQLITE_BUSY_SNAPSHOT)
    options = connection.get_execution_options()
    if options.get("lockless"):
        connection.exec_driver_sql("BEGIN")
    elif options.get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")


def prepare(connection: Any, *, wal: bool) -> None:
    """Give a file just created its journal mode and our mark."""
    connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


def create_exclusively(path: Path) -> None:
    """Create an empty private file: SQLite then gives its journals the same mode.

    Raises ``FileExistsError`` and other ``OSError``.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))


@contextmanager
def guarded(seconds: float) -> Iterator[None]:
    """Turn the driver's errors into ours, whether SQLAlchemy wrapped them or a bare cursor raised them."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (DBAPIError, driver().Error) as error:
        ours = translate(error.orig if isinstance(error, DBAPIError) else error, seconds)
        if ours is None:
            raise
        raise ours from None


def translate(error: Any, seconds: float) -> UsermgmtError | None:
    """Return our error for one of the driver's, or None where it is a fault of ours.

    ``error`` is the DB-API exception, ``seconds`` the time that was waited for a lock.
    """
    text = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = _BY_TEXT.get(text, -1) if code is None else code & _PRIMARY
    match primary:
        case c if c in (_BUSY, _LOCKED):
            return StoreBusy(seconds=f"{seconds:g}")
        case c if c == _FULL:
            return DiskFull(problem=_(text))
        case c if c == _IOERR:
            # a file-size limit shows as a failed write
            return DiskFull(problem=_(text), hint=N_("make room or mend the disk, then repeat the command"))
        case c if c == _READONLY:
            return StoreUnreadable(problem=_("it cannot be written to"))
        case c if c == _CANTOPEN:
            return StoreUnreadable(problem=_(text))
        case c if c in (_CORRUPT, _NOTADB):
            return IntegrityBroken(problem=_("the store file is damaged: {problem}").format(problem=_(text)))
    if text.startswith("Could not decode to UTF-8"):
        return IntegrityBroken(
            problem=_("the store holds text that is not UTF-8"), hint=N_("usermgmt audit verify tells where")
        )
    return None
