"""One-line summaries of what the drift monitor returns and records: drift runs and reconciliations."""

from collections.abc import Mapping
from typing import Any

VERDICTS = {
    "data_drift": "data drift",
    "prediction_drift": "prediction drift",
    "performance": "lower accuracy",
}


def drifted_verdicts(run: Mapping[str, Any]) -> list[str]:
    """Return the names of the verdicts that found drift; runs of older versions lack some verdicts."""
    return [name for name in VERDICTS if (run.get(name) or {}).get("drifted")]


def summarize_verdicts(run: Mapping[str, Any]) -> str:
    """Return the verdicts, the score and the number of predictions of a judged run."""
    verdicts = ", ".join(VERDICTS[name] for name in drifted_verdicts(run)) or "calm"
    return f"{verdicts} (score {run['score']:.2f}, {run['rows']:,} predictions)"


def summarize_run(run: Mapping[str, Any]) -> str:
    """Return the result of a drift run, or the reason why there is no verdict."""
    if not run["judged"]:
        return f"drift run: no verdict, {run['reason']}"
    return f"drift run: {summarize_verdicts(run)}"


def summarize_reconciliation(result: Mapping[str, Any]) -> str:
    """Return how many served predictions are stored, or the reason why they were not compared."""
    if not result.get("judged", True):
        return f"reconciliation: no comparison, {result['reason']}"
    if not result["reconciled"]:
        return f"reconciliation of {result['day']}: no traffic was counted"
    missing = f", {result['missing']:,} are missing" if result["missing"] else ""
    return (
        f"reconciliation of {result['day']}: {result['stored']:,} of {result['served']:,} served predictions "
        f"are stored{missing}"
    )
