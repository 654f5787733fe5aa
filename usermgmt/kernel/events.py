"""Every action that the audit log can hold, ``domain.verb``; what each one means is in its comment."""

from __future__ import annotations

from enum import StrEnum


class E(StrEnum):
    """Audit actions, in alphabetical order."""

    AUDIT_CHECKPOINT = "audit.checkpoint"  # a signed head was written to a file
    AUDIT_EXPORT = "audit.export"  # the log left the store; as ndjson with personal parts and all
    AUDIT_PRUNE = "audit.prune"  # old entries were removed, into an archive
    AUDIT_RESTATE = "audit.restate"  # all that a record is was said again, since older entries about it were removed
    CONFIG_INIT = "config.init"  # a configuration file was written, every setting commented out
    CONFIG_SET = "config.set"  # a setting was written into a configuration file, or taken out
    DATA_EXPORT = "data.export"  # personal data left the store unmasked
    DATA_IMPORT = "data.import"  # one run of an import, with its counts
    DATA_REVEAL = "data.reveal"  # personal data was shown unmasked
    DENIALS = "access.denials"  # denials equal to an earlier entry, counted over a minute
    ORG_ADD = "org.add"  # a unit was created
    ORG_MOVE = "org.move"  # a unit went, with all below it, to another place in the tree
    ORG_REMOVE = "org.remove"  # a unit without members was removed
    ORG_SET = "org.set"  # a unit has another name or another head
    STORE_BACKUP = "store.backup"  # a copy of the store was made and verified
    STORE_COPY = "store.copy"  # this store is a copy of another one: a new lineage begins
    STORE_COPY_TO = "store.copy-to"  # a copy of the store was made in another place
    STORE_DECRYPT = "store.decrypt"  # the store became a plain file
    STORE_ENCRYPT = "store.encrypt"  # the store became an encrypted file
    STORE_FIX = "store.fix"  # the store's surroundings were mended: rights, anchors, journal, litter
    STORE_INIT = "store.init"  # the first entry of every store
    STORE_MIGRATE = "store.migrate"  # the schema was brought forward
    STORE_REKEY = "store.rekey"  # the store was encrypted with another key
    STORE_RESTORE = "store.restore"  # a backup became the store: a new lineage begins
    USER_ACTIVATE = "user.activate"  # pending or suspended to active
    USER_ADD = "user.add"  # a user was created
    USER_BULK = "user.bulk"  # one run over many users, with its counts
    USER_CLOSE = "user.close"  # the user left; the record stays
    USER_EXPIRED = "user.expired"  # the time of an account was over, and notice was given of it
    USER_EXPIRING = "user.expiring"  # notice was given that the time of an account will soon be over
    USER_NOTE = "user.note"  # a note was written about a user
    USER_REMOVE = "user.remove"  # a record without history was removed
    USER_RENAME = "user.rename"  # the username changed; the former one stays reserved
    USER_REOPEN = "user.reopen"  # closed to active
    USER_SET = "user.set"  # fields, addresses, external ids changed
    USER_SUSPEND = "user.suspend"  # an operator stopped the user
    USER_TAG = "user.tag"  # tags changed
