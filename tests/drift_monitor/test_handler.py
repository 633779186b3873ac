"""The alerts, records and trainings that a drift run produces."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sentiment.database.models import DatasetMetric
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.drift_monitor.handler import handler
from tests.drift_monitor.conftest import Aws
from tests.drift_monitor.sample_data import (
    AT,
    NOW,
    VERSION,
    Row,
    cut,
    emf,
    label,
    serve,
    stored_alerts,
    with_negative_share,
)

pytestmark = pytest.mark.usefixtures("at_once")


def test_traffic_without_drift_is_recorded_and_raises_no_alert(
    monitored: Engine, aws: Aws, traffic: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monitored, traffic[:400])

    result = handler(AT, None)

    assert result["judged"] is True
    assert (stored_alerts(monitored), aws.received()) == ({}, [])
    with Session(monitored) as session:
        (run,) = session.scalars(select(DatasetMetric))
    assert (run.dataset, run.split, run.rows) == ("prediction_logs", "window", 400)
    assert run.metrics["model_version"] == VERSION
    assert run.metrics["data_drift"]["drifted"] is run.metrics["prediction_drift"]["drifted"] is False
    counted = emf(capsys.readouterr().out)
    assert 0.8 < counted.pop("EstimatedAccuracy") < 1
    assert counted == {
        "DriftScore": 0.0,
        "DriftedFeatures": 0,
        "WindowRows": 400,
        "MonitorFailures": 0,
        "HoursSinceJudged": 0,
    }


def test_cut_texts_are_data_drift_and_not_prediction_drift(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, cut(traffic[:400], words=60))

    result = handler(AT, None)

    assert result["data_drift"]["drifted"] is True
    ((key, alert),) = stored_alerts(monitored).items()
    assert key == ("data_drift", VERSION)
    assert (alert.severity, alert.resolved_at) == ("critical", None)
    assert alert.notified_at is not None
    (message,) = aws.received()
    assert (message["kind"], message["severity"], message["status"]) == ("data_drift", "critical", "open")
    assert str(message["subject"]).endswith("input features drifted, above all truncated")
    body = str(message["body"])
    assert f"first seen {NOW:%Y-%m-%d %H:%M} UTC" in body
    assert "- words: median 1" in body and " -> 60\n" in body
    assert "- truncated: 3" in body and "% -> 0%\n    (PSI" in body
    assert "Predictions   400\n" in body
    assert f"Model         {VERSION}\n" in body and "MLflow run    run-of-the-tests\n" in body
    assert "Verdicts      data drift yes, prediction drift no, performance no\n" in body
    assert body.endswith("Runbook:\ndocs/operations.md#drift")


def test_the_report_in_s3_is_linked_and_shows_the_features(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, cut(traffic[:400], words=60))

    result = handler(AT, None)

    bucket, _, key = result["report_uri"].removeprefix("s3://").partition("/")
    assert (bucket, key) == (aws.bucket, f"reports/drift/{NOW:%Y/%m/%d/%H%M%S}-{VERSION}.html")
    stored = aws.s3.get_object(Bucket=bucket, Key=key)
    page = stored["Body"].read().decode()
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert page.lstrip().startswith("<html>") or "<!doctype" in page[:200].lower()
    for feature in ("characters (log10)", "truncated", "entropy"):
        assert feature in page
    some_text = " ".join(traffic[0]["text"].split()[:12])
    assert some_text not in page
    (link,) = re.findall(r"^https://\S+$", str(aws.received()[0]["body"]), flags=re.MULTILINE)
    assert urlsplit(link).path.endswith(key)


def test_another_label_mix_is_prediction_drift_and_not_data_drift(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    serve(monitored, with_negative_share(traffic, 0.85, size=600))

    handler(AT, None)

    assert set(stored_alerts(monitored)) == {("prediction_drift", VERSION)}
    (message,) = aws.received()
    assert message["subject"] == "Prediction drift: 1 of 3 output features drifted, above all sentiment"
    assert "85% negative, 15% positive" in str(message["body"])


def test_a_repeated_run_overwrites_its_record(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300])
    assert handler(AT, None) == handler(AT, None)
    with Session(monitored) as session:
        assert len(session.scalars(select(DatasetMetric)).all()) == 1


def test_hashed_texts_are_compared_without_their_words(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300], text=None)
    result = handler(AT, None)
    unavailable = {"words", "language", "text"}
    assert unavailable <= set(result["not_compared"])
    assert not unavailable & {drift["feature"] for drift in result["data_drift"]["features"]}


def test_repeated_texts_count_once_for_the_threshold(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, 5 * traffic[:60])
    result = handler(AT, None)
    (threshold,) = [
        drift["threshold"] for drift in result["data_drift"]["features"] if drift["feature"] == "text"
    ]
    assert threshold > 0.65, "0.6 for 300 distinct texts"


def test_a_window_over_the_limit_is_sampled_and_the_message_says_so(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAXIMUM_ROWS", "1000")
    serve(monitored, cut(traffic[:1500], words=60))
    result = handler(AT, None)
    assert (result["rows"], result["compared"]) == (1500, 1000)
    assert "Predictions   1,500 (sample of 1,000 compared)\n" in str(aws.received()[0]["body"])


def test_rows_of_another_model_are_counted_and_not_compared(monitored: Engine, traffic: list[Row]) -> None:
    serve(monitored, traffic[:300])
    serve(monitored, cut(traffic[300:900], words=20), model_version="canary")
    result = handler(AT, None)
    assert (result["rows"], result["other_versions"]) == (300, {"canary": 600})
    assert result["data_drift"]["drifted"] is False


def test_persistent_drift_starts_a_training_if_that_is_the_policy(
    monitored: Engine, aws: Aws, traffic: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ON_DRIFT", "retrain")
    monkeypatch.setenv("STATE_MACHINE_ARN", aws.state_machine)
    monkeypatch.setenv("RETRAIN_MINIMUM_LABELS", "40")
    monkeypatch.setenv("PERSIST_RUNS", "2")
    monkeypatch.setenv("PERSIST_WINDOW", "2")
    serve(monitored, cut(traffic[:300], words=30))
    label(monitored, 40)

    assert handler(AT, None)["retraining"] is None
    later = NOW + timedelta(hours=1)
    handler({"scheduled_at": later.isoformat()}, None)

    assert aws.executions() == [f"drift-{later:%Y%m%dT%H%M%S}"]
    body = " ".join(str(aws.received()[0]["body"]).split())
    assert f"Retraining started as drift-{later:%Y%m%dT%H%M%S} with 40 labeled texts" in body


def test_drift_starts_nothing_by_default(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, cut(traffic[:300], words=30))
    assert handler(AT, None)["retraining"] is None
    assert aws.executions() == []


def test_contradicting_labels_are_lower_performance_and_disagreement(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    """Concept drift: texts and predictions are as before, but the labels have changed."""
    serve(monitored, traffic[:400])
    label(monitored, 120, correct=0.5)

    result = handler(AT, None)

    performance = result["performance"]
    assert (performance["drifted"], performance["decided_by"]) == (True, "labels")
    assert performance["labeled"]["rows"] == 120 and performance["labeled"]["accuracy"] == 0.5
    assert performance["estimate"]["low"] > performance["labeled"]["high"], "confidence cannot show this"
    assert result["prediction_drift"]["features"][0]["feature"] == "disagreement"
    assert result["prediction_drift"]["drifted"] is True
    assert result["data_drift"]["drifted"] is False
    messages = {message["kind"]: message for message in aws.received()}
    assert set(messages) == {"performance", "prediction_drift"}
    alert = messages["performance"]
    assert str(alert["subject"]).startswith("Performance: accuracy 50.0% by 120 labels, reference ")
    assert alert["severity"] == "critical"
    assert "may not be representative of all requests" in " ".join(str(alert["body"]).split())
    assert str(alert["body"]).endswith("#performance")


def test_too_few_labels_decide_nothing(monitored: Engine, aws: Aws, traffic: list[Row]) -> None:
    serve(monitored, traffic[:400])
    label(monitored, 49, correct=0.0)
    result = handler(AT, None)
    assert (result["performance"]["labeled"], result["performance"]["labels"]) == (None, 49)
    assert "disagreement" not in {f["feature"] for f in result["prediction_drift"]["features"]}
    assert aws.received() == []


def test_low_confidence_lowers_the_estimate_without_labels(
    monitored: Engine, aws: Aws, traffic: list[Row]
) -> None:
    unsure = [row for row in traffic if row["confidence"] < 0.75][:300]
    serve(monitored, unsure)
    result = handler(AT, None)
    assert (result["performance"]["drifted"], result["performance"]["decided_by"]) == (True, "estimate")
    alert = next(message for message in aws.received() if message["kind"] == "performance")
    assert "estimate from the model's confidence" in " ".join(str(alert["body"]).split())
