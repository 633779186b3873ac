"""Correlation ids and error bodies of the functions with HTTP routes. No framework."""

import re
from typing import Any
from uuid import uuid4

CORRELATION_HEADER = "x-correlation-id"
INTERNAL_ERROR = "internal error; quote the correlation id when you report it"
SAFE_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:=+@/-]{1,128}")


def choose_correlation_id(received: str | None) -> str:
    """Return the caller's id if it is short and safe to log, else a new one."""
    return received if received and SAFE_CORRELATION_ID.fullmatch(received) else str(uuid4())


def error_body(code: str, message: str, correlation_id: str | None) -> dict[str, Any]:
    """Return the body of every error response except the API's 422."""
    return {"error": {"code": code, "message": message, "correlation_id": correlation_id}}
