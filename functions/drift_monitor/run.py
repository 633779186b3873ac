"""One drift run: evaluate the window, store the report, start a retraining if due, and record the run.

Raises MonitorError if there is no verdict. Alerts are sent by the handler, for findings and failures alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sentiment.database.models import MonitoringAlert
from sentiment.database.runs import WINDOW_DATASET, WINDOW_SPLIT, record_dataset_metrics
from sentiment.database.session import transaction
from sqlalchemy import Engine

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.drift_alerts import (
    AlertContext,
    RunContext,
    drift_finding,
    performance_finding,
)
from functions.drift_monitor.alerting.failures import failure_finding, unexpected_failure
from functions.drift_monitor.detection.effect_sizes import render
from functions.drift_monitor.detection.features import FEATURES
from functions.drift_monitor.detection.performance import Performance
from functions.drift_monitor.detection.reference import Card, read_reference
from functions.drift_monitor.errors import KIND as FAILURE
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.production_data import ProductionData, read_production_data
from functions.drift_monitor.reconciliation import OWN_FAILURES
from functions.drift_monitor.report_storage import report_link, store_report
from functions.drift_monitor.retraining import RetrainingPolicy, start_retraining
from functions.drift_monitor.settings import DriftMonitorSettings
from functions.drift_monitor.verdict_history import Persistence, verdict_history_of
from functions.drift_monitor.window_evaluation import WindowEvaluation, evaluate_window

VERDICTS = ("data_drift", "prediction_drift", "performance")


@dataclass(frozen=True)
class Outcome:
    """What a run with verdicts found."""

    findings: list[Finding]
    metrics: dict[str, Any]  # as recorded in dataset_metrics
    drifted_features: int
    performance: Performance
    recovered: frozenset[str]  # verdicts without drift for enough runs
    is_latest: bool  # a run of a past window is recorded and changes no alert

    def resolution(self, alert: MonitoringAlert) -> str | None:
        """Return why an open alert that was not found again is resolved, or None if it may still be open."""
        if not self.is_latest:
            return None
        if alert.kind == FAILURE:
            return None if alert.cause in OWN_FAILURES else "The drift monitor works again"
        if alert.kind not in VERDICTS:
            return None
        if alert.cause != self.metrics["model_version"]:
            return f"The monitored model is now {self.metrics['model_version']}"
        return "The last windows match the reference again" if alert.kind in self.recovered else None


def run(engine: Engine, until: datetime, settings: DriftMonitorSettings) -> Outcome:
    """Evaluate the window that ends at `until` and record the result; running it again overwrites it.

    Raises MonitorError if the reference is damaged, the self-check fails, or the window has too few rows.
    """
    reference = read_reference(settings.model_dir)
    with transaction(engine) as session:
        data = read_production_data(session, reference.card.model_version, until, settings)
    evaluation = evaluate_window(reference, data, settings)
    return _conclude(engine, data, reference.card, evaluation, settings)


def _conclude(
    engine: Engine,
    data: ProductionData,
    card: Card,
    evaluation: WindowEvaluation,
    settings: DriftMonitorSettings,
) -> Outcome:
    """Store the report, start a retraining if that is the policy, record the run, and return its findings."""
    persistence = Persistence(settings.persist_runs, settings.persist_window)
    histories = {
        name: [drifted, *verdict_history_of(name, data.past_runs)]
        for name, drifted in evaluation.drifted.items()
    }
    persistent = [
        name for name, drifted in evaluation.drifted.items() if drifted and persistence.holds(histories[name])
    ]
    version, window = card.model_version, data.window
    failures: list[MonitorError] = []

    def report() -> str:
        summaries = {verdict.name.replace("_", " "): verdict.summary for verdict in evaluation.verdicts}
        page = render(*evaluation.tables, evaluation.thresholds, verdicts=summaries)
        return store_report(page, window, version, settings.report_bucket)

    def retrain() -> str:
        with transaction(engine) as session:
            return start_retraining(
                session,
                RetrainingPolicy.of(settings),
                at=window.until,
                reason=f"{' and '.join(persistent)} of {version}",
                model_created_at=card.created_at,
            )

    report_uri = _attempt("report", "the report could not be stored", report, failures)
    retraining = None
    if settings.on_drift == "retrain" and persistent and data.is_latest:
        retraining = _attempt("retraining", "the retraining could not be started", retrain, failures)
        retraining = retraining or "could not be started; see the separate alert"
    run_context = RunContext(
        model_version=version,
        mlflow_run_id=card.mlflow_run_id,
        deployment_id=data.deployment_id,
        function_version=data.function_version,
        since=window.since,
        until=window.until,
        rows=data.counts[version],
        compared=len(data.rows),
        other_versions={other: count for other, count in data.counts.items() if other != version},
        not_compared=tuple(f.name for f in FEATURES if f not in evaluation.thresholds),
        report_uri=report_uri,
        retraining=retraining,
    )
    metrics = {**run_context.as_dict(), **evaluation.as_dict()}
    run_id = _record(engine, metrics, rows=len(data.rows))
    alert_context = AlertContext(
        run_context,
        evaluation.drifted,
        evaluation.performance,
        evaluation.phrases,
        report_link(
            report_uri,
            run_id,
            reports_url=settings.reports_url,
            now=datetime.now(UTC),
            hours=settings.report_link_hours,
        ),
        settings.runbook_url,
    )
    findings = [failure_finding(failure, settings.runbook_url) for failure in failures]
    if data.is_latest:
        findings += _drift_findings(evaluation, alert_context, persistent)
    return Outcome(
        findings,
        metrics,
        sum(len(verdict.drifted_features) for verdict in evaluation.verdicts),
        evaluation.performance,
        frozenset(name for name in VERDICTS if persistence.recovered(histories[name])),
        data.is_latest,
    )


def _drift_findings(
    evaluation: WindowEvaluation, context: AlertContext, persistent: Sequence[str]
) -> list[Finding]:
    found = [
        drift_finding(verdict, context, persistent=verdict.name in persistent)
        for verdict in evaluation.verdicts
        if verdict.drifted
    ]
    if evaluation.performance.drifted:
        found.append(performance_finding(context, persistent="performance" in persistent))
    return found


def _attempt(cause: str, what: str, act: Callable[[], str], failures: list[MonitorError]) -> str | None:
    """Return the result, or note the failure and return None: the drift alert must be sent in any case."""
    try:
        return act()
    except Exception as error:
        failures.append(unexpected_failure(cause, what, error, severity="warning"))
        return None


def _record(engine: Engine, metrics: dict[str, Any], *, rows: int) -> UUID:
    with transaction(engine) as session:
        return record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{metrics['model_version']} {metrics['until']}",
            split=WINDOW_SPLIT,
            rows=rows,
            metrics=metrics,
        )
