"""The kernel's own tables: what the store is, its audit log, and nothing of any domain.

They are Core tables and not models: the audit's rows are written in bulk and read in streams, never as objects.
"""

from __future__ import annotations

import sqlalchemy as sa

from usermgmt.kernel.columns import KEYED, STRICT, BigId, Bool, Text, UtcDateTime, length, metadata, one_of

OUTCOMES = ("ok", "denied", "failed")

store_meta = sa.Table(
    "store_meta",
    metadata,
    sa.Column("id", sa.INTEGER, primary_key=True, autoincrement=False),
    sa.Column("store_id", Text, nullable=False),
    sa.Column("lineage", sa.INTEGER, nullable=False),
    sa.Column("simulated", Bool, nullable=False),
    sa.Column("region", Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
    sa.CheckConstraint("lineage >= 1", name="lineage_counts"),
    length("store_id", 36, 36),
    length("region", 2, 2),
    info={"is": "what this store is"},
    **STRICT,
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.INTEGER, primary_key=True, autoincrement=False),
    sa.Column("seq", BigId, nullable=False),
    sa.Column("hash", Text, nullable=False),
    sa.Column("frontier", Text, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
    sa.CheckConstraint("seq >= 0", name="seq_counts"),
    length("hash", 64, 64),
    info={"is": "the last entry of the audit and the RFC 6962 frontier; its row is the lock that writers queue for"},
    **STRICT,
)

audit_base = sa.Table(
    "audit_base",
    metadata,
    sa.Column("id", sa.INTEGER, primary_key=True, autoincrement=False),
    sa.Column("seq", BigId, nullable=False),
    sa.Column("hash", Text, nullable=False),
    sa.Column("frontier", Text, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
    sa.CheckConstraint("seq >= 1", name="seq_counts"),
    length("hash", 64, 64),
    info={"is": "the last entry that was removed to an archive, and the frontier there; no row before the first prune"},
    **STRICT,
)

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    sa.Column("seq", BigId, primary_key=True, autoincrement=False),
    # text and not timestamptz: these exact bytes are hashed
    sa.Column("at", Text, nullable=False, index=True),
    sa.Column("change_id", Text, nullable=False, index=True),
    sa.Column("actor", Text, nullable=False),
    sa.Column("via", Text, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("target", Text, nullable=False),
    sa.Column("outcome", Text, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.Column("commits", Text, nullable=False),
    sa.Column("hash", Text, nullable=False),
    sa.CheckConstraint("seq >= 1", name="seq_counts"),
    one_of("outcome", OUTCOMES),
    length("at", 24, 24),
    length("hash", 64, 64),
    sa.Index("ix_audit_entry_target_seq", "target", "seq"),
    sa.Index("ix_audit_entry_actor_seq", "actor", "seq"),
    sa.Index("ix_audit_entry_action_seq", "action", "seq"),
    sa.Index(
        "ix_audit_entry_refused",
        "seq",
        sqlite_where=sa.text("outcome <> 'ok'"),
        postgresql_where=sa.text("outcome <> 'ok'"),
    ),
    info={"is": "the hash chain; appended, never changed"},
    **STRICT,
)

audit_pii = sa.Table(
    "audit_pii",
    metadata,
    sa.Column("seq", BigId, sa.ForeignKey("audit_entry.seq"), primary_key=True, autoincrement=False),
    sa.Column("part", sa.INTEGER, primary_key=True, autoincrement=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("salt", Text, nullable=False),
    sa.Column("key_id", Text),
    sa.Column("body", Text, nullable=False),
    sa.CheckConstraint("part >= 0", name="part_counts"),
    length("salt", 64, 64),
    sa.Index("ix_audit_pii_subject_seq", "subject", "seq"),
    info={
        "is": "the personal parts of entries, bound by salted commitments, so that erasing them leaves the chain valid"
    },
    **KEYED,
)

audit_denial = sa.Table(
    "audit_denial",
    metadata,
    sa.Column("fingerprint", Text, primary_key=True),
    sa.Column("since", Text, nullable=False),
    sa.Column("count", BigId, nullable=False),
    sa.Column("actor", Text, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("target", Text, nullable=False),
    sa.CheckConstraint("count >= 0", name="count_counts"),
    info={"is": "denials equal to one already on the log, counted until their minute is over"},
    **STRICT,
)
