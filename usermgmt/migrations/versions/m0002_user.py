"""Users, their identifiers, tags and notes."""

from alembic import op

revision = "0002"
down_revision = "0001"

SQLITE = (
    """
    CREATE TABLE user (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL,
        version INTEGER NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        status_reason TEXT,
        status_at TEXT NOT NULL,
        username TEXT NOT NULL,
        username_norm TEXT NOT NULL,
        skeleton TEXT NOT NULL,
        display_name TEXT,
        full_name TEXT,
        email TEXT,
        email_norm TEXT,
        email_verified_at TEXT,
        phone TEXT,
        phone_verified_at TEXT,
        gender TEXT,
        birth_date TEXT,
        occupation TEXT,
        locale TEXT,
        time_zone TEXT,
        valid_from TEXT,
        valid_until TEXT,
        managed_by TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        CONSTRAINT ck_user_kind_known CHECK (kind IN ('person', 'service')),
        CONSTRAINT ck_user_status_known CHECK (status IN ('pending', 'active', 'suspended', 'closed', 'erased')),
        CONSTRAINT ck_user_gender_known CHECK (gender IN ('female', 'male', 'other')),
        CONSTRAINT ck_user_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_user_username_length CHECK (length(username) BETWEEN 1 AND 128),
        CONSTRAINT ck_user_username_norm_length CHECK (length(username_norm) BETWEEN 1 AND 128),
        CONSTRAINT ck_user_email_length CHECK (length(email) BETWEEN 3 AND 254),
        CONSTRAINT ck_user_phone_length CHECK (length(phone) BETWEEN 4 AND 16),
        CONSTRAINT ck_user_display_name_length CHECK (length(display_name) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_full_name_length CHECK (length(full_name) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_occupation_length CHECK (length(occupation) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_locale_length CHECK (length(locale) BETWEEN 1 AND 35),
        CONSTRAINT ck_user_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 64),
        CONSTRAINT ck_user_status_reason_length CHECK (length(status_reason) BETWEEN 1 AND 2000),
        CONSTRAINT ck_user_managed_by_length CHECK (length(managed_by) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_version_counts CHECK (version >= 1),
        CONSTRAINT ck_user_window_is_open CHECK (valid_from < valid_until),
        CONSTRAINT ck_user_email_has_norm CHECK ((email IS NULL) = (email_norm IS NULL)),
        CONSTRAINT uq_user_uid UNIQUE (uid),
        CONSTRAINT uq_user_username_norm UNIQUE (username_norm),
        CONSTRAINT uq_user_email_norm UNIQUE (email_norm),
        CONSTRAINT uq_user_phone UNIQUE (phone)
    )
     STRICT
    """,
    """
    CREATE INDEX ix_user_created_at_id ON user (created_at, id)
    """,
    """
    CREATE INDEX ix_user_skeleton ON user (skeleton)
    """,
    """
    CREATE INDEX ix_user_status_id ON user (status, id)
    """,
    """
    CREATE INDEX ix_user_valid_until ON user (valid_until) WHERE valid_until IS NOT NULL
    """,
    """
    CREATE TABLE user_address (
        user_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        CONSTRAINT pk_user_address PRIMARY KEY (user_id, kind, value),
        CONSTRAINT ck_user_address_kind_known CHECK (kind IN ('email', 'phone')),
        CONSTRAINT ck_user_address_value_length CHECK (length(value) BETWEEN 3 AND 254),
        CONSTRAINT fk_user_address_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE TABLE user_external_id (
        user_id INTEGER NOT NULL,
        system TEXT NOT NULL,
        external_id TEXT NOT NULL,
        CONSTRAINT pk_user_external_id PRIMARY KEY (user_id, system),
        CONSTRAINT ck_user_external_id_system_length CHECK (length(system) BETWEEN 1 AND 64),
        CONSTRAINT ck_user_external_id_external_id_length CHECK (length(external_id) BETWEEN 1 AND 255),
        CONSTRAINT uq_user_external_id_system_external_id UNIQUE (system, external_id),
        CONSTRAINT fk_user_external_id_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE TABLE user_former_name (
        username_norm TEXT NOT NULL,
        user_id INTEGER NOT NULL,
        username TEXT NOT NULL,
        skeleton TEXT NOT NULL,
        until TEXT NOT NULL,
        CONSTRAINT pk_user_former_name PRIMARY KEY (username_norm),
        CONSTRAINT ck_user_former_name_username_length CHECK (length(username) BETWEEN 1 AND 128),
        CONSTRAINT fk_user_former_name_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_user_former_name_skeleton ON user_former_name (skeleton)
    """,
    """
    CREATE INDEX ix_user_former_name_user_id ON user_former_name (user_id)
    """,
    """
    CREATE TABLE user_note (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL,
        user_id INTEGER NOT NULL,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        text TEXT NOT NULL,
        CONSTRAINT ck_user_note_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_user_note_text_length CHECK (length(text) BETWEEN 1 AND 10000),
        CONSTRAINT uq_user_note_uid UNIQUE (uid),
        CONSTRAINT fk_user_note_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     STRICT
    """,
    """
    CREATE INDEX ix_user_note_user_id_id ON user_note (user_id, id)
    """,
    """
    CREATE TABLE user_tag (
        user_id INTEGER NOT NULL,
        tag TEXT NOT NULL,
        CONSTRAINT pk_user_tag PRIMARY KEY (user_id, tag),
        CONSTRAINT ck_user_tag_tag_length CHECK (length(tag) BETWEEN 1 AND 64),
        CONSTRAINT fk_user_tag_user_id_user FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
    )
     WITHOUT ROWID,
     STRICT
    """,
    """
    CREATE INDEX ix_user_tag_tag_user_id ON user_tag (tag, user_id)
    """,
)

POSTGRESQL = (
    """
    CREATE TABLE "user" (
        id BIGSERIAL NOT NULL,
        uid TEXT COLLATE "C" NOT NULL,
        version BIGINT NOT NULL,
        kind TEXT COLLATE "C" NOT NULL,
        status TEXT COLLATE "C" NOT NULL,
        status_reason TEXT COLLATE "C",
        status_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        username TEXT COLLATE "C" NOT NULL,
        username_norm TEXT COLLATE "C" NOT NULL,
        skeleton TEXT COLLATE "C" NOT NULL,
        display_name TEXT COLLATE "C",
        full_name TEXT COLLATE "C",
        email TEXT COLLATE "C",
        email_norm TEXT COLLATE "C",
        email_verified_at TIMESTAMP(3) WITH TIME ZONE,
        phone TEXT COLLATE "C",
        phone_verified_at TIMESTAMP(3) WITH TIME ZONE,
        gender TEXT COLLATE "C",
        birth_date DATE,
        occupation TEXT COLLATE "C",
        locale TEXT COLLATE "C",
        time_zone TEXT COLLATE "C",
        valid_from TIMESTAMP(3) WITH TIME ZONE,
        valid_until TIMESTAMP(3) WITH TIME ZONE,
        managed_by TEXT COLLATE "C",
        created_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_user PRIMARY KEY (id),
        CONSTRAINT ck_user_kind_known CHECK (kind IN ('person', 'service')),
        CONSTRAINT ck_user_status_known CHECK (status IN ('pending', 'active', 'suspended', 'closed', 'erased')),
        CONSTRAINT ck_user_gender_known CHECK (gender IN ('female', 'male', 'other')),
        CONSTRAINT ck_user_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_user_username_length CHECK (length(username) BETWEEN 1 AND 128),
        CONSTRAINT ck_user_username_norm_length CHECK (length(username_norm) BETWEEN 1 AND 128),
        CONSTRAINT ck_user_email_length CHECK (length(email) BETWEEN 3 AND 254),
        CONSTRAINT ck_user_phone_length CHECK (length(phone) BETWEEN 4 AND 16),
        CONSTRAINT ck_user_display_name_length CHECK (length(display_name) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_full_name_length CHECK (length(full_name) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_occupation_length CHECK (length(occupation) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_locale_length CHECK (length(locale) BETWEEN 1 AND 35),
        CONSTRAINT ck_user_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 64),
        CONSTRAINT ck_user_status_reason_length CHECK (length(status_reason) BETWEEN 1 AND 2000),
        CONSTRAINT ck_user_managed_by_length CHECK (length(managed_by) BETWEEN 1 AND 200),
        CONSTRAINT ck_user_version_counts CHECK (version >= 1),
        CONSTRAINT ck_user_window_is_open CHECK (valid_from < valid_until),
        CONSTRAINT ck_user_email_has_norm CHECK ((email IS NULL) = (email_norm IS NULL)),
        CONSTRAINT uq_user_uid UNIQUE (uid),
        CONSTRAINT uq_user_username_norm UNIQUE (username_norm),
        CONSTRAINT uq_user_email_norm UNIQUE (email_norm),
        CONSTRAINT uq_user_phone UNIQUE (phone)
    )
    """,
    """
    CREATE INDEX ix_user_created_at_id ON "user" (created_at, id)
    """,
    """
    CREATE INDEX ix_user_skeleton ON "user" (skeleton)
    """,
    """
    CREATE INDEX ix_user_status_id ON "user" (status, id)
    """,
    """
    CREATE INDEX ix_user_valid_until ON "user" (valid_until) WHERE valid_until IS NOT NULL
    """,
    """
    CREATE TABLE user_address (
        user_id BIGINT NOT NULL,
        kind TEXT COLLATE "C" NOT NULL,
        value TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_user_address PRIMARY KEY (user_id, kind, value),
        CONSTRAINT ck_user_address_kind_known CHECK (kind IN ('email', 'phone')),
        CONSTRAINT ck_user_address_value_length CHECK (length(value) BETWEEN 3 AND 254),
        CONSTRAINT fk_user_address_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE user_external_id (
        user_id BIGINT NOT NULL,
        system TEXT COLLATE "C" NOT NULL,
        external_id TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_user_external_id PRIMARY KEY (user_id, system),
        CONSTRAINT ck_user_external_id_system_length CHECK (length(system) BETWEEN 1 AND 64),
        CONSTRAINT ck_user_external_id_external_id_length CHECK (length(external_id) BETWEEN 1 AND 255),
        CONSTRAINT uq_user_external_id_system_external_id UNIQUE (system, external_id),
        CONSTRAINT fk_user_external_id_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE user_former_name (
        username_norm TEXT COLLATE "C" NOT NULL,
        user_id BIGINT NOT NULL,
        username TEXT COLLATE "C" NOT NULL,
        skeleton TEXT COLLATE "C" NOT NULL,
        until TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_user_former_name PRIMARY KEY (username_norm),
        CONSTRAINT ck_user_former_name_username_length CHECK (length(username) BETWEEN 1 AND 128),
        CONSTRAINT fk_user_former_name_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_user_former_name_skeleton ON user_former_name (skeleton)
    """,
    """
    CREATE INDEX ix_user_former_name_user_id ON user_former_name (user_id)
    """,
    """
    CREATE TABLE user_note (
        id BIGSERIAL NOT NULL,
        uid TEXT COLLATE "C" NOT NULL,
        user_id BIGINT NOT NULL,
        at TIMESTAMP(3) WITH TIME ZONE NOT NULL,
        actor TEXT COLLATE "C" NOT NULL,
        text TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_user_note PRIMARY KEY (id),
        CONSTRAINT ck_user_note_uid_length CHECK (length(uid) BETWEEN 36 AND 36),
        CONSTRAINT ck_user_note_text_length CHECK (length(text) BETWEEN 1 AND 10000),
        CONSTRAINT uq_user_note_uid UNIQUE (uid),
        CONSTRAINT fk_user_note_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_user_note_user_id_id ON user_note (user_id, id)
    """,
    """
    CREATE TABLE user_tag (
        user_id BIGINT NOT NULL,
        tag TEXT COLLATE "C" NOT NULL,
        CONSTRAINT pk_user_tag PRIMARY KEY (user_id, tag),
        CONSTRAINT ck_user_tag_tag_length CHECK (length(tag) BETWEEN 1 AND 64),
        CONSTRAINT fk_user_tag_user_id_user FOREIGN KEY(user_id) REFERENCES "user" (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_user_tag_tag_user_id ON user_tag (tag, user_id)
    """,
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
