"""What the reports function reads: where Postgres is, and the bucket with the drift monitor's pages."""

from functools import cache

from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import read_settings

SERVICE = "reports"  # how logs and metrics call this function


class ReportsSettings(DatabaseSettings):
    """The bucket is the drift monitor's; what it may read there is for IAM to say."""

    report_bucket: str = Field(min_length=3)


@cache
def settings() -> ReportsSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(ReportsSettings)
