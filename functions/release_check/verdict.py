"""Judges a version by what it answers: healthy, the artifact's own decisions, and within its time.

The int8 decisions must be exactly those of the export: the artifact holds no review that is close enough for
another processor to round over. Against fp32 nothing is demanded here, as the export's gate has judged that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from functions.release_check.errors import ReleaseError
from functions.release_check.version import ApiVersion

PERCENTILE = 0.95
ROUNDS = 2  # so that one stall among 32 reviews does not decide the percentile


@dataclass(frozen=True)
class Verdict:
    """What a version that passed was measured at."""

    card: dict[str, Any]
    reviews: int
    fp32_disagreements: int
    p95_ms: float


def judge(version: ApiVersion, *, p95_budget_ms: float) -> Verdict:
    """Check the version; raises ReleaseError with every reason found why it may not have traffic."""
    card, golden = version.card(), version.golden()
    expected = [review["int8"]["sentiment"] for review in golden["reviews"]]
    rounds = [version.decisions() for _ in range(ROUNDS)]
    decided = [review["decided"] for review in rounds[0]["reviews"]]
    milliseconds = [review["inference_time_ms"] for checked in rounds for review in checked["reviews"]]
    reasons = _health(version)
    if {checked["model_version"] for checked in (golden, *rounds)} != {card["model_version"]}:
        reasons.append("its answers come from more than one model")
    if any([review["decided"] for review in checked["reviews"]] != decided for checked in rounds):
        reasons.append("it decides the same review now one way, now the other")
    flips = [
        position for position, pair in enumerate(zip(expected, decided, strict=True)) if len({*pair}) > 1
    ]
    if flips:
        reasons.append(
            f"{len(flips)} of {len(expected)} golden reviews are decided otherwise than at the export "
            f"(numbers {', '.join(map(str, flips))})"
        )
    p95 = percentile(milliseconds, PERCENTILE)
    if p95 > p95_budget_ms:
        reasons.append(f"p95 of the golden reviews is {p95:.0f} ms, over the budget of {p95_budget_ms:g} ms")
    if reasons:
        raise ReleaseError("; ".join(reasons))
    fp32 = [review["fp32"]["sentiment"] for review in golden["reviews"]]
    disagreements = sum(one != other for one, other in zip(fp32, decided, strict=True))
    return Verdict(card, len(expected), disagreements, round(p95, 1))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least that share of the values does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _health(version: ApiVersion) -> list[str]:
    health = version.health().content
    if health["status"] == "ok":
        return []
    return [f"its health is {health['status']}: {', '.join(health['failing'])} failing"]
