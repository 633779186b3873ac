"""How good the model was, day by day: by the labels people gave, beside the monitor's estimates without any.

The estimates are read from the drift monitor's recorded runs; nothing is estimated here.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sentiment.database.history import find_judgements
from sentiment.database.labels import Agreement, agreement_by_day
from sentiment.database.windows import Window
from sentiment.intervals import wilson
from sqlalchemy.orm import Session


def measure(session: Session, window: Window, *, model_version: str | None) -> dict[str, Any]:
    """Return accuracy and its 95% interval by day and in all, ready for JSON; what is unknown is null."""
    counted = {one.day: one for one in agreement_by_day(session, window, model_version=model_version)}
    judgements = find_judgements(session, window, model_version=model_version)
    judged = _last_of_each_day(judgements)
    days = [
        {"day": day, **accuracy(counted.get(day)), "estimate": judged.get(day, {}).get("estimate")}
        for day in sorted(counted.keys() | judged.keys(), reverse=True)
    ]
    total = Agreement(
        window.until.date(),
        sum(one.labels for one in counted.values()),
        sum(one.agreed for one in counted.values()),
    )
    return {"labelled": accuracy(total), "days": days, "monitor": judgements[0] if judgements else None}


def accuracy(counted: Agreement | None) -> dict[str, Any]:
    """Return the share of labels that agreed, with its interval (Wilson); null without labels."""
    labels, agreed = (counted.labels, counted.agreed) if counted else (0, 0)
    low, high = wilson(agreed, labels) if labels else (None, None)
    return {
        "labels": labels,
        "agreed": agreed,
        "accuracy": agreed / labels if labels else None,
        "low": low,
        "high": high,
    }


def _last_of_each_day(judgements: Iterable[Mapping[str, Any]]) -> dict[date, Mapping[str, Any]]:
    """Return by day (UTC) the last judgement whose window ended on it; they come newest first."""
    last: dict[date, Mapping[str, Any]] = {}
    for judgement in judgements:
        day = datetime.fromisoformat(judgement["until"]).astimezone(UTC).date()
        last.setdefault(day, judgement)
    return last
