"""What the registrar reads beside where Postgres is."""

from functools import cache

from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

SERVICE = "registrar"  # how logs call this function


class RegistrarSettings(DatabaseSettings):
    """Where artifacts are kept, and whom to tell of a new one."""

    artifact_bucket: str = Field(min_length=3)  # holds them whole under models/<version>/
    alert_topic_arn: str


@cache
def settings() -> RegistrarSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(RegistrarSettings)
