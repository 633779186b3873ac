"""When alerts are sent and resolved, and what their messages contain."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sentiment.database.deployments import record_deployment
from sentiment.database.models import DatasetMetric, ModelDeployment
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.drift_monitor.handler import handler
from functions.drift_monitor.settings import settings
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import (
    AT,
    NOW,
    VERSION,
    Row,
    cut,
    make_artifact,
    serve,
    stored_alerts,
)

pytestmark = pytest.mark.usefixtures("at_once")


def test_drift_is_sent_once_and_when_it_is_resolved(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    for _ in range(3):
        handler(AT, None)
    assert [message["status"] for message in aws.received()] == ["open"]

    later = NOW + timedelta(hours=25)
    serve(monitored, traffic[:300], until=later)
    handler({"scheduled_at": later.isoformat()}, None)

    assert stored_alerts(monitored)["data_drift", VERSION].resolved_at is not None
    (message,) = aws.received()
    assert (message["status"], message["severity"]) == ("resolved", "critical")
    assert message["subject"] == "Resolved: data drift"
    assert "Alert: Data drift: " in str(message["body"])
    handler({"scheduled_at": later.isoformat()}, None)
    assert aws.received() == []


def test_drift_that_persists_is_sent_and_resolved_when_it_stays_away(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSIST_RUNS", "2")
    monkeypatch.setenv("PERSIST_WINDOW", "3")
    shifted, calm = cut(traffic[:600], words=30), traffic[600:1200]
    statuses = []
    for hour, rows in enumerate([shifted, calm, shifted, calm, shifted, calm, calm]):
        until = NOW + timedelta(hours=hour)
        serve(monitored, rows, until=until)
        handler({"scheduled_at": until.isoformat()}, None)
        handler({"scheduled_at": until.isoformat()}, None)  # a repeated run does not count twice
        statuses.append([message["status"] for message in aws.received()])
    assert statuses == [[], [], ["open"], [], [], [], ["resolved"]]
    assert stored_alerts(monitored)["data_drift", VERSION].raised_at == NOW


def test_a_run_of_a_past_window_is_recorded_and_changes_no_alert(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    past = NOW - timedelta(hours=30)
    serve(monitored, cut(traffic[:300], words=30), until=past)
    serve(monitored, traffic[:300])
    handler(AT, None)
    assert handler({"scheduled_at": past.isoformat()}, None)["data_drift"]["drifted"] is True
    assert (stored_alerts(monitored), aws.received()) == ({}, [])


def test_a_run_with_a_future_time_silences_none_before_it(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    future = NOW + timedelta(hours=10)  # such as a local time taken for UTC
    serve(monitored, traffic[:300], until=future)
    assert handler({"scheduled_at": future.isoformat()}, None)["judged"] is True
    serve(monitored, cut(traffic[300:600], words=30))
    handler(AT, None)
    assert [message["status"] for message in aws.received()] == ["open"]


def test_alerts_of_a_previous_model_are_resolved(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    handler(AT, None)
    aws.received()
    monkeypatch.setenv("MODEL_DIR", str(make_artifact(tmp_path, traffic[:1500], model_version="newer")))
    settings.cache_clear()
    serve(monitored, traffic[:300], model_version="newer")
    handler(AT, None)
    assert [message["status"] for message in aws.received()] == ["resolved"]


def test_an_alert_that_sns_refused_is_sent_by_the_next_run(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    aws.sns.delete_topic(TopicArn=aws.topic)
    with pytest.raises(Exception, match="NotFound"):
        handler(AT, None)
    assert stored_alerts(monitored)["data_drift", VERSION].notified_at is None

    topic = aws.sns.create_topic(Name="alerts")["TopicArn"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=aws.inbox, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    handler(AT, None)

    assert [message["kind"] for message in aws.received()] == ["data_drift"]


def test_the_message_names_the_active_deployment(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    with Session(monitored) as session, session.begin():
        record_deployment(
            session,
            ModelDeployment(
                deployment_type="champion",
                model_version=VERSION,
                metrics={},
                artifact_uri="s3://b/models/x",
                function_version="12",
                deployed_by="the tests",
            ),
        )
    serve(monitored, cut(traffic[:300], words=30))
    result = handler(AT, None)
    assert f"Deployment    {result['deployment_id']} (function version 12)" in str(aws.received()[0]["body"])


def test_the_link_opens_the_report_of_that_run_where_reports_are_served(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_URL", "https://sentiment.example/api/")
    monkeypatch.setenv("RUNBOOK_URL", "https://git.example/docs/operations.md")
    serve(monitored, cut(traffic[:300], words=30))
    handler(AT, None)
    with Session(monitored) as session:
        (run,) = session.scalars(select(DatasetMetric.id))
    body = str(aws.received()[0]["body"])
    assert f"Report:\nhttps://sentiment.example/api/reports/drift/{run}/page\n" in body
    assert "Runbook:\nhttps://git.example/docs/operations.md#drift" in body


def test_a_mail_has_short_lines(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, cut(traffic[:400], words=60))
    handler(AT, None)
    lines = str(aws.received()[0]["body"]).splitlines()
    assert all(len(line) <= 76 or "://" in line for line in lines)


def test_no_text_of_a_user_is_logged_or_sent(
    monitored: Engine,
    aws: Aws,
    traffic: list[Row],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    secret = "words-that-nobody-may-log"
    serve(monitored, cut(traffic[:300], words=30), text=secret)
    handler(AT, None)
    output = capsys.readouterr()
    logged = str([vars(record) for record in caplog.records]) + output.out + output.err
    assert "window judged" in logged
    assert secret not in logged + str(aws.received())
