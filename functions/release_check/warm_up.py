"""Warms up a new version: the first starts load the image from the registry, which takes many seconds.

Concurrent calls start several instances, and each start leaves more of the image in Lambda's caches for the
next. The results are not checked here.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from functions.release_check.errors import ReleaseError
from functions.release_check.version import ApiVersion

CONCURRENT_CALLS = 4
WARM_ROUNDS = 2


@dataclass(frozen=True)
class WarmUp:
    """Whether the version is warm, the number of calls, and the slowest call in all and in the last round."""

    warm: bool
    calls: int
    failed: int
    slowest_ms: float
    last_ms: float


def warm_up(version: ApiVersion, *, calls: int, warm_ms: float) -> WarmUp:
    """Call until all calls of two consecutive rounds took less than `warm_ms`, or `calls` or time run out.

    A failed call counts as cold: the first start of an image may take longer than the function's timeout.
    """
    calls_made = failed = warm_rounds = 0
    slowest = last = 0.0
    with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
        while (
            warm_rounds < WARM_ROUNDS
            and calls_made + CONCURRENT_CALLS <= calls
            and not version.deadline.passed()
        ):
            durations = list(pool.map(_time, [version] * CONCURRENT_CALLS))
            calls_made += CONCURRENT_CALLS
            failed += durations.count(None)
            succeeded = [milliseconds for milliseconds in durations if milliseconds is not None]
            last = max(succeeded, default=0.0)
            slowest = max(slowest, last)
            warm_rounds = warm_rounds + 1 if len(succeeded) == CONCURRENT_CALLS and last < warm_ms else 0
    return WarmUp(warm_rounds == WARM_ROUNDS, calls_made, failed, round(slowest, 1), round(last, 1))


def _time(version: ApiVersion) -> float | None:
    """Return the duration of one call in ms, None if it failed."""
    try:
        return version.health().milliseconds
    except (ReleaseError, BotoCoreError, ClientError):
        return None
