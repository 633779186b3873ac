"""Predictions answered and stored are compared, and a difference sends an alert."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sentiment.database.traffic import store_traffic
from sentiment.exceptions import InvalidInputError
from sqlalchemy import Engine

from functions.drift_monitor.handler import handler
from functions.drift_monitor.reconciliation import slack_of
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import emf, stored_alerts
from tests.fixtures.messages import prediction, traffic

EVENTS = Path(__file__).parents[2] / "events"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = TODAY - timedelta(days=1)
DAY = YESTERDAY.date().isoformat()


@pytest.fixture
def configured(database: Engine, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database and topic; there is no model, because counting needs none."""
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("ALERT_TOPIC_ARN", aws.topic)
    monkeypatch.setenv("REPORT_BUCKET", aws.bucket)
    return database


def reconcile(days: int = 0) -> dict[str, Any]:
    at = TODAY + timedelta(days=days, hours=2.5)
    return handler({"action": "reconcile", "scheduled_at": at.isoformat()}, None)  # type: ignore[arg-type]


def count(database: Engine, hours: Sequence[int], predictions: int, *, start: datetime = YESTERDAY) -> None:
    """Store the API's counts of those hours of the day, `predictions` in each."""
    counts = [
        traffic(start + timedelta(hours=hour + 1), predictions=predictions, requests=predictions)
        for hour in hours
    ]
    with transaction(database) as session:
        store_traffic(session, counts)


def store(database: Engine, hours: Sequence[int], predictions: int, *, start: datetime = YESTERDAY) -> None:
    """Store `predictions` predictions in each of those hours."""
    made = [
        prediction(start + timedelta(hours=hour, minutes=30, seconds=number))
        for hour in hours
        for number in range(predictions)
    ]
    with transaction(database) as session:
        store_predictions(session, made)


def test_no_difference_sends_no_alert(
    configured: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    count(configured, range(24), 20)
    store(configured, range(24), 20)
    result = reconcile()
    assert result == {
        "reconciled": True,
        "day": DAY,
        "since": (TODAY - timedelta(days=14)).date().isoformat(),
        "served": 480,
        "stored": 480,
        "missing": 0,
        "hours_counted": 24.0,
    }
    assert (stored_alerts(configured), aws.received()) == ({}, [])
    assert emf(capsys.readouterr().out) == {"MissingPredictions": 0, "MonitorFailures": 0}


def test_missing_predictions_are_critical_until_they_are_stored(
    configured: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    count(configured, range(24), 20)
    store(configured, range(20), 20)

    assert reconcile()["missing"] == 80

    assert emf(capsys.readouterr().out)["MissingPredictions"] == 80
    (message,) = aws.received()
    assert (message["kind"], message["severity"], message["status"]) == ("reconciliation", "critical", "open")
    assert message["subject"] == f"Reconciliation: 400 of 480 predictions of {DAY} stored, 80 missing"
    assert str(message["body"]).endswith("docs/operations.md#missing-predictions")

    reconcile()
    assert aws.received() == []
    count(configured, range(24), 0, start=TODAY)
    store(configured, range(20, 24), 20)
    reconcile(days=1)
    (resolved,) = aws.received()
    assert (resolved["kind"], resolved["status"]) == ("reconciliation", "resolved")
    assert "All answered predictions are stored now." in str(resolved["body"])


def test_missing_predictions_are_lost_once_the_queues_no_longer_keep_them(
    configured: Engine, aws: Aws
) -> None:
    count(configured, range(24), 20)
    reconcile()
    aws.received()
    count(configured, range(24), 0, start=TODAY + timedelta(days=14))
    reconcile(days=15)
    (resolved,) = aws.received()
    assert "are lost" in str(resolved["body"])


def test_a_comparison_of_a_past_day_resolves_no_later_alert(configured: Engine, aws: Aws) -> None:
    count(configured, range(20), 20)
    count(configured, range(24), 20, start=YESTERDAY - timedelta(days=3))
    store(configured, range(24), 20, start=YESTERDAY - timedelta(days=3))
    reconcile()
    assert {message["kind"] for message in aws.received()} == {"reconciliation"}
    assert reconcile(days=-3)["missing"] == 0
    assert aws.received() == []
    assert stored_alerts(configured)["reconciliation", DAY].resolved_at is None


def test_more_stored_than_counted_is_a_warning(configured: Engine, aws: Aws) -> None:
    count(configured, range(24), 20)
    store(configured, range(24), 25)
    assert reconcile()["missing"] == 0
    (message,) = aws.received()
    assert message["severity"] == "warning"
    assert "120 more than counted" in str(message["subject"])


def test_a_day_that_was_not_counted_is_a_failure(
    configured: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    store(configured, range(24), 5)
    assert reconcile()["reconciled"] is False
    (message,) = aws.received()
    assert (message["kind"], message["severity"]) == ("monitor_failure", "critical")
    assert f"the traffic of {DAY} was not counted" in " ".join(str(message["body"]).split())
    assert str(message["body"]).endswith("#traffic-not-counted")
    assert emf(capsys.readouterr().out) == {"MonitorFailures": 1}, "no metric is better than a false zero"


def test_before_the_first_count_there_is_nothing_to_compare(configured: Engine, aws: Aws) -> None:
    assert reconcile()["reconciled"] is False
    count(configured, range(12, 24), 10)
    store(configured, range(12, 24), 10)
    assert reconcile()["reconciled"] is True
    assert (stored_alerts(configured), aws.received()) == ({}, [])


def test_on_the_first_day_there_is_nothing_to_compare_the_day_before(configured: Engine, aws: Aws) -> None:
    count(configured, range(2), 10, start=TODAY)
    store(configured, range(2), 10, start=TODAY)
    assert reconcile()["reconciled"] is False
    assert (stored_alerts(configured), aws.received()) == ({}, [])


@pytest.mark.parametrize(("stored", "severity"), [(range(24), "warning"), (range(20), "info")])
def test_uncounted_hours_send_an_alert_if_predictions_were_answered_in_them(
    configured: Engine, aws: Aws, stored: range, severity: str
) -> None:
    count(configured, [0], 20, start=YESTERDAY - timedelta(days=1))
    store(configured, [0], 20, start=YESTERDAY - timedelta(days=1))
    count(configured, range(20), 20)
    store(configured, stored, 20)
    assert reconcile()["hours_counted"] == 20.0
    alert = stored_alerts(configured)["monitor_failure", "traffic_not_counted"]
    assert alert.severity == severity
    assert "4.0 of 24.0 hours" in alert.message
    assert len(aws.received()) == (severity == "warning")


def test_a_span_over_midnight_leaves_no_gap(configured: Engine, aws: Aws) -> None:
    start = YESTERDAY - timedelta(minutes=40)
    count(configured, range(26), 10, start=start)
    store(configured, range(26), 10, start=start)
    result = reconcile()
    assert (result["hours_counted"], result["missing"]) == (24.0, 0)
    assert aws.received() == []


def test_only_a_minute_at_each_open_edge_may_differ() -> None:
    hours = [traffic(YESTERDAY + timedelta(hours=hour), predictions=600) for hour in range(1, 25)]
    assert slack_of(hours) == 20, "ten a minute, at the beginning and at the end of the day"
    assert slack_of([*hours[:10], *hours[12:]]) == 40
    assert slack_of([]) == 0


def test_the_example_event_is_understood(configured: Engine, aws: Aws) -> None:
    event = json.loads((EVENTS / "drift_monitor_reconcile.json").read_text())
    assert handler(event, None)["reconciled"] is False  # type: ignore[arg-type]


def test_an_unknown_action_is_refused(configured: Engine) -> None:
    with pytest.raises(InvalidInputError, match="action must be"):
        handler({"action": "dance"}, None)  # type: ignore[arg-type]


def test_an_unexpected_error_sends_an_alert_and_is_raised(
    configured: Engine, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("words")

    monkeypatch.setattr("functions.drift_monitor.reconciliation.reconcile_days", explode)
    with pytest.raises(RuntimeError):
        reconcile()
    assert [(message["kind"], message["severity"]) for message in aws.received()] == [
        ("monitor_failure", "critical")
    ]
