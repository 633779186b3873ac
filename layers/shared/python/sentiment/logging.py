"""How every function logs and counts: JSON lines and EMF blobs, both by Powertools.

Nothing here decides what to log. Two rules bind all callers: never log text a user sent, and put what belongs
to one request into `logger.thread_safe_append_keys`, which lives in a context variable, so that two requests
in one process never mix. The level comes from LOG_LEVEL.
"""

import os
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics


def namespace() -> str:
    """Return where CloudWatch keeps the figures: the deployment gives each environment one of its own."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ServerlessSentiment")


@cache
def logger(service: str) -> Logger:
    """Return the service's one JSON logger, on standard output."""
    return Logger(service=service, utc=True)


@cache
def metrics(service: str) -> Metrics:
    """Return the service's one set of CloudWatch metrics; handlers flush it once per invocation."""
    return Metrics(namespace=namespace(), service=service)
