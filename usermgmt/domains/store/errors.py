"""What can be wrong with a store as a whole, and with a copy of it."""

from __future__ import annotations

from usermgmt.kernel.errors import Conflict, IntegrityBroken
from usermgmt.kernel.i18n import N_


class BackupBroken(IntegrityBroken):
    """The backup {path} cannot be trusted: {problem}."""

    code = "backup.broken"
    hint = N_("take another backup; this one is left as it is")


class AnotherStore(Conflict):
    """The backup is of store {backup}, but at {path} is store {there}."""

    code = "backup.other_store"
    hint = N_("name a place without a store: usermgmt --store PATH store restore FILE")


class NotEmpty(Conflict):
    """The database {path} is not empty, and is no store."""

    code = "store.not_empty"
    hint = N_("name an empty database with --store")


class TargetTaken(Conflict):
    """The database {path} is not empty, and is left alone: it holds {names}."""

    code = "copy.taken"
    hint = N_("name an empty one: createdb --encoding=UTF8 NAME")


class OtherKey(Conflict):
    """The key in {path} is another one than that of the store, and is left alone."""

    code = "copy.other_key"
    hint = N_("move it away, or set store.key_dir")


class CopyBroken(IntegrityBroken):
    """The copy was not made: {problem}."""

    code = "copy.broken"
    hint = N_("see whether the store itself holds: usermgmt audit verify --state")


class MigrationChanged(IntegrityBroken):
    """The migration to {schema} was taken back: {problem}."""

    code = "migration.failed"
    hint = N_("the store is as it was; keep it, and the backup that was made")


class RecodingFailed(IntegrityBroken):
    """The new file of the store {path} does not hold what the store holds."""

    code = "store.recoding_failed"
    hint = N_("the store is as it was: usermgmt doctor, then try again")
