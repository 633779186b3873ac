"""Brings the schema up or down with Alembic, whose env.py and versions are packaged beside this file.

Partitions come and go with time, not with versions: see partitions.py.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, select

# One at a time, whoever else migrates or maintains partitions; any number will do as long as all use it.
ADVISORY_LOCK = 7_310_142


def upgrade(connection: Connection, revision: str = "head") -> str | None:
    """Migrate up in the caller's transaction and return the revision reached."""
    lock(connection)
    command.upgrade(_config(connection), revision)
    return current_revision(connection)


def downgrade(connection: Connection, revision: str) -> str | None:
    """Migrate down in the caller's transaction and return the revision reached, None when nothing is left."""
    lock(connection)
    command.downgrade(_config(connection), revision)
    return current_revision(connection)


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def lock(connection: Connection) -> None:
    """Wait for other schema changes to end and hold them off until the caller's transaction does."""
    connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK)))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
