"""Whether a verdict persists over the recorded runs of a model version, or has recovered.

A single window can drift by chance, and a single window without drift does not end it. Only recorded runs
count, so the result survives a restart, and a repeated run counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentiment.database.models import DatasetMetric
from sentiment.database.runs import WINDOW_DATASET, WINDOW_SPLIT
from sqlalchemy import DateTime, cast, func, select
from sqlalchemy.orm import Session

ENDED_AT = cast(DatasetMetric.metrics["until"].astext, DateTime(timezone=True))


@dataclass(frozen=True)
class Persistence:
    """How many of the last `window` runs must have drifted before an alert is sent."""

    runs: int
    window: int

    def holds(self, verdict_history: Sequence[bool]) -> bool:
        """Return whether enough of the last runs drifted; the newest run comes first."""
        return sum(verdict_history[: self.window]) >= self.runs

    def recovered(self, verdict_history: Sequence[bool]) -> bool:
        """Return whether enough runs in a row did not drift; `holds` is then false whatever came before."""
        enough = self.window - self.runs + 1
        return len(verdict_history) >= enough and not any(verdict_history[:enough])


def read_verdict_history(
    session: Session, model_version: str, *, before: datetime, limit: int
) -> list[Mapping[str, Any]]:
    """Return what the last runs whose windows ended before `before` recorded, newest first."""
    query = (
        select(DatasetMetric.metrics)
        .where(_of(model_version), before > ENDED_AT)
        .order_by(ENDED_AT.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def verdict_history_of(verdict: str, runs: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return for each run whether the verdict was drift; false for runs that lack it."""
    return [bool(run.get(verdict, {}).get("drifted")) for run in runs]


def last_run_ended(session: Session, model_version: str | None = None, *, by: datetime) -> datetime | None:
    """Return the end of the latest window with a verdict, of that or any model; None if there is none.

    Windows that end after `by` do not count, so a run with a future time does not hide those before it.
    """
    return session.scalar(select(func.max(ENDED_AT)).where(_of(model_version), by >= ENDED_AT))


def _of(model_version: str | None) -> Any:
    runs = (DatasetMetric.dataset == WINDOW_DATASET) & (DatasetMetric.split == WINDOW_SPLIT)
    if model_version is None:
        return runs
    return runs & (DatasetMetric.metrics["model_version"].astext == model_version)
