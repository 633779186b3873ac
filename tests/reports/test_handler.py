import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sentiment.database.alerts import raise_alert, resolve_alert
from sentiment.database.feedback import store_feedback
from sentiment.database.models import ModelDeployment
from sentiment.database.runs import record_dataset_metrics
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import handler
from tests.fixtures.messages import feedback, prediction
from tests.reports.client import EVENTS, NOW, event, get, store

EARLIER = NOW - timedelta(hours=1)


def test_the_summary_covers_the_window_and_nothing_older(database: Engine) -> None:
    made = [
        prediction(NOW - timedelta(hours=1), inference_time_ms=float(ms), confidence=0.91, truncated=ms == 40)
        for ms in (10, 20, 30, 40)
    ]
    store(
        database,
        *made,
        prediction(NOW - timedelta(hours=2), sentiment="negative", confidence=1.0, model_version="older"),
        prediction(NOW - timedelta(hours=30), confidence=0.1),
    )
    with Session(database) as session, session.begin():
        labels = [(made[0], "positive"), (made[1], "negative")]
        store_feedback(session, [feedback(one.prediction_id, label=label) for one, label in labels])

    summary = get("/reports/summary", hours="24")

    assert summary["predictions"] == 5
    assert summary["by_sentiment"] == {"positive": 4, "negative": 1}
    assert summary["by_model_version"] == {"20261123-1a2b3c4d": 4, "older": 1}
    assert summary["truncated_share"] == pytest.approx(0.2)
    assert summary["inference_time_ms"]["p50"] == pytest.approx(20)
    assert summary["inference_time_ms"]["p99"] == pytest.approx(39.6)
    assert summary["feedback"] == {"given": 2, "agreed": 1}
    histogram = {bin_["from"]: bin_["predictions"] for bin_ in summary["confidence"]["histogram"]}
    assert histogram.pop(0.9) == 4
    assert histogram.pop(0.95) == 1, "a confidence of exactly 1 belongs to the last bin"
    assert set(histogram.values()) == {0}
    assert summary["confidence"]["mean"] == pytest.approx((4 * 0.91 + 1) / 5)


def test_the_summary_of_an_empty_window_is_empty(database: Engine) -> None:
    summary = get("/reports/summary")
    assert (summary["predictions"], summary["by_sentiment"]) == (0, {})
    assert summary["inference_time_ms"] == {"p50": None, "p95": None, "p99": None}
    since, until = (datetime.fromisoformat(summary[name]) for name in ("since", "until"))
    assert until - since == timedelta(hours=24)


def test_pages_hold_every_prediction_once_newest_first(database: Engine) -> None:
    stored = store(database, *(prediction(NOW - timedelta(minutes=minute)) for minute in range(7)))

    pages, before = [], {}
    while True:
        page = get("/reports/predictions", limit="3", **before)
        pages.append([row["id"] for row in page["predictions"]])
        if page["next_before"] is None:
            break
        before = {"before": page["next_before"]}

    assert pages == [stored[0:3], stored[3:6], stored[6:]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sentiment": "negative"}, {"b"}),
        ({"model_version": "v2"}, {"c"}),
        ({"minimum_confidence": "0.9"}, {"a", "c"}),
        ({"truncated": "true"}, {"b"}),
        ({"truncated": "false", "model_version": "v2"}, {"c"}),
        ({"minimum_novelty": "1.5"}, {"b"}),
        ({"since": EARLIER.isoformat()}, {"a", "b"}),
        ({"until": EARLIER.isoformat()}, {"c"}),
        ({"since": (EARLIER - timedelta(hours=2)).isoformat(), "until": EARLIER.isoformat()}, {"c"}),
        ({"with_feedback": "true"}, {"a"}),
        ({"with_feedback": "false"}, {"b", "c"}),
        ({"minimum_confidence": "0.9", "with_feedback": "false"}, {"c"}),
        ({"sentiment": "no such"}, set()),
    ],
)
def test_filters_narrow_the_list(database: Engine, query: dict[str, str], expected: set[str]) -> None:
    made = prediction(correlation_id="a", confidence=0.9)
    store(
        database,
        made,
        prediction(correlation_id="b", confidence=0.6, sentiment="negative", truncated=True, novelty=1.5),
        prediction(EARLIER - timedelta(hours=1), correlation_id="c", confidence=0.99, model_version="v2"),
    )
    with Session(database) as session, session.begin():
        store_feedback(session, [feedback(made.prediction_id)])

    found = get("/reports/predictions", **query)["predictions"]

    assert {row["correlation_id"] for row in found} == expected


def test_alerts_are_the_open_ones_unless_all_are_requested(database: Engine) -> None:
    with Session(database) as session, session.begin():
        for cause in ("v1", "v2"):
            raise_alert(
                session, kind="data_drift", cause=cause, severity="warning", message="m", details={"n": 1}
            )
        resolve_alert(session, kind="data_drift", cause="v1")

    assert [alert["cause"] for alert in get("/reports/alerts")["alerts"]] == ["v2"]
    everything = get("/reports/alerts", state="all")["alerts"]
    assert {alert["cause"]: alert["resolved_at"] is None for alert in everything} == {"v1": False, "v2": True}


def test_the_drift_history_holds_the_monitors_runs_only(database: Engine) -> None:
    span = {"since": EARLIER.isoformat(), "until": NOW.isoformat()}
    with Session(database) as session, session.begin():
        record_dataset_metrics(
            session, dataset="reviews", fingerprint="f", split="test", rows=9, metrics={"model_version": "v1"}
        )
        for version, score in (("v1", 0.25), ("v2", 0.75)):
            record_dataset_metrics(
                session,
                dataset="prediction_logs",
                fingerprint=f"run of {version}",
                split="window",
                rows=300,
                metrics={"model_version": version, "score": score, **span},
            )

    assert {run["score"] for run in get("/reports/drift")["runs"]} == {0.25, 0.75}
    (run,) = get("/reports/drift", model_version="v2")["runs"]
    assert (run["rows"], run["score"]) == (300, 0.75)
    assert datetime.fromisoformat(run["at"]).tzinfo is not None


def test_deployments_come_newest_first(database: Engine) -> None:
    with Session(database) as session, session.begin():
        for days in (3, 1, 2):
            session.add(
                ModelDeployment(
                    deployment_type="champion",
                    model_version=f"{days} days ago",
                    metrics={},
                    is_active=False,
                    artifact_uri="s3://x",
                    deployed_by="me",
                    deployed_at=NOW - timedelta(days=days),
                    retired_at=NOW,
                )
            )
    found = get("/reports/deployments", limit="2")["deployments"]
    assert [row["model_version"] for row in found] == ["1 days ago", "2 days ago"]


def test_the_caller_s_correlation_id_is_kept_if_it_is_safe_to_log(database: Engine) -> None:
    response = handler(event("/reports/alerts", {"X-Correlation-Id": "mine-1"}), None)
    assert response["headers"]["x-correlation-id"] == "mine-1"
    response = handler(event("/reports/alerts", {"x-correlation-id": "evil\nline"}), None)
    assert UUID(response["headers"]["x-correlation-id"])
    assert response["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("reports_*.json")), ids=lambda path: path.stem)
def test_the_example_events_are_answered(database: Engine, sample: Path) -> None:
    response = handler(json.loads(sample.read_text()), None)
    assert response["statusCode"] == (404 if sample.stem == "reports_prediction" else 200)
    json.loads(response["body"])


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "transformers", "pandas", "numpy", "alembic", "evidently"]
    code = f"import sys, functions.reports.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
