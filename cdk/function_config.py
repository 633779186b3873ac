"""How functions are configured in every environment: memory, time-out, alias, and receives of a message.

What differs per environment is in environments.py. Nothing of the CDK is imported here, so that the command
line and the laptop's stand-ins can use the same values.
"""

from typing import NamedTuple

LIVE_ALIAS = "live"
MAX_RECEIVES = 5  # of a message that is not stored; then it goes to the dead-letter queue
API_TIMEOUT_SECONDS = 29  # API Gateway gives up after 30; the API's memory differs per environment


class FunctionConfig(NamedTuple):
    """The memory of a function, which determines its share of a CPU, and the time-out of an invocation."""

    memory_mb: int
    timeout_seconds: int


# A run over 20,000 sampled rows used 507 MB; the rest is for the CPU. It takes 8 to 20 s.
DRIFT_MONITOR = FunctionConfig(2048, 300)
LOG_WRITER = FunctionConfig(512, 30)
MIGRATIONS = FunctionConfig(512, 600)
REGISTRAR = FunctionConfig(1024, 300)
RELEASE_CHECK = FunctionConfig(512, 600)
REPORTS = FunctionConfig(512, API_TIMEOUT_SECONDS)
SLACK_NOTIFIER = FunctionConfig(256, 60)
TRAFFIC_COUNTER = FunctionConfig(256, 120)
