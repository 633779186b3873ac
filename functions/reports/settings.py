"""The settings of the reports function."""

from functools import cache

from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

SERVICE = "reports"  # its name in logs and metrics


class ReportsSettings(DatabaseSettings):
    """The database, and the drift monitor's bucket; IAM limits what may be read there."""

    report_bucket: str = Field(min_length=3)


@cache
def settings() -> ReportsSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(ReportsSettings)
