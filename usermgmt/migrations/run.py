"""Bring a schema forward, in the caller's transaction: all steps or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from usermgmt.migrations import HEAD

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Run the steps up to ``revision`` on ``connection``; the caller commits."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
