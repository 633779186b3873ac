"""Warms a new version: its first starts pull the image from the registry, which takes Lambda many seconds.

Several calls at once make several instances start, and each start leaves more of the image in Lambda's caches
for the next. Whether the version is any good is not judged here.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from functions.release_check.errors import ReleaseError
from functions.release_check.version import ApiVersion

AT_ONCE = 4
CALM_ROUNDS = 2


@dataclass(frozen=True)
class WarmUp:
    """How it went: whether it ended warm, after how many calls, and the slowest and last round's slowest."""

    warm: bool
    calls: int
    failed: int
    slowest_ms: float
    last_ms: float


def warm_up(version: ApiVersion, *, calls: int, warm_ms: float) -> WarmUp:
    """Call until every call of two rounds in a row took less than `warm_ms`, or `calls` or time is used up.

    A call that fails counts as a cold one: the first start of an image may outlast the function's own time.
    """
    used = failed = calm = 0
    slowest = last = 0.0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while calm < CALM_ROUNDS and used + AT_ONCE <= calls and not version.deadline.passed():
            taken = list(pool.map(_time, [version] * AT_ONCE))
            used += AT_ONCE
            failed += taken.count(None)
            answered = [milliseconds for milliseconds in taken if milliseconds is not None]
            last = max(answered, default=0.0)
            slowest = max(slowest, last)
            calm = calm + 1 if len(answered) == AT_ONCE and last < warm_ms else 0
    return WarmUp(calm == CALM_ROUNDS, used, failed, round(slowest, 1), round(last, 1))


def _time(version: ApiVersion) -> float | None:
    """Return how long one call took in ms, None when it failed."""
    try:
        return version.health().milliseconds
    except (ReleaseError, BotoCoreError, ClientError):
        return None
