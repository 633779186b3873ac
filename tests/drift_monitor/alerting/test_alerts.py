"""The life cycle of an alert in Postgres, and the messages it sends through SNS."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sentiment.database.models import MonitoringAlert
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.drift_monitor.alerting.alerts import Finding, NotificationPolicy, sync_alerts
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import VERSION

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Monitor:
    """Syncs alerts with what hourly runs found; by default every finding may be sent at once."""

    def __init__(self, database: Engine, aws: Aws, cooldown_hours: float = 6) -> None:
        self.database, self.aws, self.cooldown = database, aws, timedelta(hours=cooldown_hours)

    def run(
        self, hour: float, *severities: str, resolved: bool = True, **changes: Any
    ) -> list[tuple[str, str]]:
        """Sync a run with drift of that severity, or none; return status and severity sent."""
        at = START + timedelta(hours=hour)
        findings = [drift(severity, **changes) for severity in severities]
        policy = NotificationPolicy(self.aws.topic, at, self.cooldown)
        sync_alerts(
            self.database, findings, policy, resolution=lambda alert: "No drift" if resolved else None
        )
        return [(str(sent["status"]), str(sent["severity"])) for sent in self.aws.received()]


def drift(severity: Any = "warning", **changes: Any) -> Finding:
    values = {
        "kind": "data_drift",
        "cause": VERSION,
        "severity": severity,
        "message": "Data drift: words drifted",
        "body": "Largest shifts: words",
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


def test_an_alert_is_sent_once_and_when_it_is_resolved(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    assert monitor.run(1, "warning") == monitor.run(9, "warning") == []
    assert monitor.run(10) == [("resolved", "warning")]
    assert monitor.run(11) == []
    (alert,) = rows(monitor.database)
    assert (alert.raised_at, alert.seen_at) == (START, START + timedelta(hours=9))
    assert alert.resolved_at == START + timedelta(hours=10)


def test_a_finding_of_severity_info_is_recorded_and_not_sent(monitor: Monitor) -> None:
    assert monitor.run(0, "info") == []
    assert rows(monitor.database)[0].severity == "info"
    assert monitor.run(1) == []
    assert rows(monitor.database)[0].resolved_at is not None


def test_the_message_gives_the_time_of_the_first_finding(monitor: Monitor) -> None:
    monitor.run(0, "info")
    sync_alerts(
        monitor.database,
        [drift()],
        NotificationPolicy(monitor.aws.topic, START + timedelta(hours=1), timedelta(hours=6)),
        resolution=lambda _: None,
    )
    (sent,) = monitor.aws.received()
    assert str(sent["body"]).splitlines()[:4] == [
        "Data drift: words drifted.",
        "Severity warning, first seen 2026-11-23 08:00 UTC.",
        "",
        "Largest shifts: words",
    ]
    attributes = {name: sent[name] for name in ("kind", "severity", "status", "model_version")}
    assert attributes == {
        "kind": "data_drift",
        "severity": "warning",
        "status": "open",
        "model_version": VERSION,
    }


def test_an_escalated_alert_is_sent_again_and_keeps_its_severity(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(1, "critical") == [("escalated", "critical")]
    assert monitor.run(2, "warning") == monitor.run(3, "critical") == monitor.run(4, "info") == []
    assert rows(monitor.database)[0].severity == "critical"
    assert monitor.run(5) == [("resolved", "critical")]


def test_an_alert_that_is_open_for_a_day_is_critical(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    assert monitor.run(23.9, "warning") == []
    assert monitor.run(24, "info") == [], "a run that does not confirm it does not escalate it"
    assert monitor.run(25, "warning") == [("escalated", "critical")]
    assert monitor.run(60, "warning") == []


def test_an_alert_that_returns_during_the_cooldown_is_sent_after_it(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(2) == [("resolved", "warning")]
    assert monitor.run(3, "warning") == monitor.run(5.9, "warning") == []
    assert monitor.run(6, "warning") == [("open", "warning")]
    assert len(rows(monitor.database)) == 2


def test_an_alert_of_a_run_with_a_future_time_starts_no_cooldown_before_it(monitor: Monitor) -> None:
    monitor.run(48, "warning")
    assert monitor.run(0) == [("resolved", "warning")]
    assert monitor.run(1, "warning") == [("open", "warning")]


def test_an_alert_that_returns_escalated_is_sent_despite_the_cooldown(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    monitor.run(2)
    assert monitor.run(3, "critical") == [("open", "critical")]


def test_an_alert_that_was_not_sent_is_resolved_without_a_message(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    monitor.run(2)
    monitor.run(3, "warning")
    assert monitor.run(4) == []
    assert all(alert.resolved_at for alert in rows(monitor.database))


def test_the_resolved_message_gives_the_reason_and_the_alert(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    policy = NotificationPolicy(monitor.aws.topic, START + timedelta(hours=5), timedelta())
    sync_alerts(monitor.database, [], policy, resolution=lambda alert: f"{alert.kind} is gone")
    (sent,) = monitor.aws.received()
    assert sent["subject"] == "Resolved: data drift"
    assert str(sent["body"]).splitlines() == [
        "data_drift is gone.",
        "",
        "Alert: Data drift: words drifted",
        "Open from 2026-11-23 08:00 UTC to 2026-11-23 13:00 UTC.",
    ]
    assert sent["model_version"] == VERSION


def test_alerts_of_different_causes_are_separate(monitor: Monitor) -> None:
    monitor.run(0, "warning")
    assert monitor.run(1, "warning", resolved=False, cause="another-model") == [("open", "warning")]
    assert [alert.resolved_at for alert in rows(monitor.database)] == [None, None]


def test_repeating_a_run_changes_nothing(monitor: Monitor) -> None:
    assert monitor.run(0, "warning") == [("open", "warning")]
    (before,) = rows(monitor.database)
    assert monitor.run(0, "warning") == []
    (after,) = rows(monitor.database)
    assert {**vars(before), "_sa_instance_state": 0} == {**vars(after), "_sa_instance_state": 0}


@pytest.mark.parametrize("ended", [False, True], ids=["open", "resolved"])
def test_a_message_that_sns_refused_is_sent_by_the_next_run(monitor: Monitor, ended: bool) -> None:
    if ended:
        monitor.run(0, "warning")
    topic = monitor.aws.topic
    monitor.aws.topic = topic.replace("alerts", "no-such-topic")
    with pytest.raises(Exception, match="NotFound"):
        monitor.run(1, *([] if ended else ["warning"]))
    monitor.aws.topic = topic
    sent = monitor.run(2, *([] if ended else ["warning"]))
    assert sent == [("resolved" if ended else "open", "warning")]


def test_a_subject_is_one_line_of_ascii_that_sns_takes(monitor: Monitor) -> None:
    monitor.run(0)
    sync_alerts(
        monitor.database,
        [drift(message="Überraschung\nand more " * 20)],
        NotificationPolicy(monitor.aws.topic, START, timedelta()),
        resolution=lambda _: None,
    )
    (sent,) = monitor.aws.received()
    assert str(sent["subject"]).startswith("?berraschung and more") and len(str(sent["subject"])) == 99
