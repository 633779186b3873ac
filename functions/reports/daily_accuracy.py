"""Daily accuracy by labels, and the drift monitor's estimates without labels.

The estimates are read from the drift monitor's recorded runs; nothing is estimated here.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sentiment.database.feedback import Agreement, agreement_by_day
from sentiment.database.runs import find_performance_verdicts
from sentiment.database.windows import Window
from sentiment.intervals import wilson
from sqlalchemy.orm import Session


def summarize_accuracy(session: Session, window: Window, *, model_version: str | None) -> dict[str, Any]:
    """Return accuracy and its 95% interval by day and in total, ready for JSON; unknown values are None."""
    by_day = {
        agreement.day: agreement
        for agreement in agreement_by_day(session, window, model_version=model_version)
    }
    verdicts = find_performance_verdicts(session, window, model_version=model_version)
    last_verdicts = _last_of_each_day(verdicts)
    days = [
        {"day": day, **accuracy(by_day.get(day)), "estimate": last_verdicts.get(day, {}).get("estimate")}
        for day in sorted(by_day.keys() | last_verdicts.keys(), reverse=True)
    ]
    total = Agreement(
        window.until.date(),
        sum(agreement.labels for agreement in by_day.values()),
        sum(agreement.agreed for agreement in by_day.values()),
    )
    return {"labeled": accuracy(total), "days": days, "monitor": verdicts[0] if verdicts else None}


def accuracy(agreement: Agreement | None) -> dict[str, Any]:
    """Return the share of labels that agree, with its Wilson interval; None without labels."""
    labels, agreed = (agreement.labels, agreement.agreed) if agreement else (0, 0)
    low, high = wilson(agreed, labels) if labels else (None, None)
    return {
        "labels": labels,
        "agreed": agreed,
        "accuracy": agreed / labels if labels else None,
        "low": low,
        "high": high,
    }


def _last_of_each_day(verdicts: Iterable[Mapping[str, Any]]) -> dict[date, Mapping[str, Any]]:
    """Return by day (UTC) the last verdict whose window ended on it; `verdicts` are newest first."""
    last: dict[date, Mapping[str, Any]] = {}
    for verdict in verdicts:
        day = datetime.fromisoformat(verdict["until"]).astimezone(UTC).date()
        last.setdefault(day, verdict)
    return last
