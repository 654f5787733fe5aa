"""Where the audit begins once old entries were removed from it."""

from alembic import op

revision = "0006"
down_revision = "0005"

SQLITE = (
    """
    CREATE TABLE audit_base (
        id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        frontier TEXT NOT NULL,
        CONSTRAINT pk_audit_base PRIMARY KEY (id),
        CONSTRAINT ck_audit_base_one_row CHECK (id = 1),
        CONSTRAINT ck_audit_base_seq_counts CHECK (seq >= 1),
        CONSTRAINT ck_audit_base_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
     STRICT
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE audit_base (
        id INTEGER NOT NULL,
        seq BIGINT NOT NULL,
        hash TEXT COLLATE "C" NOT NULL,
        frontier TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_audit_base PRIMARY KEY (id),
        CONSTRAINT ck_audit_base_one_row CHECK (id = 1),
        CONSTRAINT ck_audit_base_seq_counts CHECK (seq >= 1),
        CONSTRAINT ck_audit_base_hash_length CHECK (length(hash) BETWEEN 64 AND 64)
    )
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
