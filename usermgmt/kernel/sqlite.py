"""The embedded engine: opening a SQLite store safely, encrypted or plain, and its driver's errors as ours.

SQLAlchemy is imported only where an engine is made, since completion reads the file without it.
``sqlcipher3`` carries a current SQLite everywhere; the standard library's module is the fallback, without WAL where
its version has the WAL-reset corruption bug (SQLite 3.7.0 to 3.51.2, mended in 3.51.3 and in 3.50.7, 3.44.6).
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.kernel import cipher
from usermgmt.kernel.errors import (
    DiskFull,
    IntegrityBroken,
    NoStore,
    NotAStore,
    StoreBusy,
    StoreUnreadable,
    Unavailable,
    UnsafeStore,
    UsermgmtError,
    said,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy.engine import Connection, Engine

    from usermgmt.kernel.cipher import StoreKey

APPLICATION_ID = 0x554D4754  # "UMGT"
_MAGIC = b"SQLite format 3\x00"
_NAMED = 3
"""So many damages are told; more would say nothing new."""
_PRIMARY = 0xFF  # extended result codes keep the primary one in their low byte

# Primary result codes (sqlite.org/rescode.html)
_ERROR, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 1, 5, 6, 8, 10, 11, 13, 14, 26
_MOVED = 1032  # SQLITE_READONLY_DBMOVED: the file was exchanged while a store without WAL was waited for
_RETRY = 0.02
# The driver's backup() and SQLCipher's export tell a code by its text alone, as sqlite3_errstr gives it
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


class NoCipher(Unavailable):
    """The store {path} is encrypted, and the SQLite of this Python cannot read that."""

    code = "store.no_cipher"
    hint = N_("pip install sqlcipher3")


_UNKNOWN = ("no such column", "unknown function", "no such function", "no such collation sequence", "no such index")


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


def check_cipher(path: object) -> None:
    """Make sure that the driver can read encrypted files; raises ``NoCipher``."""
    if driver().__name__.partition(".")[0] != "sqlcipher3":
        raise NoCipher(path=path)


def check_file(path: Path) -> str | None:
    """Refuse what is not a store of ours, before any SQLite code touches it.

    Returns the id of the store where the file is encrypted, None where it is plain.
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
        return _check_open(path, os.fstat(descriptor), descriptor)
    except OSError as error:
        raise StoreUnreadable(problem=f"{path}: {said(error)}") from None
    finally:
        os.close(descriptor)


def _check_open(path: Path, info: os.stat_result, descriptor: int) -> str | None:
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
    if store_id := cipher.owner(header, info.st_size):
        return store_id
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise NotAStore(path=path, problem=_("it is not a SQLite database"))
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise NotAStore(path=path, problem=_("it is another program's database"))
    return None


def is_foreign(header: bytes) -> bool:
    """Tell whether a file that begins with these 100 bytes is another program's database."""
    return header.startswith(_MAGIC) and int.from_bytes(header[68:72], "big") != APPLICATION_ID


def engine(
    path: Path,
    *,
    busy_timeout: float,
    key: StoreKey | Callable[[], StoreKey | None] | None = None,
    exclusive: bool = False,
) -> Engine:
    """Return an engine on the file at ``path``; each connection is opened anew and set up as the laws of data say.

    ``key`` opens an encrypted file, or finds the key of whatever is at ``path`` when it is opened. ``exclusive``
    connections wait until nobody else has the file open, and keep everybody else waiting.
    """
    import sqlalchemy as sa
    from sqlalchemy import event
    from sqlalchemy.pool import NullPool

    made = sa.create_engine(
        "sqlite://",
        module=driver(),
        creator=_Opener(path, busy_timeout, key if callable(key) else lambda: key, exclusive=exclusive),
        poolclass=NullPool,
        hide_parameters=True,
        skip_autocommit_rollback=True,
    )
    event.listen(made, "begin", _begin)
    return made


class _Opener:
    """Opens connections to one path, each to the file that has the name when its first lock is held.

    A command that encrypts a store gives the name to another file while nobody has the old one open. Whoever opened
    the old file a moment before waits for its lock, gets it on a file without a name, and has to begin anew: what is
    written there would be lost. A connection that has passed keeps the old file's lock until it is closed.
    """

    def __init__(self, path: Path, patience: float, key: Callable[[], StoreKey | None], *, exclusive: bool) -> None:
        self.dbapi = driver()
        self.path, self.patience, self.find_key, self.exclusive = path, patience, key, exclusive
        self.uri = f"file:{quoted(path)}?mode=rw"
        self.wal = wal_is_safe(tuple(self.dbapi.sqlite_version_info))
        self.key: StoreKey | None = None
        self.seen: tuple[int, int] | None = None
        self._look(_identity(path))

    def __call__(self) -> Any:
        while True:
            if (there := _identity(self.path)) != self.seen:
                self._look(there)
            connection = self.dbapi.connect(
                self.uri, uri=True, isolation_level=None, timeout=self.patience, check_same_thread=False
            )
            try:
                self._begin(connection)
            except UnicodeDecodeError:
                # the driver wanted to name what is malformed, and the name is malformed too
                connection.close()
                problem = _("the store file is damaged: {problem}")
                raise IntegrityBroken(problem=problem.format(problem=_("database disk image is malformed"))) from None
            except self.dbapi.Error:
                connection.close()
                # a number of a file is given again once the file is gone
                if _identity(self.path) == there and not self._look(there):
                    raise
                continue
            if _identity(self.path) == there:
                return connection
            connection.close()

    def _look(self, there: tuple[int, int] | None) -> bool:
        """Find the key of the file that is there; tell whether it is another one than before."""
        before, self.key, self.seen = self.key, self.find_key(), there
        return self.key != before

    def _begin(self, connection: Any) -> None:
        if self.key is not None:
            self.key.unlock(connection)
        _set_up(connection, wal=self.wal)
        if self.exclusive:
            _lock_out(connection, self.patience)
        else:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        # said by the driver as it opens the file
        return None
    return info.st_dev, info.st_ino


def _lock_out(connection: Any, patience: float) -> None:
    """Take the whole file for this connection until it is closed; SQLite does not wait for that by itself."""
    # before the first read: a write-ahead log is else shared with whoever comes
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    limit = time.monotonic() + patience
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        except driver().OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != _BUSY or time.monotonic() > limit:
                raise
            time.sleep(_RETRY)
        else:
            return


def damage(connection: Connection, *, quick: bool = False) -> str:
    """Return what is wrong with the pages of a SQLite file, empty where nothing is; ``quick`` leaves indexes out."""
    pragma = "quick_check" if quick else "integrity_check"
    found = [row[0] for row in connection.exec_driver_sql(f"PRAGMA {pragma}({_NAMED})")]
    return "" if found == ["ok"] else "; ".join(line for row in found for line in str(row).splitlines())


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
    """Give a driver's connection memory for many changes: 128 MiB of pages, and 256 MiB of log between two checkpoints.

    In a store of a million users a chunk touches pages all over the indexes, which are in the log once for each chunk
    and in the store once for each checkpoint: with 64 MiB of log twice as much was written, and with 64 MiB of pages a
    tenth more time was taken.
    """
    for pragma in ("cache_size=-131072", "wal_autocheckpoint=65536"):
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
    except UnicodeDecodeError:
        # the driver could not even name what it does not know
        raise _undecodable() from None


def _undecodable() -> IntegrityBroken:
    return IntegrityBroken(
        problem=_("the store holds text that is not UTF-8"), hint=N_("usermgmt audit verify tells where")
    )


def translate(error: Any, seconds: float) -> UsermgmtError | None:
    """Return our error for one of the driver's, or None where it is a fault of ours.

    ``error`` is the DB-API exception, ``seconds`` the time that was waited for a lock.
    """
    text = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = _BY_TEXT.get(text, -1) if code in (None, _ERROR) else code & _PRIMARY
    match primary:
        case c if c in (_BUSY, _LOCKED) or code == _MOVED:
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
        return _undecodable()
    if text.startswith(_UNKNOWN):
        # our statements name what every store of this schema has
        return IntegrityBroken(problem=_("the schema is not what this program makes: {names}").format(names=text))
    return None
