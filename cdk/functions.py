"""What functions get in every environment: memory, time, and the alias under which the API serves.

What differs per environment stands in environments.py. Nothing of AWS's is imported here, so that the command
line and the laptop's stand-ins can go by the same numbers.
"""

from typing import NamedTuple

LIVE_ALIAS = "live"
API_TIMEOUT_SECONDS = 29  # API Gateway gives up after 30; the API's memory differs per environment


class Size(NamedTuple):
    """The memory of a function, which brings its share of processor, and the time that a call may take."""

    memory_mb: int
    timeout_seconds: int


# A run over 20,000 sampled rows took 507 MB; the rest is for its share of processor. It takes 8 to 20 s.
DRIFT_MONITOR = Size(2048, 300)
LOG_WRITER = Size(512, 30)
MIGRATIONS = Size(512, 600)
REPORTS = Size(512, API_TIMEOUT_SECONDS)
SLACK_NOTIFIER = Size(256, 60)
