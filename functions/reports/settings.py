"""What the reports function reads: where Postgres is, and nothing else."""

from functools import cache

from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

SERVICE = "reports"  # how logs and metrics call this function


@cache
def settings() -> DatabaseSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(DatabaseSettings)
