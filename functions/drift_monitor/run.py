"""One run: read reference and window, check the monitor itself, compare, record, and say what was found.

Raises MonitorError when it cannot judge. People are told by the handler, in the one way for both outcomes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sentiment.database.history import WINDOW_DATASET, WINDOW_SPLIT
from sentiment.database.repositories import record_dataset_metrics
from sentiment.database.session import transaction
from sentiment.database.windows import Window, count_by_version, sample_predictions
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.drift_monitor.alerts import Finding
from functions.drift_monitor.calibration import calibrate
from functions.drift_monitor.comparison import Verdict, compare, drift_score
from functions.drift_monitor.evidence import render
from functions.drift_monitor.failures import MonitorError, failure_finding, unforeseen
from functions.drift_monitor.features import FEATURES, shared_features
from functions.drift_monitor.findings import Circumstances, drift_finding
from functions.drift_monitor.reference import read_reference, tabulate_logged
from functions.drift_monitor.reports import store_report
from functions.drift_monitor.retraining import start_retraining
from functions.drift_monitor.self_check import check_detection
from functions.drift_monitor.settings import SERVICE, DriftMonitorSettings


@dataclass(frozen=True)
class Outcome:
    """What a run that could judge has to say."""

    findings: list[Finding]
    figures: dict[str, Any]  # as recorded in dataset_metrics
    drifted_features: int


def run(engine: Engine, window: Window, settings: DriftMonitorSettings) -> Outcome:
    """Judge the window and record the figures; running it again overwrites them.

    Raises MonitorError when the reference is damaged, the self-check fails, or the window holds too little.
    """
    reference = read_reference(settings.model_dir)
    version = reference.card.model_version
    with transaction(engine) as session:
        counts = count_by_version(session, window)
        rows = sample_predictions(session, window, model_version=version, limit=settings.maximum_rows)
    current = tabulate_logged(rows, reference.card.labels) if rows else reference.table.head(0)
    features = shared_features(reference.table, current) if rows else FEATURES
    size = max(len(rows), settings.minimum_rows)
    thresholds = calibrate(reference.table, features, rows=size, false_alarm_rate=settings.false_alarm_rate)
    logger(SERVICE).info("calibrated", thresholds={f.name: round(t, 4) for f, t in thresholds.items()})
    check_detection(reference.table, thresholds, rows=size, drift_threshold=settings.drift_threshold)
    require_rows(counts, version, settings)

    verdicts = compare(reference.table, current, thresholds, drift_threshold=settings.drift_threshold)
    problems = []
    report_uri = None
    try:
        page = render(reference.table, current, thresholds, drift_threshold=settings.drift_threshold)
        report_uri = store_report(page, window, version, settings.report_bucket)
    except Exception as error:  # whatever it is, people must still hear of the drift itself
        problem = unforeseen("report", "the report could not be stored", error, severity="warning")
        problems.append(problem)
    retraining = None
    if settings.on_drift == "retrain" and any(verdict.drifted for verdict in verdicts):
        try:
            retraining = start_retraining(
                str(settings.state_machine_arn),
                at=window.until,
                cooldown=timedelta(hours=settings.retrain_cooldown_hours),
            )
        except Exception as error:  # as above
            retraining = "could not be started; see the other alert"
            problem = unforeseen("retraining", "no retraining could be started", error, severity="warning")
            problems.append(problem)
    circumstances = Circumstances(
        model_version=version,
        mlflow_run_id=reference.card.mlflow_run_id,
        since=window.since,
        until=window.until,
        rows=counts[version],
        compared=len(rows),
        other_versions={other: count for other, count in counts.items() if other != version},
        not_compared=tuple(feature.name for feature in FEATURES if feature not in features),
        report_uri=report_uri,
        retraining=retraining,
    )
    figures = _figures(verdicts, circumstances)
    with transaction(engine) as session:
        record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{version} {window.since.isoformat()} {window.until.isoformat()}",
            split=WINDOW_SPLIT,
            rows=len(rows),
            metrics=figures,
        )
    drifts = [drift_finding(v, circumstances, settings.runbook_url) for v in verdicts if v.drifted]
    failures = [failure_finding(problem, settings.runbook_url) for problem in problems]
    return Outcome(drifts + failures, figures, sum(len(verdict.moved) for verdict in verdicts))


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
            "monitor carries; deploy it with the artefact that serves",
            severity="warning",
        )
    if ours < settings.minimum_rows:
        raise MonitorError(
            "too_few_rows",
            f"{span} hold {ours:,} predictions by {version}; it takes {settings.minimum_rows:,} to judge",
            severity="info",
        )


def _figures(verdicts: Sequence[Verdict], circumstances: Circumstances) -> dict[str, Any]:
    return {
        "score": round(drift_score(verdicts), 4),
        **circumstances.figures(),
        **{verdict.name: verdict.figures() for verdict in verdicts},
    }
