"""Calls a Lambda function and hands back its answer or a clear error; what to ask is for the callers."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

from functions.release_check.errors import ReleaseError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# API Gateway waits 30 seconds, so no version of the API may take longer.
API_SECONDS = 35
# The registrar waits for Postgres, which takes a minute or more to fail over.
REGISTRAR_SECONDS = 90
ATTEMPTS = 2


class Answer(NamedTuple):
    """What a function returned, and the milliseconds that the whole call took."""

    content: Any
    milliseconds: float


@cache
def lambda_client(seconds: int = API_SECONDS) -> "LambdaClient":
    """Make the client that waits so long for an answer, once."""
    config = Config(
        connect_timeout=3,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.client("lambda", config=config)


@dataclass(frozen=True)
class Deadline:
    """The moment after which no new call may begin, so that the verdict is always given in time."""

    at: float  # of time.monotonic()

    @classmethod
    def within(cls, remaining_ms: int) -> "Deadline":
        """Keep enough of the remaining time for a call that hangs to its end, and for the verdict."""
        reserve = min(ATTEMPTS * REGISTRAR_SECONDS + 20, remaining_ms / 3000)
        return cls(time.monotonic() + remaining_ms / 1000 - reserve)

    def passed(self) -> bool:
        """Say whether it is over."""
        return time.monotonic() >= self.at


def invoke(
    name: str,
    event: Mapping[str, Any],
    *,
    version: str | None = None,
    deadline: Deadline,
    seconds: int = API_SECONDS,
) -> Answer:
    """Call a function, a version of it if one is named; raises ReleaseError when it fails or time is up."""
    what = f"{name} version {version}" if version else name
    if deadline.passed():
        raise ReleaseError(f"there was no time left to ask {what}")
    start = time.perf_counter()
    answer = lambda_client(seconds).invoke(
        FunctionName=f"{name}:{version}" if version else name, Payload=json.dumps(event).encode()
    )
    content = answer["Payload"].read()
    milliseconds = (time.perf_counter() - start) * 1000
    if answer.get("FunctionError"):
        raise ReleaseError(f"{what} failed: {_describe(content)}")
    return Answer(json.loads(content), milliseconds)


def _describe(content: bytes) -> str:
    """Say in one line what a function reported when it failed: error type and message, no traceback."""
    try:
        error = json.loads(content)
        told = [str(error[name]) for name in ("errorType", "errorMessage") if name in error]
    except (ValueError, TypeError):
        told = [content.decode(errors="replace")]
    return " ".join(": ".join(told).split())[:500]
