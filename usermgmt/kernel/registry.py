"""Where each domain declares what it offers the rest: tables, personal columns, tick jobs, metrics, importers.

A domain's ``__init__`` imports nothing, so declarations live in ``domains/<group>/declares.py``, which imports only
``types`` and this module; whoever needs a service named there imports it by its dotted name.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from usermgmt.kernel.schedule import Schedule

DOMAINS = ("user", "org", "import_", "store", "audit", "tick")
"""Domains that declare something, in the order in which they may know each other: later ones know earlier ones."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A kind of audited row: folding the entries with target ``kind:<uid>`` gives it back.

    ``personal`` names the fields that stand as salted commitments. ``follows`` names fields that an entry leaves
    out when they equal what they follow: another field, ``@created`` (time of the first entry), ``@changed`` (time
    of the last) or ``@field:NAME`` (time of the last entry that changed NAME); ``kernel.audit.fold`` reads it.
    ``unfolded`` are the store's own numbers, which no entry keeps. Dotted names of functions: ``rows`` yields the rows
    to compare (``fold.Row``), ``names`` turns uids into names for people, ``details`` folds what the tables keep beside
    the fields.
    """

    kind: str
    personal: frozenset[str]
    masks: dict[str, str]
    follows: dict[str, str]
    rows: str
    names: str
    details: str = ""
    unfolded: frozenset[str] = frozenset({"id", "version"})


@dataclass(frozen=True, slots=True)
class Job:
    """Work that ``tick`` does when its time has come.

    ``run`` names a function of the context and a ``jobs.Turn`` that returns a ``jobs.Step``; it is called inside a
    writers' transaction, and again while its step says ``more``. ``missed`` tells what becomes of times at which no
    tick ran: all of them are made up for by one run, or each has its own, in order.
    """

    name: str
    summary: str
    schedule: Schedule
    run: str
    missed: Literal["once", "each"] = "once"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one domain offers: ``models`` and the functions are dotted names, imported when needed.

    ``operational`` names its tables that the audit leaves out, since they say how a job stands and nothing of anybody:
    a transaction that changed nothing else needs no entry, and ``audit verify --state`` does not compare them.
    ``indexes`` names those that follow from audited rows, each with a function that tells whether it does.

    ``upcoming`` names functions of the context and a time that yield what falls due before it, as ``jobs.Due`` in the
    order of time.
    """

    domain: str
    models: str = ""
    audited: tuple[Audited, ...] = ()
    operational: frozenset[str] = frozenset()
    indexes: dict[str, str] = field(default_factory=dict)
    importers: dict[str, str] = field(default_factory=dict)
    exporters: dict[str, str] = field(default_factory=dict)
    tick_jobs: tuple[Job, ...] = ()
    upcoming: tuple[str, ...] = ()
    metrics: dict[str, str] = field(default_factory=dict)


@cache
def declarations() -> tuple[Declaration, ...]:
    """Return what every domain declares; imports no models and no services."""
    return tuple(importlib.import_module(f"usermgmt.domains.{name}.declares").DECLARES for name in DOMAINS)


@cache
def audited(kind: str) -> Audited | None:
    """Return the declaration of the audited row ``kind``."""
    return next((row for one in declarations() for row in one.audited if row.kind == kind), None)


@cache
def operational() -> frozenset[str]:
    """Return the tables that the audit leaves out, of all domains."""
    return frozenset(name for one in declarations() for name in one.operational)


@cache
def indexes() -> dict[str, str]:
    """Return the tables that follow from audited rows, each with the dotted name of what tells whether it does."""
    return {name: dotted for one in declarations() for name, dotted in one.indexes.items()}


def jobs() -> tuple[Job, ...]:
    """Return the jobs of every domain, in the order in which a tick does them."""
    return tuple(job for one in declarations() for job in one.tick_jobs)


def resolve(dotted: str) -> object:
    """Import what the dotted name ``package.module:attribute`` names."""
    module, _colon, attribute = dotted.partition(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def load_models() -> None:
    """Import every table of every domain: for migrations, backups and whole-store checks."""
    importlib.import_module("usermgmt.kernel.tables")
    for one in declarations():
        if one.models:
            importlib.import_module(one.models)
