"""Watches, hourly, whether traffic still looks like what the model was measured on, and tells people.

One run compares the last hours of prediction_logs with the artifact's reference, writes what it found to
dataset_metrics and monitoring_alerts, puts a report into S3 and publishes what is new. Daily it compares what
was answered with what is stored. It never stays silent: what keeps it from judging is an alert of its own.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.models import MonitoringAlert
from sentiment.database.repositories import open_alerts
from sentiment.database.session import make_engine, transaction
from sentiment.exceptions import DatabaseError, InvalidInputError
from sentiment.logging import logger, metrics
from sqlalchemy import Engine

from functions.drift_monitor.alerting.alerts import AlertChanges, Finding, NotificationPolicy, sync_alerts
from functions.drift_monitor.alerting.failures import (
    failure_finding,
    not_judged_for_long,
    unforeseen,
)
from functions.drift_monitor.errors import KIND as FAILURE
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.reconciliation import BROKEN as RECONCILIATION_BROKEN
from functions.drift_monitor.reconciliation import OWN_FAILURES, Reconciled, reconcile
from functions.drift_monitor.settings import SERVICE, settings
from functions.drift_monitor.verdict_history import last_run_ended

# After these the run fails as well, so that Lambda counts an error: the monitor itself is broken.
BROKEN = ("self_check", "unexpected", RECONCILIATION_BROKEN)
UNITS = {"DriftScore": MetricUnit.NoUnit, "EstimatedAccuracy": MetricUnit.NoUnit}


@cache
def engine() -> Engine:
    """Make this instance's one connection pool."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look for drift in the window that ends at the event's `scheduled_at` (ISO 8601), or else now.

    With `{"action": "reconcile"}` compare the day before that with what is stored of it instead. Returns the
    figures, or why there are none. Raises, after people were told, when its self-check failed or something
    unforeseen happened; and at once when Postgres or SNS is away, so that nobody could be told.
    """
    at = _end(event)
    match event.get("action"):
        case None:
            return look_for_drift(at)
        case "reconcile":
            return look_for_losses(at)
        case other:
            raise InvalidInputError(f'action must be "reconcile" or left out, not {other!r}')


def look_for_drift(at: datetime) -> dict[str, Any]:
    """Judge the window that ends then, tell people what they have to hear, and return the figures."""
    try:
        # Pandas and Evidently take longer to import than Lambda allows for initialising.
        from functions.drift_monitor.run import run

        outcome = run(engine(), at, settings())
    except DatabaseError:
        raise
    except Exception as error:
        return _not_judged(error, "unexpected", at)
    settled = _sync_alerts(outcome.findings, at, outcome.ends)
    figures = outcome.figures
    logger(SERVICE).info("judged", score=figures["score"], told=settled.told, closed=settled.closed)
    _count(
        DriftScore=figures["score"],
        DriftedFeatures=outcome.drifted_features,
        WindowRows=figures["rows"],
        EstimatedAccuracy=outcome.performance.estimate.accuracy,
        MonitorFailures=any(finding.kind == FAILURE for finding in outcome.findings),
        HoursSinceJudged=0,
    )
    return {"judged": True, **figures}


def look_for_losses(at: datetime) -> dict[str, Any]:
    """Compare what was answered with what is stored, tell people of a difference, and return the figures."""
    try:
        found: Reconciled = reconcile(engine(), at, settings().runbook_url)
    except DatabaseError:
        raise
    except Exception as error:
        return _not_judged(error, RECONCILIATION_BROKEN, at)
    settled = _sync_alerts(found.findings, at, found.ends)
    logger(SERVICE).info("reconciled", told=settled.told, closed=settled.closed, **found.figures)
    failures = any(finding.kind == FAILURE and finding.severity != "info" for finding in found.findings)
    missing = {} if found.missing is None else {"MissingPredictions": found.missing}
    _count(MonitorFailures=failures, **missing)
    return found.figures


def _not_judged(error: Exception, cause: str, at: datetime) -> dict[str, Any]:
    failure = error if isinstance(error, MonitorError) else unforeseen(cause, "the run failed", error)
    with transaction(engine()) as session:
        last = last_run_ended(session, by=max(at, datetime.now(UTC)))
        # A monitor that has never judged anything counts from when it first could not.
        failures = [alert for alert in open_alerts(session) if alert.kind == FAILURE]
        began = (alert.raised_at for alert in failures if alert.cause not in OWN_FAILURES)
        since_when = last or min(began, default=None)
    problems = [failure, *([late] if (late := not_judged_for_long(since_when, at)) else [])]
    findings = [failure_finding(problem, settings().runbook_url) for problem in problems]
    # It ends nothing: what else was open is not known to be over.
    _sync_alerts(findings, at, lambda alert: None)
    logger(SERVICE).warning("no judgement", cause=failure.cause, reason=str(failure))
    since = {} if last is None else {"HoursSinceJudged": max(timedelta(), at - last) / timedelta(hours=1)}
    _count(MonitorFailures=any(finding.severity != "info" for finding in findings), **since)
    if failure.cause in BROKEN:
        raise error
    return {"judged": False, "cause": failure.cause, "reason": str(failure)}


def _sync_alerts(
    findings: Sequence[Finding], at: datetime, over: Callable[[MonitoringAlert], str | None]
) -> AlertChanges:
    cooldown = timedelta(hours=settings().alert_cooldown_hours)
    return sync_alerts(
        engine(), findings, NotificationPolicy(settings().alert_topic_arn, at, cooldown), over=over
    )


def _end(event: dict[str, Any]) -> datetime:
    """Return the time the run was meant for, so that a late or repeated one judges the same window."""
    scheduled = event.get("scheduled_at") or event.get("time")
    try:
        end = datetime.fromisoformat(scheduled) if scheduled else datetime.now(UTC)
    except (TypeError, ValueError):
        raise InvalidInputError("scheduled_at must be ISO 8601, such as 2026-11-23T20:00:00Z") from None
    return end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)


def _count(**figures: float) -> None:
    emf = metrics(SERVICE)
    for name, value in figures.items():
        emf.add_metric(name, UNITS.get(name, MetricUnit.Count), float(value))
    emf.flush_metrics()
