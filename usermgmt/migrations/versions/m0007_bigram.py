"""The index by which parts of Chinese and other names are found, and its rows for the users that there are."""

from collections.abc import Iterable
from itertools import pairwise

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SQLITE = """
    CREATE TABLE user_bigram (
        bigram TEXT NOT NULL,
        user_id INTEGER NOT NULL,
        CONSTRAINT pk_user_bigram PRIMARY KEY (bigram, user_id),
        CONSTRAINT ck_user_bigram_bigram_length CHECK (length(bigram) BETWEEN 2 AND 2)
    )
     WITHOUT ROWID,
     STRICT
    """

POSTGRESQL = """
    CREATE TABLE user_bigram (
        bigram TEXT COLLATE "C" NOT NULL,
        user_id BIGINT NOT NULL,
        CONSTRAINT pk_user_bigram PRIMARY KEY (bigram, user_id),
        CONSTRAINT ck_user_bigram_bigram_length CHECK (length(bigram) BETWEEN 2 AND 2)
    )
    """

READ = """
    SELECT id, username_norm, email_norm, lower(display_name), lower(full_name), lower(occupation)
    FROM "user" WHERE id > :last ORDER BY id LIMIT 2000
    """
WRITE = "INSERT INTO user_bigram (bigram, user_id) VALUES (:bigram, :user_id)"


def _pairs(texts: Iterable[str | None]) -> set[str]:
    return {a + b for text in texts if text for a, b in pairwise(text) if not (a + b).isascii()}


def upgrade() -> None:
    bind, last = op.get_bind(), 0
    op.execute(SQLITE if bind.dialect.name == "sqlite" else POSTGRESQL)
    while rows := bind.execute(sa.text(READ), {"last": last}).all():
        found = sorted((pair, row[0]) for row in rows for pair in _pairs(row[1:]))
        if found:
            bind.execute(sa.text(WRITE), [{"bigram": pair, "user_id": user_id} for pair, user_id in found])
        last = rows[-1][0]
