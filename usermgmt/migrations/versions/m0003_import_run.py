"""The runs of imports: what each was asked for and how far it came."""

from alembic import op

revision = "0003"
down_revision = "0002"

SQLITE = (
    """
    CREATE TABLE import_run (
        run TEXT NOT NULL,
        noun TEXT NOT NULL,
        file TEXT NOT NULL,
        size INTEGER,
        sha256 TEXT,
        options TEXT NOT NULL,
        report TEXT,
        report_bytes INTEGER NOT NULL,
        done INTEGER NOT NULL,
        counts TEXT NOT NULL,
        refusal TEXT NOT NULL,
        state TEXT NOT NULL,
        actor TEXT NOT NULL,
        started_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        ended_at TEXT,
        CONSTRAINT pk_import_run PRIMARY KEY (run),
        CONSTRAINT ck_import_run_state_known CHECK (state IN ('running', 'done', 'stopped', 'interrupted', 'failed')),
        CONSTRAINT ck_import_run_run_length CHECK (length(run) BETWEEN 36 AND 36),
        CONSTRAINT ck_import_run_done_counts CHECK (done >= 0),
        CONSTRAINT ck_import_run_report_bytes_counts CHECK (report_bytes >= 0),
        CONSTRAINT ck_import_run_file_is_known CHECK ((size IS NULL) = (sha256 IS NULL)),
        CONSTRAINT ck_import_run_ended_has_time CHECK ((state = 'running') = (ended_at IS NULL))
    )
     WITHOUT ROWID,
     STRICT
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE import_run (
        run TEXT COLLATE "C" NOT NULL,
        noun TEXT COLLATE "C" NOT NULL,
        file TEXT COLLATE "C" NOT NULL,
        size BIGINT,
        sha256 TEXT COLLATE "C",
        options JSONB NOT NULL,
        report TEXT COLLATE "C",
        report_bytes BIGINT NOT NULL,
        done BIGINT NOT NULL,
        counts JSONB NOT NULL,
        refusal JSONB NOT NULL,
        state TEXT COLLATE "C" NOT NULL,
        actor TEXT COLLATE "C" NOT NULL,
        started_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP(3) WITH TIME ZONE,
        CONSTRAINT pk_import_run PRIMARY KEY (run),
        CONSTRAINT ck_import_run_state_known CHECK (state IN ('running', 'done', 'stopped', 'interrupted', 'failed')),
        CONSTRAINT ck_import_run_run_length CHECK (length(run) BETWEEN 36 AND 36),
        CONSTRAINT ck_import_run_done_counts CHECK (done >= 0),
        CONSTRAINT ck_import_run_report_bytes_counts CHECK (report_bytes >= 0),
        CONSTRAINT ck_import_run_file_is_known CHECK ((size IS NULL) = (sha256 IS NULL)),
        CONSTRAINT ck_import_run_ended_has_time CHECK ((state = 'running') = (ended_at IS NULL))
    )
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
