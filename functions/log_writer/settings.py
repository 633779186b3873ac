"""The log writer's settings: only where Postgres is."""

from functools import cache

from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings


@cache
def settings() -> DatabaseSettings:
    """Read the settings once; raises ConfigurationError naming invalid variables."""
    return read_settings(DatabaseSettings)
