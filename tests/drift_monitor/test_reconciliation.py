"""What was answered against what is stored, and what people hear of a difference."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.repositories import store_predictions, store_traffic
from sentiment.database.session import transaction
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
def told(database: Engine, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database and topic; there is no model, for counting needs none."""
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("ALERT_TOPIC_ARN", aws.topic)
    monkeypatch.setenv("REPORT_BUCKET", aws.bucket)
    return database


def reconcile(days: int = 0) -> dict[str, Any]:
    at = TODAY + timedelta(days=days, hours=2.5)
    return handler({"action": "reconcile", "scheduled_at": at.isoformat()}, None)  # type: ignore[arg-type]


def count(database: Engine, hours: Sequence[int], predictions: int, *, start: datetime = YESTERDAY) -> None:
    """Store what the API counted in those hours of the day, each so many predictions."""
    counts = [
        traffic(start + timedelta(hours=hour + 1), predictions=predictions, requests=predictions)
        for hour in hours
    ]
    with transaction(database) as session:
        store_traffic(session, counts)


def store(database: Engine, hours: Sequence[int], predictions: int, *, start: datetime = YESTERDAY) -> None:
    """Store so many predictions of each of those hours."""
    made = [
        prediction(start + timedelta(hours=hour, minutes=30, seconds=number))
        for hour in hours
        for number in range(predictions)
    ]
    with transaction(database) as session:
        store_predictions(session, made)


def test_what_was_answered_and_stored_is_calm(
    told: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    count(told, range(24), 20)
    store(told, range(24), 20)
    answer = reconcile()
    assert answer == {
        "reconciled": True,
        "day": DAY,
        "since": (TODAY - timedelta(days=14)).date().isoformat(),
        "served": 480,
        "stored": 480,
        "missing": 0,
        "hours_counted": 24.0,
    }
    assert (stored_alerts(told), aws.received()) == ({}, [])
    assert emf(capsys.readouterr().out) == {"MissingPredictions": 0, "MonitorFailures": 0}


def test_missing_predictions_are_critical_and_over_once_they_are_stored(
    told: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    count(told, range(24), 20)
    store(told, range(20), 20)

    assert reconcile()["missing"] == 80

    assert emf(capsys.readouterr().out)["MissingPredictions"] == 80
    (message,) = aws.received()
    assert (message["kind"], message["severity"], message["status"]) == ("reconciliation", "critical", "open")
    assert message["subject"] == f"Reconciliation: of 480 predictions of {DAY} 400 are stored, 80 are missing"
    assert str(message["body"]).endswith("docs/operations.md#missing-predictions")

    reconcile()
    assert aws.received() == []
    count(told, range(24), 0, start=TODAY)
    store(told, range(20, 24), 20)
    reconcile(days=1)
    (closing,) = aws.received()
    assert (closing["kind"], closing["status"]) == ("reconciliation", "resolved")
    assert "Stored now is what was answered." in str(closing["body"])


def test_what_no_queue_holds_any_more_is_said_to_be_lost(told: Engine, aws: Aws) -> None:
    count(told, range(24), 20)
    reconcile()
    aws.received()
    count(told, range(24), 0, start=TODAY + timedelta(days=14))
    reconcile(days=15)
    (closing,) = aws.received()
    assert "is lost" in str(closing["body"])


def test_a_comparison_of_a_past_day_ends_nothing_that_was_found_later(told: Engine, aws: Aws) -> None:
    count(told, range(20), 20)
    count(told, range(24), 20, start=YESTERDAY - timedelta(days=3))
    store(told, range(24), 20, start=YESTERDAY - timedelta(days=3))
    reconcile()
    assert {message["kind"] for message in aws.received()} == {"reconciliation"}
    assert reconcile(days=-3)["missing"] == 0
    assert aws.received() == []
    assert stored_alerts(told)["reconciliation", DAY].resolved_at is None


def test_more_stored_than_counted_is_a_warning_and_nothing_missing(told: Engine, aws: Aws) -> None:
    count(told, range(24), 20)
    store(told, range(24), 25)
    assert reconcile()["missing"] == 0
    (message,) = aws.received()
    assert message["severity"] == "warning"
    assert "120 more than were counted" in str(message["subject"])


def test_a_day_that_nobody_counted_is_a_failure_and_no_calm(
    told: Engine, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    store(told, range(24), 5)
    assert reconcile()["reconciled"] is False
    (message,) = aws.received()
    assert (message["kind"], message["severity"]) == ("monitor_failure", "critical")
    assert f"nobody counted what the API answered on {DAY}" in " ".join(str(message["body"]).split())
    assert str(message["body"]).endswith("#traffic-not-counted")
    assert emf(capsys.readouterr().out) == {"MonitorFailures": 1}, "no figure is better than a false nought"


def test_before_the_first_count_there_was_nothing_to_compare(told: Engine, aws: Aws) -> None:
    assert reconcile()["reconciled"] is False
    count(told, range(12, 24), 10)
    store(told, range(12, 24), 10)
    assert reconcile()["reconciled"] is True
    assert (stored_alerts(told), aws.received()) == ({}, [])


def test_on_its_first_day_there_was_nothing_to_compare_the_day_before(told: Engine, aws: Aws) -> None:
    count(told, range(2), 10, start=TODAY)
    store(told, range(2), 10, start=TODAY)
    assert reconcile()["reconciled"] is False
    assert (stored_alerts(told), aws.received()) == ({}, [])


@pytest.mark.parametrize(("stored", "severity"), [(range(24), "warning"), (range(20), "info")])
def test_hours_that_were_not_counted_are_told_when_somebody_answered_in_them(
    told: Engine, aws: Aws, stored: range, severity: str
) -> None:
    count(told, [0], 20, start=YESTERDAY - timedelta(days=1))
    store(told, [0], 20, start=YESTERDAY - timedelta(days=1))
    count(told, range(20), 20)
    store(told, stored, 20)
    assert reconcile()["hours_counted"] == 20.0
    alert = stored_alerts(told)["monitor_failure", "traffic_not_counted"]
    assert alert.severity == severity
    assert "4.0 of 24.0 hours" in alert.message
    assert len(aws.received()) == (severity == "warning")


def test_a_span_over_midnight_leaves_no_gap(told: Engine, aws: Aws) -> None:
    start = YESTERDAY - timedelta(minutes=40)
    count(told, range(26), 10, start=start)
    store(told, range(26), 10, start=start)
    answer = reconcile()
    assert (answer["hours_counted"], answer["missing"]) == (24.0, 0)
    assert aws.received() == []


def test_a_minute_at_the_open_edges_may_differ_and_no_more() -> None:
    hours = [traffic(YESTERDAY + timedelta(hours=hour), predictions=600) for hour in range(1, 25)]
    assert slack_of(hours) == 20, "ten a minute, at the beginning and at the end of the day"
    assert slack_of([*hours[:10], *hours[12:]]) == 40
    assert slack_of([]) == 0


def test_the_example_event_is_understood(told: Engine, aws: Aws) -> None:
    event = json.loads((EVENTS / "drift_monitor_reconcile.json").read_text())
    assert handler(event, None)["reconciled"] is False  # type: ignore[arg-type]


def test_an_unknown_action_is_refused(told: Engine) -> None:
    with pytest.raises(InvalidInputError, match="action must be"):
        handler({"action": "dance"}, None)  # type: ignore[arg-type]


def test_what_nobody_foresaw_is_told_and_raised(
    told: Engine, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("words")

    monkeypatch.setattr("functions.drift_monitor.reconciliation.reconcile_days", explode)
    with pytest.raises(RuntimeError):
        reconcile()
    assert [(message["kind"], message["severity"]) for message in aws.received()] == [
        ("monitor_failure", "critical")
    ]
