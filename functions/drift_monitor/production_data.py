"""What a run reads from Postgres: the window's predictions, labels, and the previous runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sentiment.database.deployments import active_deployment
from sentiment.database.feedback import labeled_outcomes
from sentiment.database.windows import Window, choose_window, count_by_version, sample_predictions
from sqlalchemy import Row
from sqlalchemy.orm import Session

from functions.drift_monitor.detection.performance import Bools, Floats
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.settings import DriftMonitorSettings
from functions.drift_monitor.verdict_history import last_run_ended, read_verdict_history


@dataclass(frozen=True)
class ProductionData:
    """One model version's predictions and labels up to a point in time."""

    window: Window
    counts: Mapping[str, int]  # rows in the window, by model version
    rows: Sequence[Row[Any]]  # of this version; a sample if there are many
    labeled: tuple[Floats, Bools]  # confidence of labeled predictions, and whether they were correct
    deployment_id: str | None  # of the active deployment, if it is of this version
    function_version: str | None
    past_runs: Sequence[Mapping[str, Any]]  # what previous runs recorded, newest first
    is_latest: bool  # no later window has a verdict yet


def read_production_data(
    session: Session, model_version: str, until: datetime, settings: DriftMonitorSettings
) -> ProductionData:
    """Read everything in the caller's transaction, so that it is consistent."""
    window = choose_window(
        session,
        until,
        model_version=model_version,
        sufficient_rows=settings.sufficient_rows,
        longest_hours=settings.window_hours,
    )
    labels = labeled_outcomes(
        session,
        Window.ending(until, hours=settings.performance_hours),
        model_version=model_version,
        limit=settings.maximum_rows,
    )
    confidence, correct = zip(*labels, strict=True) if labels else ((), ())
    deployment = active_deployment(session)
    matches = deployment is not None and deployment.model_version == model_version
    last = last_run_ended(session, model_version, by=max(until, datetime.now(UTC)))
    return ProductionData(
        window=window,
        counts=count_by_version(session, window),
        rows=sample_predictions(session, window, model_version=model_version, limit=settings.maximum_rows),
        labeled=(np.array(confidence, dtype=np.float64), np.array(correct, dtype=np.bool_)),
        deployment_id=str(deployment.id) if deployment and matches else None,
        function_version=deployment.function_version if deployment and matches else None,
        past_runs=read_verdict_history(
            session, model_version, before=until, limit=settings.persist_window - 1
        ),
        is_latest=last is None or last <= until,
    )


def require_rows(counts: Mapping[str, int], version: str, settings: DriftMonitorSettings) -> None:
    """Raise MonitorError if the window has too few predictions of this model version for a verdict.

    A few are normal at quiet hours and only recorded. None at all means that something upstream is broken;
    none by this model, that a deployment left the monitor behind.
    """
    ours, total = counts.get(version, 0), sum(counts.values())
    span = f"in the last {settings.window_hours} h"
    if not total:
        raise MonitorError("empty_window", f"no predictions were stored {span}", severity="warning")
    if not ours and total >= settings.minimum_rows:
        others = ", ".join(sorted(counts))
        raise MonitorError(
            "model_version",
            f"{total:,} predictions {span} are by {others} but none by {version}, whose reference this "
            "monitor uses; deploy the monitor with the artifact that serves",
            severity="warning",
        )
    if ours < settings.minimum_rows:
        raise MonitorError(
            "too_few_rows",
            f"{ours:,} predictions by {version} {span}; {settings.minimum_rows:,} are required",
            severity="info",
        )
