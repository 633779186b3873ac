"""Checks hourly whether traffic still looks like the data the model was evaluated on, and sends alerts.

A run compares the last hours of prediction_logs with the artifact's reference, records the result in
dataset_metrics and monitoring_alerts, stores a report in S3 and publishes new alerts. A daily run compares
the predictions that were answered with those that are stored. A run without a verdict sends an alert, too.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.alerts import open_alerts
from sentiment.database.models import MonitoringAlert
from sentiment.database.session import make_engine, transaction
from sentiment.exceptions import DatabaseError, InvalidInputError
from sentiment.logging import logger, metrics
from sqlalchemy import Engine

from functions.drift_monitor.alerting.alerts import AlertChanges, Finding, NotificationPolicy, sync_alerts
from functions.drift_monitor.alerting.failures import (
    failure_finding,
    overdue_verdict,
    unexpected_failure,
)
from functions.drift_monitor.errors import KIND as FAILURE
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.reconciliation import BROKEN as RECONCILIATION_BROKEN
from functions.drift_monitor.reconciliation import OWN_FAILURES, ReconciliationResult, reconcile
from functions.drift_monitor.settings import SERVICE, settings
from functions.drift_monitor.verdict_history import last_run_ended

# After these the run also raises, so that Lambda counts an error: the monitor itself is broken.
BROKEN = ("self_check", "unexpected", RECONCILIATION_BROKEN)
UNITS = {"DriftScore": MetricUnit.NoUnit, "EstimatedAccuracy": MetricUnit.NoUnit}


@cache
def engine() -> Engine:
    """Make the connection pool once."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check for drift in the window that ends at the event's `scheduled_at` (ISO 8601; default: now).

    With `{"action": "reconcile"}`, compare the predictions answered and stored on the day before instead.
    Returns the metrics, or why there are none. After a failed self-check or an unexpected error, sends an
    alert and raises; raises at once if Postgres or SNS is unavailable.
    """
    at = _end(event)
    match event.get("action"):
        case None:
            return check_drift(at)
        case "reconcile":
            return check_reconciliation(at)
        case other:
            raise InvalidInputError(f'action must be "reconcile" or absent, not {other!r}')


def check_drift(at: datetime) -> dict[str, Any]:
    """Evaluate the window that ends at `at`, send alerts, and return the metrics."""
    try:
        # pandas and Evidently take longer to import than Lambda allows for initialization.
        from functions.drift_monitor.run import run

        outcome = run(engine(), at, settings())
    except DatabaseError:
        raise
    except Exception as error:
        return _report_failure(error, "unexpected", at)
    changes = _sync_alerts(outcome.findings, at, outcome.resolution)
    values = outcome.metrics
    logger(SERVICE).info(
        "window judged", score=values["score"], notified=changes.notified, resolved=changes.resolved
    )
    _put_metrics(
        DriftScore=values["score"],
        DriftedFeatures=outcome.drifted_features,
        WindowRows=values["rows"],
        EstimatedAccuracy=outcome.performance.estimate.accuracy,
        MonitorFailures=any(finding.kind == FAILURE for finding in outcome.findings),
        HoursSinceJudged=0,
    )
    return {"judged": True, **values}


def check_reconciliation(at: datetime) -> dict[str, Any]:
    """Compare predictions answered and stored, send alerts about a difference, and return the counts."""
    try:
        result: ReconciliationResult = reconcile(engine(), at, settings().runbook_url)
    except DatabaseError:
        raise
    except Exception as error:
        return _report_failure(error, RECONCILIATION_BROKEN, at)
    changes = _sync_alerts(result.findings, at, result.resolution)
    logger(SERVICE).info(
        "predictions reconciled", notified=changes.notified, resolved=changes.resolved, **result.counts
    )
    failures = any(finding.kind == FAILURE and finding.severity != "info" for finding in result.findings)
    missing = {} if result.missing is None else {"MissingPredictions": result.missing}
    _put_metrics(MonitorFailures=failures, **missing)
    return result.counts


def _report_failure(error: Exception, cause: str, at: datetime) -> dict[str, Any]:
    """Send an alert about a run without a result; raises the error if the monitor itself is broken."""
    failure = error if isinstance(error, MonitorError) else unexpected_failure(cause, "the run failed", error)
    with transaction(engine()) as session:
        last = last_run_ended(session, by=max(at, datetime.now(UTC)))
        # Without any verdict yet, count from the first failure.
        open_failures = [alert for alert in open_alerts(session) if alert.kind == FAILURE]
        began = (alert.raised_at for alert in open_failures if alert.cause not in OWN_FAILURES)
        since = last or min(began, default=None)
    overdue = overdue_verdict(since, at)
    failures = [failure, *([overdue] if overdue else [])]
    findings = [failure_finding(each, settings().runbook_url) for each in failures]
    # It resolves nothing: other alerts may still be open.
    _sync_alerts(findings, at, lambda alert: None)
    logger(SERVICE).warning("run without a verdict", cause=failure.cause, reason=str(failure))
    age = {} if last is None else {"HoursSinceJudged": max(timedelta(), at - last) / timedelta(hours=1)}
    _put_metrics(MonitorFailures=any(finding.severity != "info" for finding in findings), **age)
    if failure.cause in BROKEN:
        raise error
    return {"judged": False, "cause": failure.cause, "reason": str(failure)}


def _sync_alerts(
    findings: Sequence[Finding], at: datetime, resolution: Callable[[MonitoringAlert], str | None]
) -> AlertChanges:
    cooldown = timedelta(hours=settings().alert_cooldown_hours)
    policy = NotificationPolicy(settings().alert_topic_arn, at, cooldown)
    return sync_alerts(engine(), findings, policy, resolution=resolution)


def _end(event: dict[str, Any]) -> datetime:
    """Return when the run was due, so that a late or repeated run covers the same window."""
    scheduled = event.get("scheduled_at") or event.get("time")
    try:
        end = datetime.fromisoformat(scheduled) if scheduled else datetime.now(UTC)
    except (TypeError, ValueError):
        raise InvalidInputError("scheduled_at must be ISO 8601, such as 2026-11-23T20:00:00Z") from None
    return end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)


def _put_metrics(**values: float) -> None:
    emf = metrics(SERVICE)
    for name, value in values.items():
        emf.add_metric(name, UNITS.get(name, MetricUnit.Count), float(value))
    emf.flush_metrics()
