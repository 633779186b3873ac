"""Settings of the migrations function."""

from functools import cache
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

from functions.migrations.logins import LOGINS, Login


class MigrationsSettings(DatabaseSettings):
    """How long predictions are kept, the topic for alerts, and which logins to create."""

    database_timeout_seconds: int = Field(default=300, ge=1)  # a migration may rewrite a table
    retention_months: int = Field(default=13, ge=1)  # full months kept beside the current one
    alert_topic_arn: str | None = None
    database_logins: Annotated[tuple[Login, ...], NoDecode] = LOGINS  # comma-separated

    @field_validator("database_logins", mode="before")
    @classmethod
    def split_logins(cls, value: object) -> object:
        """Split the comma-separated list of the environment variable."""
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


@cache
def settings() -> MigrationsSettings:
    """Read the settings once; raises ConfigurationError naming invalid variables."""
    return read_settings(MigrationsSettings)
