"""What a run reads from Postgres before it judges anything: the window, labels, and the runs before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sentiment.database.labels import labelled_answers
from sentiment.database.repositories import active_deployment
from sentiment.database.windows import Window, choose_window, count_by_version, sample_predictions
from sqlalchemy import Row
from sqlalchemy.orm import Session

from functions.drift_monitor.detection.performance import Bools, Floats
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.settings import DriftMonitorSettings
from functions.drift_monitor.verdict_history import last_run_ended, read_verdict_history


@dataclass(frozen=True)
class Traffic:
    """One model version's traffic up to a point in time."""

    window: Window
    counts: Mapping[str, int]  # of the window, by model version
    rows: Sequence[Row[Any]]  # of ours; a sample when there are many
    labelled: tuple[Floats, Bools]  # how confident answers were that people labelled, and whether right
    deployment_id: str | None  # the one that has the traffic, when it is of this version
    function_version: str | None
    past: Sequence[Mapping[str, Any]]  # what earlier runs recorded, newest first
    is_latest: bool  # no later window was judged yet


def read_traffic(
    session: Session, model_version: str, until: datetime, settings: DriftMonitorSettings
) -> Traffic:
    """Read all of it in the caller's transaction, so that it belongs together."""
    window = choose_window(
        session,
        until,
        model_version=model_version,
        sufficient_rows=settings.sufficient_rows,
        longest_hours=settings.window_hours,
    )
    labels = labelled_answers(
        session,
        Window.ending(until, hours=settings.performance_hours),
        model_version=model_version,
        limit=settings.maximum_rows,
    )
    confidence, right = zip(*labels, strict=True) if labels else ((), ())
    deployment = active_deployment(session)
    ours = deployment is not None and deployment.model_version == model_version
    last = last_run_ended(session, model_version, by=max(until, datetime.now(UTC)))
    return Traffic(
        window=window,
        counts=count_by_version(session, window),
        rows=sample_predictions(session, window, model_version=model_version, limit=settings.maximum_rows),
        labelled=(np.array(confidence, dtype=np.float64), np.array(right, dtype=np.bool_)),
        deployment_id=str(deployment.id) if deployment and ours else None,
        function_version=deployment.function_version if deployment and ours else None,
        past=read_verdict_history(session, model_version, before=until, limit=settings.persist_window - 1),
        is_latest=last is None or last <= until,
    )


def require_rows(counts: Mapping[str, int], version: str, settings: DriftMonitorSettings) -> None:
    """Raise MonitorError when the window holds too few predictions of this model version to judge them.

    Few are a quiet night and nobody's emergency. None at all, or none by this model, are a broken upstream
    or a monitor that was left behind by a deployment.
    """
    ours, total = counts.get(version, 0), sum(counts.values())
    span = f"the last {settings.window_hours} h"
    if not total:
        raise MonitorError("empty_window", f"no prediction was stored in {span}", severity="warning")
    if not ours and total >= settings.minimum_rows:
        others = ", ".join(sorted(counts))
        raise MonitorError(
            "model_version",
            f"{span} hold {total:,} predictions by {others} but none by {version}, whose reference this "
            "monitor carries; deploy it with the artifact that serves",
            severity="warning",
        )
    if ours < settings.minimum_rows:
        raise MonitorError(
            "too_few_rows",
            f"{span} hold {ours:,} predictions by {version}; it takes {settings.minimum_rows:,} to judge",
            severity="info",
        )
