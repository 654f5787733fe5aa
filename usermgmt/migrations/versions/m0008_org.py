"""Units of the organisation, and which one a user belongs to."""

from alembic import op

revision = "0008"
down_revision = "0007"

SQLITE = (
    """
    CREATE TABLE org_unit (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL,
        version INTEGER NOT NULL,
        parent_id INTEGER,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        path_norm TEXT NOT NULL,
        head_user_id INTEGER,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        CONSTRAINT ck_org_unit_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_org_unit_name_length CHECK (length(name) BETWEEN 1 AND 100),
        CONSTRAINT ck_org_unit_path_length CHECK (length(path) BETWEEN 1 AND 500),
        CONSTRAINT ck_org_unit_path_norm_length CHECK (length(path_norm) BETWEEN 1 AND 500),
        CONSTRAINT ck_org_unit_version_counts CHECK (version >= 1),
        CONSTRAINT ck_org_unit_not_below_itself CHECK (parent_id <> id),
        CONSTRAINT ck_org_unit_path_has_parent CHECK ((parent_id IS NULL) = (replace(path_norm, '/', '') = path_norm)),
        CONSTRAINT uq_org_unit_uid UNIQUE (uid),
        CONSTRAINT uq_org_unit_path_norm UNIQUE (path_norm),
        CONSTRAINT fk_org_unit_parent_id_org_unit FOREIGN KEY(parent_id) REFERENCES org_unit (id)
            DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT fk_org_unit_head_user_id_user FOREIGN KEY(head_user_id) REFERENCES user (id)
    )
     STRICT
    """,
    """
    CREATE INDEX ix_org_unit_head_user_id ON org_unit (head_user_id)
    """,
    """
    CREATE INDEX ix_org_unit_parent_id ON org_unit (parent_id)
    """,
    """
    CREATE TABLE user_org (
        user_id INTEGER NOT NULL,
        org_id INTEGER NOT NULL,
        CONSTRAINT pk_user_org PRIMARY KEY (user_id),
        CONSTRAINT fk_user_org_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE,
        CONSTRAINT fk_user_org_org_id_org_unit FOREIGN KEY(org_id) REFERENCES org_unit (id)
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_user_org_org_id_user_id ON user_org (org_id, user_id)
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE org_unit (
        id BIGSERIAL NOT NULL,
        uid TEXT COLLATE "C" NOT NULL,
        version BIGINT NOT NULL,
        parent_id BIGINT,
        name TEXT COLLATE "C" NOT NULL,
        path TEXT COLLATE "C" NOT NULL,
        path_norm TEXT COLLATE "C" NOT NULL,
        head_user_id BIGINT,
        created_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_org_unit PRIMARY KEY (id),
        CONSTRAINT ck_org_unit_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_org_unit_name_length CHECK (length(name) BETWEEN 1 AND 100),
        CONSTRAINT ck_org_unit_path_length CHECK (length(path) BETWEEN 1 AND 500),
        CONSTRAINT ck_org_unit_path_norm_length CHECK (length(path_norm) BETWEEN 1 AND 500),
        CONSTRAINT ck_org_unit_version_counts CHECK (version >= 1),
        CONSTRAINT ck_org_unit_not_below_itself CHECK (parent_id <> id),
        CONSTRAINT ck_org_unit_path_has_parent CHECK ((parent_id IS NULL) = (replace(path_norm, '/', '') = path_norm)),
        CONSTRAINT uq_org_unit_uid UNIQUE (uid),
        CONSTRAINT uq_org_unit_path_norm UNIQUE (path_norm),
        CONSTRAINT fk_org_unit_parent_id_org_unit FOREIGN KEY(parent_id) REFERENCES org_unit (id)
            DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT fk_org_unit_head_user_id_user FOREIGN KEY(head_user_id) REFERENCES "user" (id)
    )
    """,
    """
    CREATE INDEX ix_org_unit_head_user_id ON org_unit (head_user_id)
    """,
    """
    CREATE INDEX ix_org_unit_parent_id ON org_unit (parent_id)
    """,
    """
    CREATE TABLE user_org (
        user_id BIGINT NOT NULL,
        org_id BIGINT NOT NULL,
        CONSTRAINT pk_user_org PRIMARY KEY (user_id),
        CONSTRAINT fk_user_org_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE,
        CONSTRAINT fk_user_org_org_id_org_unit FOREIGN KEY(org_id) REFERENCES org_unit (id)
    )
    """,
    """
    CREATE INDEX ix_user_org_org_id_user_id ON user_org (org_id, user_id)
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
