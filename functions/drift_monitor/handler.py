"""Watches, hourly, whether traffic still looks like what the model was measured on, and tells people.

One run compares the last hours of prediction_logs with the artefact's reference, writes what it found to
dataset_metrics and monitoring_alerts, puts a report into S3 and publishes what is new. It never stays silent:
what keeps it from judging is an alert of its own.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.session import make_engine
from sentiment.exceptions import DatabaseError, InvalidInputError
from sentiment.logging import logger, metrics
from sqlalchemy import Engine

from functions.drift_monitor.alerts import Telling, settle
from functions.drift_monitor.failures import KIND as FAILURE
from functions.drift_monitor.failures import MonitorError, failure_finding, unforeseen
from functions.drift_monitor.settings import SERVICE, settings

# After these the run fails as well, so that Lambda counts an error: the monitor itself is broken.
BROKEN = ("self_check", "unexpected")


@cache
def engine() -> Engine:
    """Make this instance's one connection pool."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run once, over the window that ends at the event's `scheduled_at` (ISO 8601), or else now.

    Returns the figures, or why there are none. Raises, after people were told, when its self-check failed or
    something unforeseen happened; and at once when Postgres or SNS is away, so that nobody could be told.
    """
    until = _end(event)
    telling = Telling(settings().alert_topic_arn, until, timedelta(hours=settings().alert_cooldown_hours))
    try:
        # Pandas and Evidently take longer to import than Lambda allows for initialising.
        from functions.drift_monitor.run import run

        outcome = run(engine(), until, settings())
    except DatabaseError:
        raise
    except Exception as error:
        failure = (
            error if isinstance(error, MonitorError) else unforeseen("unexpected", "the run failed", error)
        )
        finding = failure_finding(failure, settings().runbook_url)
        # It closes nothing: what else was open is not known to be over.
        settle(engine(), [finding], telling, over=lambda alert: False)
        logger(SERVICE).warning("no judgement", cause=failure.cause, reason=str(failure))
        _count(MonitorFailures=finding.severity != "info")
        if failure.cause in BROKEN:
            raise
        return {"judged": False, "cause": failure.cause, "reason": str(failure)}
    settled = settle(
        engine(), outcome.findings, telling, over=lambda alert: outcome.is_latest and outcome.ends(alert)
    )
    figures = outcome.figures
    logger(SERVICE).info("judged", score=figures["score"], told=settled.told, closed=settled.closed)
    _count(
        DriftScore=figures["score"],
        DriftedFeatures=outcome.drifted_features,
        WindowRows=figures["rows"],
        MonitorFailures=any(finding.kind == FAILURE for finding in outcome.findings),
    )
    return {"judged": True, **figures}


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
        unit = MetricUnit.NoUnit if name == "DriftScore" else MetricUnit.Count
        emf.add_metric(name, unit, float(value))
    emf.flush_metrics()
