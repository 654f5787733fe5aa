"""What ticks have done, notices of windows that end, and an index on their beginnings."""

from alembic import op

revision = "0004"
down_revision = "0003"

# accounts whose time was over long before there were ticks are no news
_SINCE_NOW = """
    INSERT INTO tick_slot (job, due, done_at)
    SELECT 'user.expiring', '1970-01-01T00:00:00.000Z', {at} FROM audit_entry ORDER BY seq DESC LIMIT 1
    """

SQLITE = (
    """
    CREATE TABLE tick_slot (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        job TEXT NOT NULL,
        due TEXT NOT NULL,
        leased_by TEXT,
        lease_until TEXT,
        done_at TEXT,
        CONSTRAINT ck_tick_slot_job_length CHECK (length(job) BETWEEN 1 AND 64),
        CONSTRAINT ck_tick_slot_lease_is_whole CHECK ((leased_by IS NULL) = (lease_until IS NULL)),
        CONSTRAINT ck_tick_slot_done_or_leased CHECK ((done_at IS NULL) = (leased_by IS NOT NULL)),
        CONSTRAINT uq_tick_slot_job_due UNIQUE (job, due)
    )
     STRICT
    """,
    """
    CREATE TABLE user_notice (
        user_id INTEGER NOT NULL,
        valid_until TEXT NOT NULL,
        period INTEGER NOT NULL,
        CONSTRAINT pk_user_notice PRIMARY KEY (user_id, valid_until, period),
        CONSTRAINT ck_user_notice_period_counts CHECK (period >= 0),
        CONSTRAINT fk_user_notice_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_user_valid_from ON user (valid_from) WHERE valid_from IS NOT NULL
    """,
    _SINCE_NOW.format(at="at"),
)

POSTGRESQL = (
    """
    CREATE TABLE tick_slot (
        id BIGSERIAL NOT NULL,
        job TEXT COLLATE "C" NOT NULL,
        due TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        leased_by TEXT COLLATE "C",
        lease_until TIMESTAMP(3) WITH TIME ZONE,
        done_at TIMESTAMP(3) WITH TIME ZONE,
        CONSTRAINT pk_tick_slot PRIMARY KEY (id),
        CONSTRAINT ck_tick_slot_job_length CHECK (length(job) BETWEEN 1 AND 64),
        CONSTRAINT ck_tick_slot_lease_is_whole CHECK ((leased_by IS NULL) = (lease_until IS NULL)),
        CONSTRAINT ck_tick_slot_done_or_leased CHECK ((done_at IS NULL) = (leased_by IS NOT NULL)),
        CONSTRAINT uq_tick_slot_job_due UNIQUE (job, due)
    )
    """,
    """
    CREATE TABLE user_notice (
        user_id BIGINT NOT NULL,
        valid_until TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        period BIGINT NOT NULL,
        CONSTRAINT pk_user_notice PRIMARY KEY (user_id, valid_until, period),
        CONSTRAINT ck_user_notice_period_counts CHECK (period >= 0),
        CONSTRAINT fk_user_notice_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_user_valid_from ON "user" (valid_from) WHERE valid_from IS NOT NULL
    """,
    _SINCE_NOW.format(at="at::timestamptz"),
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
