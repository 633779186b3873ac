"""What the migrations function reads beside where Postgres is."""

from functools import cache

from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings


class MigrationsSettings(DatabaseSettings):
    """How long predictions are kept, and whom to tell when some are not where they belong."""

    database_timeout_seconds: int = Field(default=300, ge=1)  # a migration may rewrite a table
    retention_months: int = Field(default=13, ge=1)  # full months kept beside the current one
    alert_topic_arn: str | None = None


@cache
def settings() -> MigrationsSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(MigrationsSettings)
