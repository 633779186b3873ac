"""A run without a verdict sends an alert with the reason."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from functions.drift_monitor.detection.thresholds import FLOORS
from functions.drift_monitor.handler import handler
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import AT, NOW, VERSION, Row, cut, emf, serve, stored_alerts

pytestmark = pytest.mark.usefixtures("at_once")


def test_too_few_rows_are_recorded_and_not_sent(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, traffic[:50])
    result = handler(AT, None)
    assert (result["judged"], result["cause"]) == (False, "too_few_rows")
    alert = stored_alerts(monitored)["monitor_failure", "too_few_rows"]
    assert (alert.severity, alert.notified_at) == ("info", None)
    assert alert.message.endswith(f"50 predictions by {VERSION} in the last 24 h; 200 are required")
    assert aws.received() == []


def test_a_week_without_a_verdict_sends_an_alert(
    monitored: Engine, aws: Aws, traffic: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monitored, traffic[:300])
    handler(AT, None)
    later = NOW + timedelta(days=8)
    serve(monitored, traffic[:50], until=later)
    capsys.readouterr()

    assert handler({"scheduled_at": later.isoformat()}, None)["cause"] == "too_few_rows"

    (message,) = aws.received()
    assert (message["kind"], message["severity"]) == ("monitor_failure", "warning")
    assert "no verdict since" in " ".join(str(message["body"]).split())
    assert emf(capsys.readouterr().out) == {"HoursSinceJudged": 192, "MonitorFailures": 1}
    handler({"scheduled_at": (later + timedelta(hours=1)).isoformat()}, None)
    assert aws.received() == []


def test_a_week_without_any_verdict_ever_sends_an_alert(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    for days in (0, 6, 8):
        until = NOW + timedelta(days=days)
        serve(monitored, traffic[:50], until=until)
        assert handler({"scheduled_at": until.isoformat()}, None)["cause"] == "too_few_rows"
        assert len(aws.received()) == (days == 8)
    assert stored_alerts(monitored)["monitor_failure", "not_judged"].severity == "warning"


def test_a_failed_run_resolves_no_other_failure(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    assert handler(AT, None)["cause"] == "empty_window"
    serve(monitored, traffic[:50])
    assert handler(AT, None)["cause"] == "too_few_rows"
    assert stored_alerts(monitored)["monitor_failure", "empty_window"].resolved_at is None


def test_too_few_rows_leave_a_drift_alert_open(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    handler(AT, None)
    later = NOW + timedelta(hours=25)
    serve(monitored, traffic[:10], until=later)
    handler({"scheduled_at": later.isoformat()}, None)
    assert stored_alerts(monitored)["data_drift", VERSION].resolved_at is None


@pytest.mark.parametrize(
    ("damage", "cause", "message"),
    [
        (lambda folder: (folder / "reference.parquet").unlink(), "reference", "reference.parquet is missing"),
        (lambda folder: (folder / "model.json").unlink(), "reference", "model.json is missing"),
        (lambda folder: (folder / "model.json").write_text("{}"), "reference", "not a valid model card"),
        (
            lambda folder: (folder / "reference.parquet").write_bytes(b"PAR1"),
            "reference",
            "reference.parquet has 4 bytes but its card says",
        ),
    ],
)
def test_a_damaged_reference_sends_an_alert(
    monitored: Engine,
    aws: Aws,
    artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Any,
    cause: str,
    message: str,
) -> None:
    for file in artifact.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path)
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))

    result = handler(AT, None)

    assert (result["judged"], result["cause"]) == (False, cause)
    assert message in result["reason"]
    assert stored_alerts(monitored)["monitor_failure", cause].severity == "critical"
    (sent,) = aws.received()
    assert (sent["kind"], sent["severity"]) == ("monitor_failure", "critical")
    assert "docs/operations.md#monitor-failure" in str(sent["body"])


def test_an_empty_window_sends_an_alert_that_is_resolved_when_traffic_returns(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    assert handler(AT, None)["cause"] == "empty_window"
    assert [message["kind"] for message in aws.received()] == ["monitor_failure"]
    serve(monitored, traffic[:300])
    handler(AT, None)
    assert [message["subject"] for message in aws.received()] == ["Resolved: monitor failure"]


def test_traffic_of_another_model_alone_means_an_outdated_monitor(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, traffic[:300], model_version="20261201-ffffffff")
    result = handler(AT, None)
    assert result["cause"] == "model_version"
    assert "20261201-ffffffff but none by 20261123-1a2b3c4d" in result["reason"]
    assert len(aws.received()) == 1


def test_labels_that_differ_from_the_card_are_a_mismatch(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, traffic[:300], probabilities={"bad": 0.2, "good": 0.8})
    result = handler(AT, None)
    assert result["cause"] == "schema"
    assert "300 of 300 logged predictions have other labels" in result["reason"]


def test_a_monitor_that_misses_an_obvious_shift_fails(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.drift_monitor.detection.thresholds.FLOORS", dict.fromkeys(FLOORS, 50.0))
    serve(monitored, traffic[:300])

    with pytest.raises(
        Exception, match="no data drift and no prediction drift was detected in a sample with every"
    ):
        handler(AT, None)

    assert stored_alerts(monitored)["monitor_failure", "self_check"].severity == "critical"
    assert [message["severity"] for message in aws.received()] == ["critical"]


def test_an_unexpected_error_is_sent_without_its_message_and_raised(
    monitored: Engine,
    aws: Aws,
    traffic: list[Row],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "words-that-nobody-may-log"

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("functions.drift_monitor.window_evaluation.compare", explode)
    serve(monitored, traffic[:300])
    with pytest.raises(RuntimeError):
        handler(AT, None)
    (message,) = aws.received()
    assert "the run failed (RuntimeError, see the log)" in str(message["body"])
    assert secret not in str(message) + str([vars(record) for record in caplog.records])


def test_drift_is_sent_even_if_the_report_cannot_be_stored(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_BUCKET", "no-such-bucket")
    serve(monitored, cut(traffic[:300], words=30))
    handler(AT, None)
    messages = {message["kind"]: message for message in aws.received()}
    assert set(messages) == {"data_drift", "monitor_failure"}
    assert "Report:\ncould not be stored; see the separate alert\n" in str(messages["data_drift"]["body"])
