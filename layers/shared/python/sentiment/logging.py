"""Logging and metrics of every function: JSON lines and EMF, both by Powertools.

Two rules apply to all callers: never log text that a user sent, and add keys of one request with
`logger.thread_safe_append_keys`, which uses a context variable, so that concurrent requests never mix.
LOG_LEVEL sets the level.
"""

import os
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics


def namespace() -> str:
    """Return the CloudWatch namespace of the metrics; each environment has its own."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ServerlessSentiment")


@cache
def logger(service: str) -> Logger:
    """Return the service's JSON logger, which writes to standard output."""
    return Logger(service=service, utc=True)


@cache
def metrics(service: str) -> Metrics:
    """Return the service's CloudWatch metrics; handlers flush them once per invocation."""
    return Metrics(namespace=namespace(), service=service)
