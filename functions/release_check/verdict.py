"""The verdict on a version: healthy, the same predictions as at export, and within the latency budget.

The int8 predictions must equal those of the export: golden reviews are never so close to the threshold that
rounding on another processor matters. Differences from fp32 are only counted, as the export's gate limits
them.
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
    """The measurements of a version that passed."""

    card: dict[str, Any]
    reviews: int
    fp32_disagreements: int
    p95_ms: float


def check_version(version: ApiVersion, *, p95_budget_ms: float) -> Verdict:
    """Check the version; raises ReleaseError with every reason why it may not receive traffic."""
    card, golden = version.card(), version.golden()
    expected = [review["int8"]["sentiment"] for review in golden["reviews"]]
    rounds = [version.decisions() for _ in range(ROUNDS)]
    decided = [review["decided"] for review in rounds[0]["reviews"]]
    milliseconds = [review["inference_time_ms"] for checked in rounds for review in checked["reviews"]]
    reasons = _health(version)
    if {checked["model_version"] for checked in (golden, *rounds)} != {card["model_version"]}:
        reasons.append("its responses come from more than one model")
    if any([review["decided"] for review in checked["reviews"]] != decided for checked in rounds):
        reasons.append("its predictions for the same review differ between runs")
    flips = [
        position for position, pair in enumerate(zip(expected, decided, strict=True)) if len({*pair}) > 1
    ]
    if flips:
        reasons.append(
            f"{len(flips)} of {len(expected)} golden reviews are predicted differently than at export "
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
