"""Migrates the schema with Alembic, whose env.py and versions are packaged beside this file.

Partitions depend on time, not on the revision: see partitions.py.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, select

# Serializes migrations and partition maintenance; any number works as long as all use the same.
ADVISORY_LOCK = 7_310_142


def upgrade(connection: Connection, revision: str = "head") -> str | None:
    """Migrate up in the caller's transaction and return the revision reached."""
    lock(connection)
    command.upgrade(_config(connection), revision)
    return current_revision(connection)


def downgrade(connection: Connection, revision: str) -> str | None:
    """Migrate down in the caller's transaction and return the revision reached, None if nothing is left."""
    lock(connection)
    command.downgrade(_config(connection), revision)
    return current_revision(connection)


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def lock(connection: Connection) -> None:
    """Wait for other schema changes to end, and block new ones until the caller's transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK)))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
