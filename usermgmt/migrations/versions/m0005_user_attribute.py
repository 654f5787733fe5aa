"""Attributes of users that the configuration declares."""

from alembic import op

revision = "0005"
down_revision = "0004"

SQLITE = (
    """
    CREATE TABLE user_attribute (
        user_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        number INTEGER,
        CONSTRAINT pk_user_attribute PRIMARY KEY (user_id, name),
        CONSTRAINT ck_user_attribute_name_length CHECK (length(name) BETWEEN 1 AND 40),
        CONSTRAINT ck_user_attribute_value_length CHECK (length(value) BETWEEN 1 AND 500),
        CONSTRAINT fk_user_attribute_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_user_attribute_name_number ON user_attribute (name, number, user_id) WHERE number IS NOT NULL
    """,
    """
    CREATE INDEX ix_user_attribute_name_value ON user_attribute (name, value, user_id)
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE user_attribute (
        user_id BIGINT NOT NULL,
        name TEXT COLLATE "C" NOT NULL,
        value TEXT COLLATE "C" NOT NULL,
        number BIGINT,
        CONSTRAINT pk_user_attribute PRIMARY KEY (user_id, name),
        CONSTRAINT ck_user_attribute_name_length CHECK (length(name) BETWEEN 1 AND 40),
        CONSTRAINT ck_user_attribute_value_length CHECK (length(value) BETWEEN 1 AND 500),
        CONSTRAINT fk_user_attribute_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_user_attribute_name_number ON user_attribute (name, number, user_id) WHERE number IS NOT NULL
    """,
    """
    CREATE INDEX ix_user_attribute_name_value ON user_attribute (name, value, user_id)
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
