"""The life of an alert in Postgres, and what people hear of it through SNS."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sentiment.database.history import WINDOW_DATASET, WINDOW_SPLIT
from sentiment.database.models import MonitoringAlert
from sentiment.database.repositories import record_dataset_metrics
from sentiment.database.session import transaction
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.drift_monitor.alerting.alerts import Finding, NotificationPolicy, sync_alerts
from functions.drift_monitor.verdict_history import (
    Persistence,
    last_run_ended,
    read_verdict_history,
    verdict_history_of,
)
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import VERSION

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Monitor:
    """Settles, hour by hour, what runs found; by default people are told at once."""

    def __init__(self, database: Engine, aws: Aws, cooldown_hours: float = 6) -> None:
        self.database, self.aws, self.cooldown = database, aws, timedelta(hours=cooldown_hours)

    def run(self, hour: float, *severities: str, over: bool = True, **changes: Any) -> list[tuple[str, str]]:
        """Settle a run that found one drift of that severity, or none; return status and severity told."""
        at = START + timedelta(hours=hour)
        findings = [drift(severity, **changes) for severity in severities]
        policy = NotificationPolicy(self.aws.topic, at, self.cooldown)
        sync_alerts(self.database, findings, policy, over=lambda alert: "It is calm" if over else None)
        return [(str(sent["status"]), str(sent["severity"])) for sent in self.aws.received()]


def drift(severity: Any = "warning", **changes: Any) -> Finding:
    values = {
        "kind": "data_drift",
        "cause": VERSION,
        "severity": severity,
        "message": "Data drift: it moved",
        "body": "What moved: words",
        "details": {"model_version": VERSION},
        "model_version": VERSION,
    }
    return Finding(**values | changes)


@pytest.fixture
def monitor(database: Engine, aws: Aws) -> Monitor:
    return Monitor(database, aws)


def rows(database: Engine) -> list[MonitoringAlert]:
    with Session(database) as session:
        return list(session.scalars(select(MonitoringAlert).order_by(MonitoringAlert.raised_at)))


def test_people_are_told_once_and_when_it_is_over(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    assert monitor.run(1, "warning") == monitor.run(9, "warning") == []
    assert monitor.run(10) == [("resolved", "warning")]
    assert monitor.run(11) == []
    (alert,) = rows(monitor.database)
    assert (alert.raised_at, alert.seen_at) == (START, START + timedelta(hours=9))
    assert alert.resolved_at == START + timedelta(hours=10)


def test_what_does_not_last_is_recorded_and_disturbs_nobody(monitor: Monitor) -> None:
    assert monitor.run(0, "info") == []
    assert rows(monitor.database)[0].severity == "info"
    assert monitor.run(1) == []
    assert rows(monitor.database)[0].resolved_at is not None


def test_the_message_says_since_when_by_the_first_sighting(monitor: Monitor) -> None:
    monitor.run(0, "info")
    sync_alerts(
        monitor.database,
        [drift()],
        NotificationPolicy(monitor.aws.topic, START + timedelta(hours=1), timedelta(hours=6)),
        over=lambda _: None,
    )
    (sent,) = monitor.aws.received()
    assert str(sent["body"]).splitlines()[:4] == [
        "Data drift: it moved.",
        "Severity warning, first seen 2026-11-23 08:00 UTC.",
        "",
        "What moved: words",
    ]
    attributes = {name: sent[name] for name in ("kind", "severity", "status", "model_version")}
    assert attributes == {
        "kind": "data_drift",
        "severity": "warning",
        "status": "open",
        "model_version": VERSION,
    }


def test_what_gets_worse_is_told_again_and_stays_as_bad_as_it_was(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(1, "critical") == [("escalated", "critical")]
    assert monitor.run(2, "warning") == monitor.run(3, "critical") == monitor.run(4, "info") == []
    assert rows(monitor.database)[0].severity == "critical"
    assert monitor.run(5) == [("resolved", "critical")]


def test_what_nobody_mends_in_a_day_is_critical(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    assert monitor.run(23.9, "warning") == []
    assert monitor.run(24, "info") == [], "a run that does not confirm it makes nothing worse"
    assert monitor.run(25, "warning") == [("escalated", "critical")]
    assert monitor.run(60, "warning") == []


def test_what_comes_back_within_the_cooldown_is_told_when_that_ends(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(2) == [("resolved", "warning")]
    assert monitor.run(3, "warning") == monitor.run(5.9, "warning") == []
    assert monitor.run(6, "warning") == [("open", "warning")]
    assert len(rows(monitor.database)) == 2


def test_what_a_run_of_a_time_to_come_told_is_no_cooldown_until_then(monitor: Monitor) -> None:
    monitor.run(48, "warning")
    assert monitor.run(0) == [("resolved", "warning")]
    assert monitor.run(1, "warning") == [("open", "warning")]


def test_what_comes_back_worse_is_told_in_spite_of_the_cooldown(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    monitor.run(2)
    assert monitor.run(3, "critical") == [("open", "critical")]


def test_what_was_over_before_the_cooldown_ended_is_closed_without_a_word(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    monitor.run(2)
    monitor.run(3, "warning")
    assert monitor.run(4) == []
    assert all(alert.resolved_at for alert in rows(monitor.database))


def test_the_closing_message_says_why_and_what_it_was(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    policy = NotificationPolicy(monitor.aws.topic, START + timedelta(hours=5), timedelta())
    sync_alerts(monitor.database, [], policy, over=lambda alert: f"{alert.kind} is gone")
    (sent,) = monitor.aws.received()
    assert sent["subject"] == "Over: data drift"
    assert str(sent["body"]).splitlines() == [
        "data_drift is gone.",
        "",
        "It was: Data drift: it moved",
        "Open from 2026-11-23 08:00 UTC to 2026-11-23 13:00 UTC.",
    ]
    assert sent["model_version"] == VERSION


def test_other_causes_are_told_apart(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(1, "warning", over=False, cause="another-model") == [("open", "warning")]
    assert [alert.resolved_at for alert in rows(monitor.database)] == [None, None]


def test_repeating_a_run_changes_nothing(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    (before,) = rows(monitor.database)
    assert monitor.run(0, "warning") == []
    (after,) = rows(monitor.database)
    assert {**vars(before), "_sa_instance_state": 0} == {**vars(after), "_sa_instance_state": 0}


@pytest.mark.parametrize("ended", [False, True], ids=["opened", "closed"])
def test_what_sns_did_not_take_is_told_by_the_next_run(monitor: Monitor, ended: bool) -> None:
    if ended:
        monitor.run(0, "warning")
    topic = monitor.aws.topic
    monitor.aws.topic = topic.replace("alerts", "no-such-topic")
    with pytest.raises(Exception, match="NotFound"):
        monitor.run(1, *([] if ended else ["warning"]))
    monitor.aws.topic = topic
    told = monitor.run(2, *([] if ended else ["warning"]))
    assert told == [("resolved" if ended else "open", "warning")]


def test_a_subject_is_one_line_of_ascii_that_sns_takes(monitor: Monitor) -> None:
    monitor.run(0)
    sync_alerts(
        monitor.database,
        [drift(message="Überraschung\nand more " * 20)],
        NotificationPolicy(monitor.aws.topic, START, timedelta()),
        over=lambda _: None,
    )
    (sent,) = monitor.aws.received()
    assert str(sent["subject"]).startswith("?berraschung and more") and len(str(sent["subject"])) == 99


def record(database: Engine, hour: int, drifted: bool, version: str = VERSION) -> None:
    """Record a run as run.py does, as far as its course is concerned."""
    until = (START + timedelta(hours=hour)).isoformat()
    metrics = {"model_version": version, "until": until, "data_drift": {"drifted": drifted}}
    with transaction(database) as session:
        record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{version} {until}",
            split=WINDOW_SPLIT,
            rows=500,
            metrics=metrics,
        )


def course(database: Engine, hour: int) -> list[bool]:
    with transaction(database) as session:
        runs = read_verdict_history(session, VERSION, before=START + timedelta(hours=hour), limit=3)
        return verdict_history_of("data_drift", runs)


def test_the_course_is_read_from_what_is_stored_newest_first(database: Engine) -> None:
    for hour, drifted in enumerate([True, True, False, False]):
        record(database, hour, drifted)
    record(database, 3, True, version="another-model")
    assert course(database, 4) == [False, False, True]
    assert course(database, 2) == [True, True], "neither itself nor later windows are its past"
    with transaction(database) as session:
        end = START + timedelta(hours=3)
        assert last_run_ended(session, VERSION, by=end) == end
        assert last_run_ended(session, VERSION, by=end - timedelta(minutes=1)) == START + timedelta(hours=2)
        assert last_run_ended(session, "a model that never ran", by=end) is None
        assert last_run_ended(session, by=end) == end
    assert verdict_history_of("performance", [{"data_drift": {"drifted": True}}]) == [False]


def test_a_run_that_is_repeated_counts_once(database: Engine) -> None:
    for _ in range(3):
        record(database, 0, True)
    assert course(database, 1) == [True]


@pytest.mark.parametrize(
    ("course", "holds", "over"),
    [
        ("D", False, False),
        ("DD", True, False),
        ("DC", False, False),
        ("DCD", True, False),  # one calm window between drifted ones changes nothing
        ("DDC", True, False),
        ("DCC", False, True),
        ("CDCD", True, False),
        ("DCDC", False, False),  # no longer told if it were new, and not over either: it does not flap
        ("C", False, False),
        ("CC", False, True),
    ],
)
def test_two_of_three_windows_make_it_last_and_two_calm_ones_end_it(
    course: str, holds: bool, over: bool
) -> None:
    newest_first = [window == "D" for window in reversed(course)]
    persistence = Persistence(2, 3)
    assert (persistence.holds(newest_first), persistence.over(newest_first)) == (holds, over)
