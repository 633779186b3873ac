"""What the traffic counter reads: whom it counts, and where the count goes."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "traffic_counter"  # how logs call this function


class TrafficCounterSettings(Settings):
    """The HTTP API and the function behind it, by the names that CloudWatch files their figures under."""

    http_api_id: str = Field(min_length=1)
    api_function_name: str = Field(min_length=1)
    queue_url: str = Field(pattern=r"^https?://")


@cache
def settings() -> TrafficCounterSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(TrafficCounterSettings)
