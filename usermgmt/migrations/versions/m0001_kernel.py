"""The kernel's tables: what the store is, and its audit log."""

from alembic import op

revision = "0001"
down_revision = None

SQLITE = (
    """
    CREATE TABLE audit_denial (
        fingerprint TEXT NOT NULL,
        since TEXT NOT NULL,
        count INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        CONSTRAINT pk_audit_denial PRIMARY KEY (fingerprint),
        CONSTRAINT ck_audit_denial_count_counts CHECK (count >= 0)
    )
     STRICT
    """,
    """
    CREATE TABLE audit_entry (
        seq INTEGER NOT NULL,
        at TEXT NOT NULL,
        change_id TEXT NOT NULL,
        actor TEXT NOT NULL,
        via TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL,
        body TEXT NOT NULL,
        commits TEXT NOT NULL,
        hash TEXT NOT NULL,
        CONSTRAINT pk_audit_entry PRIMARY KEY (seq),
        CONSTRAINT ck_audit_entry_seq_counts CHECK (seq >= 1),
        CONSTRAINT ck_audit_entry_outcome_known CHECK (outcome IN ('ok', 'denied', 'failed')),
        CONSTRAINT ck_audit_entry_at_length CHECK (length(at) BETWEEN 24 AND 24),
        CONSTRAINT ck_audit_entry_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
     STRICT
    """,
    """
    CREATE INDEX ix_audit_entry_action_seq ON audit_entry (action, seq)
    """,
    """
    CREATE INDEX ix_audit_entry_actor_seq ON audit_entry (actor, seq)
    """,
    """
    CREATE INDEX ix_audit_entry_at ON audit_entry (at)
    """,
    """
    CREATE INDEX ix_audit_entry_change_id ON audit_entry (change_id)
    """,
    """
    CREATE INDEX ix_audit_entry_refused ON audit_entry (seq) WHERE outcome <> 'ok'
    """,
    """
    CREATE INDEX ix_audit_entry_target_seq ON audit_entry (target, seq)
    """,
    """
    CREATE TABLE audit_head (
        id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        frontier TEXT NOT NULL,
        CONSTRAINT pk_audit_head PRIMARY KEY (id),
        CONSTRAINT ck_audit_head_one_row CHECK (id = 1),
        CONSTRAINT ck_audit_head_seq_counts CHECK (seq >= 0),
        CONSTRAINT ck_audit_head_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
     STRICT
    """,
    """
    CREATE TABLE store_meta (
        id INTEGER NOT NULL,
        store_id TEXT NOT NULL,
        lineage INTEGER NOT NULL,
        simulated INTEGER NOT NULL,
        region TEXT,
        created_at TEXT NOT NULL,
        CONSTRAINT pk_store_meta PRIMARY KEY (id),
        CONSTRAINT ck_store_meta_one_row CHECK (id = 1),
        CONSTRAINT ck_store_meta_lineage_counts CHECK (lineage >= 1),
        CONSTRAINT ck_store_meta_store_id_length CHECK (length(store_id) BETWEEN 36 AND 36),
        CONSTRAINT ck_store_meta_region_length CHECK (length(region) BETWEEN 2 AND 2)
    )
     STRICT
    """,
    """
    CREATE TABLE audit_pii (
        seq INTEGER NOT NULL,
        part INTEGER NOT NULL,
        subject TEXT NOT NULL,
        salt TEXT NOT NULL,
        key_id TEXT,
        body TEXT NOT NULL,
        CONSTRAINT pk_audit_pii PRIMARY KEY (seq, part),
        CONSTRAINT ck_audit_pii_part_counts CHECK (part >= 0),
        CONSTRAINT ck_audit_pii_salt_length CHECK (length(salt) BETWEEN 64 AND 64),
        CONSTRAINT fk_audit_pii_seq_audit_entry FOREIGN KEY(seq) REFERENCES audit_entry (seq)
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_audit_pii_subject_seq ON audit_pii (subject, seq)
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE audit_denial (
        fingerprint TEXT COLLATE "C" NOT NULL,
        since TEXT COLLATE "C" NOT NULL,
        count BIGINT NOT NULL,
        actor TEXT COLLATE "C" NOT NULL,
        action TEXT COLLATE "C" NOT NULL,
        target TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_audit_denial PRIMARY KEY (fingerprint),
        CONSTRAINT ck_audit_denial_count_counts CHECK (count >= 0)
    )
    """,
    """
    CREATE TABLE audit_entry (
        seq BIGINT NOT NULL,
        at TEXT COLLATE "C" NOT NULL,
        change_id TEXT COLLATE "C" NOT NULL,
        actor TEXT COLLATE "C" NOT NULL,
        via TEXT COLLATE "C" NOT NULL,
        action TEXT COLLATE "C" NOT NULL,
        target TEXT COLLATE "C" NOT NULL,
        outcome TEXT COLLATE "C" NOT NULL,
        body TEXT COLLATE "C" NOT NULL,
        commits TEXT COLLATE "C" NOT NULL,
        hash TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_audit_entry PRIMARY KEY (seq),
        CONSTRAINT ck_audit_entry_seq_counts CHECK (seq >= 1),
        CONSTRAINT ck_audit_entry_outcome_known CHECK (outcome IN ('ok', 'denied', 'failed')),
        CONSTRAINT ck_audit_entry_at_length CHECK (length(at) BETWEEN 24 AND 24),
        CONSTRAINT ck_audit_entry_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
    """,
    """
    CREATE INDEX ix_audit_entry_action_seq ON audit_entry (action, seq)
    """,
    """
    CREATE INDEX ix_audit_entry_actor_seq ON audit_entry (actor, seq)
    """,
    """
    CREATE INDEX ix_audit_entry_at ON audit_entry (at)
    """,
    """
    CREATE INDEX ix_audit_entry_change_id ON audit_entry (change_id)
    """,
    """
    CREATE INDEX ix_audit_entry_refused ON audit_entry (seq) WHERE outcome <> 'ok'
    """,
    """
    CREATE INDEX ix_audit_entry_target_seq ON audit_entry (target, seq)
    """,
    """
    CREATE TABLE audit_head (
        id INTEGER NOT NULL,
        seq BIGINT NOT NULL,
        hash TEXT COLLATE "C" NOT NULL,
        frontier TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_audit_head PRIMARY KEY (id),
        CONSTRAINT ck_audit_head_one_row CHECK (id = 1),
        CONSTRAINT ck_audit_head_seq_counts CHECK (seq >= 0),
        CONSTRAINT ck_audit_head_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
    """,
    """
    CREATE TABLE store_meta (
        id INTEGER NOT NULL,
        store_id TEXT COLLATE "C" NOT NULL,
        lineage INTEGER NOT NULL,
        simulated BOOLEAN NOT NULL,
        region TEXT COLLATE "C",
        created_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_store_meta PRIMARY KEY (id),
        CONSTRAINT ck_store_meta_one_row CHECK (id = 1),
        CONSTRAINT ck_store_meta_lineage_counts CHECK (lineage >= 1),
        CONSTRAINT ck_store_meta_store_id_length CHECK (length(store_id) BETWEEN 36 AND 36),
        CONSTRAINT ck_store_meta_region_length CHECK (length(region) BETWEEN 2 AND 2)
    )
    """,
    """
    CREATE TABLE audit_pii (
        seq BIGINT NOT NULL,
        part INTEGER NOT NULL,
        subject TEXT COLLATE "C" NOT NULL,
        salt TEXT COLLATE "C" NOT NULL,
        key_id TEXT COLLATE "C",
        body TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_audit_pii PRIMARY KEY (seq, part),
        CONSTRAINT ck_audit_pii_part_counts CHECK (part >= 0),
        CONSTRAINT ck_audit_pii_salt_length CHECK (length(salt) BETWEEN 64 AND 64),
        CONSTRAINT fk_audit_pii_seq_audit_entry FOREIGN KEY(seq) REFERENCES audit_entry (seq)
    )
    """,
    """
    CREATE INDEX ix_audit_pii_subject_seq ON audit_pii (subject, seq)
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
