"""Which verdicts of a drift run say drift, and what they are called; a run is what the monitor records."""

from collections.abc import Mapping
from typing import Any

WORDS = {
    "data_drift": "data drift",
    "prediction_drift": "prediction drift",
    "performance": "lower accuracy",
}


def drifted(run: Mapping[str, Any]) -> list[str]:
    """Return the names of the verdicts that are drift; runs of an older monitor lack some."""
    return [name for name in WORDS if (run.get(name) or {}).get("drifted")]


def in_words(run: Mapping[str, Any]) -> str:
    """Say what was found over how much."""
    found = ", ".join(WORDS[name] for name in drifted(run)) or "calm"
    return f"{found} (score {run['score']:.2f}, {run['rows']:,} predictions)"
