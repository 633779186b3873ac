"""Settings of the registrar."""

from functools import cache

from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

SERVICE = "registrar"  # how logs call this function


class RegistrarSettings(DatabaseSettings):
    """The bucket of artifacts, and the topic for announcements of new ones."""

    artifact_bucket: str = Field(min_length=3)  # complete artifacts under models/<version>/
    alert_topic_arn: str


@cache
def settings() -> RegistrarSettings:
    """Read the settings once; raises ConfigurationError naming invalid variables."""
    return read_settings(RegistrarSettings)
