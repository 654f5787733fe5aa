"""What the program is made of, asked without importing more of it than it takes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from usermgmt import __version__
from usermgmt.kernel import sqlite
from usermgmt.migrations import HEAD


def facts() -> dict[str, object]:
    """Return the versions; ``postgresql_driver`` is None where it is not installed.

    ``wal`` tells whether stores have a write-ahead log: not where this SQLite has the WAL-reset bug.
    """
    driver = sqlite.driver().__name__.partition(".")[0]
    return {
        "version": __version__,
        "schema": HEAD,
        "python": platform.python_version(),
        "sqlite": ".".join(map(str, sqlite.version())),
        "sqlite_driver": f"{driver} {_installed(driver)}".rstrip() if driver == "sqlcipher3" else driver,
        "wal": sqlite.wal_is_safe(sqlite.version()),
        "postgresql_driver": f"psycopg {found}" if (found := _installed("psycopg")) else None,
        "platform": platform.platform(),
    }


def _installed(package: str) -> str:
    try:
        return installed(package)
    except PackageNotFoundError:
        return ""
