"""What the recorded runs of one model version say together: has a verdict lasted, or is it over.

One window can drift by chance, and one calm window between drifted ones is no end. Only runs that are stored
count, so the answer is the same after a restart, and a run that was repeated counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentiment.database.history import WINDOW_DATASET, WINDOW_SPLIT
from sentiment.database.models import DatasetMetric
from sqlalchemy import DateTime, cast, func, select
from sqlalchemy.orm import Session

ENDED_AT = cast(DatasetMetric.metrics["until"].astext, DateTime(timezone=True))


@dataclass(frozen=True)
class Persistence:
    """How many of the last runs must have drifted before people are told."""

    runs: int
    window: int

    def holds(self, course: Sequence[bool]) -> bool:
        """Tell whether enough of the last runs drifted; a course has the newest run first."""
        return sum(course[: self.window]) >= self.runs

    def over(self, course: Sequence[bool]) -> bool:
        """Tell whether so many runs in a row were calm that it cannot hold, whatever came before them."""
        calm = self.window - self.runs + 1
        return len(course) >= calm and not any(course[:calm])


def read_verdict_history(
    session: Session, model_version: str, *, before: datetime, limit: int
) -> list[Mapping[str, Any]]:
    """Return what the last runs whose windows ended before then recorded, newest first."""
    query = (
        select(DatasetMetric.metrics)
        .where(_of(model_version), before > ENDED_AT)
        .order_by(ENDED_AT.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def verdict_history_of(verdict: str, runs: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return of each run whether that verdict was drift; runs from before there was one were not."""
    return [bool(run.get(verdict, {}).get("drifted")) for run in runs]


def last_run_ended(session: Session, model_version: str | None = None, *, by: datetime) -> datetime | None:
    """Return the end of the latest window that was judged, of that or any model; None when none was.

    What ends after `by` does not count: a run that was given a time to come must not outdo those before it.
    """
    return session.scalar(select(func.max(ENDED_AT)).where(_of(model_version), by >= ENDED_AT))


def _of(model_version: str | None) -> Any:
    runs = (DatasetMetric.dataset == WINDOW_DATASET) & (DatasetMetric.split == WINDOW_SPLIT)
    if model_version is None:
        return runs
    return runs & (DatasetMetric.metrics["model_version"].astext == model_version)
