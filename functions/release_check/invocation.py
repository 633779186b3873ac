"""Calls Lambda functions before a deadline and times them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config
from sentiment import invocation
from sentiment.exceptions import InvocationError

from functions.release_check.errors import ReleaseError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# API Gateway times out after 30 seconds, so no version of the API may take longer.
API_SECONDS = 35
# The registrar waits for Postgres, whose failover takes a minute or more.
REGISTRAR_SECONDS = 90
ATTEMPTS = 2


class Response(NamedTuple):
    """What a function returned, and the milliseconds that the whole call took."""

    content: Any
    milliseconds: float


@cache
def lambda_client(seconds: int = API_SECONDS) -> "LambdaClient":
    """Create the client with that read timeout, once."""
    config = Config(
        connect_timeout=3,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.client("lambda", config=config)


@dataclass(frozen=True)
class Deadline:
    """The time after which no new call may start, so that the verdict is always reported in time."""

    at: float  # of time.monotonic()

    @classmethod
    def within(cls, remaining_ms: int) -> "Deadline":
        """Reserve enough of the remaining time for a call that times out, and for the verdict."""
        reserve = min(ATTEMPTS * REGISTRAR_SECONDS + 20, remaining_ms / 3000)
        return cls(time.monotonic() + remaining_ms / 1000 - reserve)

    def passed(self) -> bool:
        """Return whether it has passed."""
        return time.monotonic() >= self.at


def invoke(
    name: str,
    event: Mapping[str, Any],
    *,
    version: str | None = None,
    deadline: Deadline,
    seconds: int = API_SECONDS,
) -> Response:
    """Call a function, or one version of it; raises ReleaseError when it fails or no time is left."""
    if deadline.passed():
        called = f"{name} version {version}" if version else name
        raise ReleaseError(f"no time left to call {called}")
    start = time.perf_counter()
    try:
        content = invocation.invoke(lambda_client(seconds), name, event, version=version)
    except InvocationError as error:
        raise ReleaseError(str(error)) from None
    return Response(content, (time.perf_counter() - start) * 1000)
