"""How the local system logs: constant messages with the fields `error` and `reason`, shown on standard error.

The functions' own logs are files in the state folder.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError


def error_fields(error: Exception) -> dict[str, str]:
    """Return the fields of a log record about an error, for `extra`."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return {"error": code, "reason": str(error)}


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Show the warnings of the local system on standard error while the block runs."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_FieldFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("local")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _FieldFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        reason = getattr(record, "reason", None)
        message = super().formatMessage(record)
        return f"{message}: {reason}" if reason else message
