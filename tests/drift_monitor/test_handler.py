"""What people hear of drift, what is recorded, and what is started."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sentiment.database.models import DatasetMetric
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.drift_monitor.handler import handler
from functions.drift_monitor.settings import settings
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.traffic import (
    AT,
    NOW,
    VERSION,
    Row,
    cut,
    make_artifact,
    one_sided,
    serve,
    stored_alerts,
)

pytestmark = pytest.mark.usefixtures("at_once")


def emf(output: str) -> dict[str, float]:
    blobs = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    assert len(blobs) == 1
    return {name: value[0] for name, value in blobs[0].items() if isinstance(value, list)}


def test_calm_traffic_raises_nothing_and_is_recorded(
    monitored: Engine, aws: Aws, traffic: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monitored, traffic[:400])

    answer = handler(AT, None)

    assert answer["judged"] is True
    assert (stored_alerts(monitored), aws.received()) == ({}, [])
    with Session(monitored) as session:
        (run,) = session.scalars(select(DatasetMetric))
    assert (run.dataset, run.split, run.rows) == ("prediction_logs", "window", 400)
    assert run.metrics["model_version"] == VERSION
    assert run.metrics["data_drift"]["drifted"] is run.metrics["prediction_drift"]["drifted"] is False
    assert emf(capsys.readouterr().out) == {
        "DriftScore": 0.0,
        "DriftedFeatures": 0,
        "WindowRows": 400,
        "MonitorFailures": 0,
    }


def test_cut_texts_are_data_drift_and_no_prediction_drift(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, cut(traffic[:400], words=60))

    answer = handler(AT, None)

    assert answer["data_drift"]["score"] == 1.0
    ((key, alert),) = stored_alerts(monitored).items()
    assert key == ("data_drift", VERSION)
    assert (alert.severity, alert.resolved_at) == ("critical", None)
    assert alert.notified_at is not None
    (message,) = aws.received()
    assert (message["kind"], message["severity"], message["status"]) == ("data_drift", "critical", "open")
    assert message["subject"] == "Data drift: 4 of 4 input features moved, most of all truncated"
    body = str(message["body"])
    assert "- words: median 1" in body and "-> median 60 (" in body
    assert "- truncated: 3" in body and "% -> 0% (PSI" in body
    assert "Predictions: 400\n" in body
    assert f"Model: {VERSION} (MLflow run run-of-the-tests)" in body
    assert "What to do: docs/operations.md#drift" in body
    assert f"first seen {NOW:%Y-%m-%d %H:%M} UTC" in body


def test_the_report_in_s3_opens_and_tells_the_same_figures(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, cut(traffic[:400], words=60))

    answer = handler(AT, None)

    bucket, _, key = answer["report_uri"].removeprefix("s3://").partition("/")
    assert (bucket, key) == (aws.bucket, f"reports/drift/{NOW:%Y/%m/%d/%H%M%S}-{VERSION}.html")
    stored = aws.s3.get_object(Bucket=bucket, Key=key)
    page = stored["Body"].read().decode()
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert page.lstrip().startswith("<html>") or "<!doctype" in page[:200].lower()
    for feature in ("characters (log10)", "truncated", "entropy"):
        assert feature in page
    assert "Drift is detected for 57.1" in page or "0.571" in page
    some_text = " ".join(traffic[0]["text"].split()[:12])
    assert some_text not in page
    assert str(answer["report_uri"]) in str(aws.received()[0]["body"])


def test_another_mix_of_answers_is_prediction_drift_and_no_data_drift(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, one_sided(traffic, 0.85, size=600))

    handler(AT, None)

    assert set(stored_alerts(monitored)) == {("prediction_drift", VERSION)}
    (message,) = aws.received()
    assert message["subject"] == "Prediction drift: 1 of 3 output features moved, most of all sentiment"
    assert "85% negative, 15% positive" in str(message["body"])


def test_people_are_told_once_and_told_when_it_is_over(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
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
    assert message["subject"] == "Over: data drift"
    assert "It was: Data drift: 4 of 4" in str(message["body"])
    handler({"scheduled_at": later.isoformat()}, None)
    assert aws.received() == []


def test_people_are_told_when_it_lasts_and_when_calm_lasts(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSIST_RUNS", "2")
    monkeypatch.setenv("PERSIST_WINDOW", "3")
    shifted, calm = cut(traffic[:600], words=30), traffic[600:1200]
    heard = []
    for hour, rows in enumerate([shifted, calm, shifted, calm, shifted, calm, calm]):
        until = NOW + timedelta(hours=hour)
        serve(monitored, rows, until=until)
        handler({"scheduled_at": until.isoformat()}, None)
        handler({"scheduled_at": until.isoformat()}, None)  # a repeated run does not count twice
        heard.append([message["status"] for message in aws.received()])
    assert heard == [[], [], ["open"], [], [], [], ["resolved"]]
    assert stored_alerts(monitored)["data_drift", VERSION].raised_at == NOW


def test_a_run_of_a_past_window_is_recorded_and_changes_nothing(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    past = NOW - timedelta(hours=30)
    serve(monitored, cut(traffic[:300], words=30), until=past)
    serve(monitored, traffic[:300])
    handler(AT, None)
    assert handler({"scheduled_at": past.isoformat()}, None)["data_drift"]["drifted"] is True
    assert (stored_alerts(monitored), aws.received()) == ({}, [])


def test_what_another_model_raised_is_over_when_it_serves_no_more(
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


def test_what_sns_refused_is_told_by_the_next_run(
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


def test_a_repeated_run_overwrites_its_own_figures(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300])
    assert handler(AT, None) == handler(AT, None)
    with Session(monitored) as session:
        assert len(session.scalars(select(DatasetMetric)).all()) == 1


def test_hashed_texts_are_judged_without_their_words(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300], text=None)
    answer = handler(AT, None)
    assert answer["not_compared"] == ("words",)
    features = {shift["feature"] for shift in answer["data_drift"]["features"]}
    assert features == {"characters", "tokens", "truncated"}


def test_a_window_over_the_limit_is_sampled_and_says_so(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAXIMUM_ROWS", "1000")
    serve(monitored, cut(traffic[:1500], words=60))
    answer = handler(AT, None)
    assert (answer["rows"], answer["compared"]) == (1500, 1000)
    assert "Predictions: 1,500, compared by a sample of 1,000\n" in str(aws.received()[0]["body"])


def test_rows_of_another_model_are_counted_and_not_compared(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300])
    serve(monitored, cut(traffic[300:900], words=20), model_version="canary")
    answer = handler(AT, None)
    assert (answer["rows"], answer["other_versions"]) == (300, {"canary": 600})
    assert answer["data_drift"]["drifted"] is False


def test_drift_starts_a_training_once_per_cooldown_if_the_policy_says_so(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ON_DRIFT", "retrain")
    monkeypatch.setenv("STATE_MACHINE_ARN", aws.state_machine)
    serve(monitored, cut(traffic[:300], words=30))

    handler(AT, None)
    assert aws.executions() == [f"drift-{NOW:%Y%m%dT%H%M%S}"]
    assert f"Retraining: started as drift-{NOW:%Y%m%d}" in str(aws.received()[0]["body"])

    again = handler({"scheduled_at": (NOW + timedelta(hours=1)).isoformat()}, None)
    assert again["retraining"].startswith("not started: one began at")
    assert len(aws.executions()) == 1

    handler({"scheduled_at": (NOW + timedelta(hours=20)).isoformat()}, None)
    monkeypatch.setenv("RETRAIN_COOLDOWN_HOURS", "19")
    settings.cache_clear()
    handler({"scheduled_at": (NOW + timedelta(hours=20)).isoformat()}, None)
    assert len(aws.executions()) == 2


def test_drift_starts_nothing_by_default(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    assert handler(AT, None)["retraining"] is None
    assert aws.executions() == []


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
    assert "judged" in logged
    assert secret not in logged + str(aws.received())
