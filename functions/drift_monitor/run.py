"""One run: read reference and window, check the monitor itself, compare, record, and say what was found.

Raises MonitorError when it cannot judge. People are told by the handler, in the one way for both outcomes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentiment.database.history import WINDOW_DATASET, WINDOW_SPLIT
from sentiment.database.models import MonitoringAlert
from sentiment.database.repositories import record_dataset_metrics
from sentiment.database.session import transaction
from sentiment.database.windows import choose_window, count_by_version, sample_predictions
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.drift_monitor.alerts import Finding
from functions.drift_monitor.calibration import calibrate
from functions.drift_monitor.comparison import Verdict, compare, drift_score
from functions.drift_monitor.domain import tell_apart
from functions.drift_monitor.evidence import render
from functions.drift_monitor.failures import KIND as FAILURE
from functions.drift_monitor.failures import MonitorError, failure_finding, unforeseen
from functions.drift_monitor.features import FEATURES, shared_features
from functions.drift_monitor.findings import Circumstances, drift_finding
from functions.drift_monitor.history import Persistence, course_of, last_run_ended, read_course
from functions.drift_monitor.reference import read_reference, tabulate_logged
from functions.drift_monitor.reports import store_report
from functions.drift_monitor.retraining import start_retraining
from functions.drift_monitor.self_check import check_detection
from functions.drift_monitor.settings import SERVICE, DriftMonitorSettings

VERDICTS = ("data_drift", "prediction_drift")


@dataclass(frozen=True)
class Outcome:
    """What a run that could judge has to say."""

    findings: list[Finding]
    figures: dict[str, Any]  # as recorded in dataset_metrics
    drifted_features: int
    over: frozenset[str]  # verdicts that were calm for long enough
    is_latest: bool  # a run of a past window is recorded and changes nothing that people were told

    def ends(self, alert: MonitoringAlert) -> bool:
        """Tell whether an open alert that this run did not find again is over."""
        if alert.kind == FAILURE:
            return True
        of_another_model = alert.cause != self.figures["model_version"]
        return alert.kind in VERDICTS and (of_another_model or alert.kind in self.over)


def run(engine: Engine, until: datetime, settings: DriftMonitorSettings) -> Outcome:
    """Judge the window that ends then and record the figures; running it again overwrites them.

    Raises MonitorError when the reference is damaged, the self-check fails, or the window holds too little.
    """
    reference = read_reference(settings.model_dir)
    version = reference.card.model_version
    with transaction(engine) as session:
        window = choose_window(
            session,
            until,
            model_version=version,
            sufficient_rows=settings.sufficient_rows,
            longest_hours=settings.window_hours,
        )
        counts = count_by_version(session, window)
        rows = sample_predictions(session, window, model_version=version, limit=settings.maximum_rows)
    current = tabulate_logged(rows, reference.card.labels) if rows else reference.table.head(0)
    table, current = tell_apart(reference.table, current)
    features = shared_features(table, current)
    size = max(len(rows), settings.minimum_rows)
    thresholds = calibrate(table, features, rows=size, false_alarm_rate=settings.false_alarm_rate)
    logger(SERVICE).info("calibrated", thresholds={f.name: round(t, 4) for f, t in thresholds.items()})
    check_detection(table, thresholds, rows=size, drift_threshold=settings.drift_threshold)
    require_rows(counts, version, settings)

    verdicts = compare(table, current, thresholds, drift_threshold=settings.drift_threshold)
    problems = []
    report_uri = None
    try:
        page = render(table, current, thresholds, drift_threshold=settings.drift_threshold)
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
            fingerprint=f"{version} {window.until.isoformat()}",
            split=WINDOW_SPLIT,
            rows=len(rows),
            metrics=figures,
        )
        runs = read_course(session, version, until=until, limit=settings.persist_window)
        is_latest = last_run_ended(session, version) == until
    persistence = Persistence(settings.persist_runs, settings.persist_window)
    courses = {name: course_of(name, runs) for name in VERDICTS}
    findings = [failure_finding(problem, settings.runbook_url) for problem in problems]
    findings += [
        drift_finding(
            verdict, circumstances, settings.runbook_url, lasts=persistence.holds(courses[verdict.name])
        )
        for verdict in verdicts
        if verdict.drifted and is_latest
    ]
    return Outcome(
        findings,
        figures,
        sum(len(verdict.moved) for verdict in verdicts),
        frozenset(name for name in VERDICTS if persistence.over(courses[name])),
        is_latest,
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
