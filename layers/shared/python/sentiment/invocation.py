"""Calls to other Lambda functions, the registrar among them, with their failures as one line.

Functions are reached by their names only, and never import each other.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sentiment.exceptions import InvocationError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

MAX_ERROR_CHARACTERS = 500


def invoke(
    client: "LambdaClient", function_name: str, event: Mapping[str, Any], *, version: str | None = None
) -> Any:
    """Call a function, or one version of it, and return its response; raises InvocationError if it fails."""
    name = f"{function_name} version {version}" if version else function_name
    response = client.invoke(
        FunctionName=f"{function_name}:{version}" if version else function_name,
        Payload=json.dumps(event).encode(),
    )
    payload = response["Payload"].read()
    if response.get("FunctionError"):
        raise InvocationError(f"{name} failed: {_describe(payload)}")
    return json.loads(payload)


def _describe(payload: bytes) -> str:
    """Return the error type and message that a function reported, without its stack trace."""
    try:
        error = json.loads(payload)
        parts = [str(error[name]) for name in ("errorType", "errorMessage") if name in error]
    except (ValueError, TypeError):
        parts = [payload.decode(errors="replace")]
    return " ".join(": ".join(parts).split())[:MAX_ERROR_CHARACTERS]
