"""Every permission that a command can need, ``GROUP:ACT``; acts are create, read, update, remove, or a domain verb."""

from __future__ import annotations

from enum import StrEnum


class P(StrEnum):
    """Permissions, in alphabetical order."""

    AUDIT_CHECKPOINT = "audit:checkpoint"
    AUDIT_EXPORT = "audit:export"
    AUDIT_PRUNE = "audit:prune"
    AUDIT_READ = "audit:read"
    AUDIT_VERIFY = "audit:verify"
    DATA_EXPORT = "data:export"
    DATA_IMPORT = "data:import"
    DATA_REVEAL = "data:reveal"
    ORG_CREATE = "org:create"
    ORG_MOVE = "org:move"
    ORG_READ = "org:read"
    ORG_REMOVE = "org:remove"
    ORG_UPDATE = "org:update"
    STORE_BACKUP = "store:backup"
    STORE_COPY = "store:copy"
    STORE_ENCRYPT = "store:encrypt"
    STORE_FIX = "store:fix"
    STORE_MIGRATE = "store:migrate"
    STORE_READ = "store:read"
    STORE_RESTORE = "store:restore"
    TICK_RUN = "tick:run"
    UPCOMING_READ = "upcoming:read"
    USER_ACTIVATE = "user:activate"
    USER_CLOSE = "user:close"
    USER_CREATE = "user:create"
    USER_READ = "user:read"
    USER_REMOVE = "user:remove"
    USER_RENAME = "user:rename"
    USER_SUSPEND = "user:suspend"
    USER_UPDATE = "user:update"
