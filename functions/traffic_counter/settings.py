"""The traffic counter's settings: what it counts, and where the count goes."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "traffic_counter"  # its name in logs


class TrafficCounterSettings(Settings):
    """The HTTP API and its function, by their names in CloudWatch metrics, and the queue."""

    http_api_id: str = Field(min_length=1)
    api_function_name: str = Field(min_length=1)
    queue_url: str = Field(pattern=r"^https?://")


@cache
def settings() -> TrafficCounterSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(TrafficCounterSettings)
