import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sentiment.database.models import ExperimentRun, ModelDeployment
from sentiment.database.repositories import (
    raise_alert,
    record_dataset_metrics,
    resolve_alert,
    store_feedback,
)
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import handler
from tests.fixtures.messages import feedback, prediction
from tests.reports.client import EVENTS, NOW, ask, event, store

EARLIER = NOW - timedelta(hours=1)


def test_the_summary_counts_what_the_window_holds_and_nothing_older(database: Engine) -> None:
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
        answers = [feedback(made[0].prediction_id, label=label) for label in ("positive",)]
        store_feedback(session, [*answers, feedback(made[1].prediction_id, label="negative")])

    summary = ask("/reports/summary", hours="24")

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


def test_the_summary_of_an_empty_window_is_an_answer(database: Engine) -> None:
    summary = ask("/reports/summary")
    assert (summary["predictions"], summary["by_sentiment"]) == (0, {})
    assert summary["inference_time_ms"] == {"p50": None, "p95": None, "p99": None}
    since, until = (datetime.fromisoformat(summary[name]) for name in ("since", "until"))
    assert until - since == timedelta(hours=24)


def test_pages_hold_every_prediction_once_newest_first(database: Engine) -> None:
    stored = store(database, *(prediction(NOW - timedelta(minutes=minute)) for minute in range(7)))

    pages, before = [], {}
    while True:
        page = ask("/reports/predictions", limit="3", **before)
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

    found = ask("/reports/predictions", **query)["predictions"]

    assert {row["correlation_id"] for row in found} == expected


def test_an_audit_names_the_deployment_and_the_run_behind_a_prediction(database: Engine) -> None:
    deployment = uuid4()
    (stored,) = store(database, prediction(deployment_id=deployment, model_version="v7"))
    with Session(database) as session, session.begin():
        session.add(
            ModelDeployment(
                id=deployment,
                deployment_type="champion",
                model_version="v7",
                metrics={"accuracy": 0.9},
                artifact_uri="s3://bucket/models/v7",
                image_digest="sha256:abc",
                function_version="12",
                deployed_by="pipeline",
                deployed_at=NOW - timedelta(hours=1),
            )
        )
        for run, minutes in (("run-1", 10), ("run-2", 5)):
            session.add(
                ExperimentRun(
                    run_id=run,
                    experiment="sentiment",
                    status="FINISHED",
                    parameters={},
                    metrics={},
                    data_fingerprint="fp",
                    model_version="v7",
                    started_at=NOW - timedelta(minutes=minutes),
                )
            )

    found = ask(f"/reports/predictions/{stored}")

    assert found["prediction"]["id"] == stored
    assert found["prediction"]["text"] == "A film to remember, with a ☂ in it."
    assert (found["deployment"]["deployed_by"], found["deployment"]["is_active"]) == ("pipeline", True)
    assert (found["run"]["run_id"], found["run"]["data_fingerprint"]) == ("run-2", "fp")
    assert found["answered_by"] == {
        "model_version": "v7",
        "data_fingerprint": "fp",
        "mlflow_run_id": "run-2",
        "image_digest": "sha256:abc",
        "function_version": "12",
        "promoted_by": "pipeline",
        "promoted_at": found["deployment"]["deployed_at"],
        "reason": None,
    }


def test_an_audit_names_who_brought_the_version_back_when_it_answered_after_a_rollback(
    database: Engine,
) -> None:
    released = uuid4()
    rows = [
        # (function version, hours ago, who)
        (released, "12", 5, "pipeline"),
        (uuid4(), "13", 4, "pipeline"),
        (uuid4(), "12", 3, "ada"),
        (uuid4(), "14", 1, "grace"),
    ]
    with Session(database) as session, session.begin():
        for id_, version, hours, person in rows:
            session.add(
                ModelDeployment(
                    id=id_,
                    deployment_type="champion",
                    model_version="v7",
                    metrics={},
                    artifact_uri="s3://bucket/models/v7",
                    image_digest=f"sha256:{version}",
                    function_version=version,
                    deployed_by=person,
                    deployed_at=NOW - timedelta(hours=hours),
                    is_active=False,
                    retired_at=NOW,
                )
            )
    promoted = {}
    for hours in (4.5, 2, 6):  # the last one as a canary, before its release was written down
        (stored,) = store(
            database,
            prediction(NOW - timedelta(hours=hours), deployment_id=released, model_version="v7"),
        )
        answered_by = ask(f"/reports/predictions/{stored}")["answered_by"]
        assert answered_by["image_digest"] == "sha256:12"
        promoted[hours] = answered_by["promoted_by"]
    assert promoted == {4.5: "pipeline", 2: "ada", 6: "pipeline"}


@pytest.mark.parametrize("deployment_id", [None, uuid4()])
def test_an_audit_says_null_for_what_was_never_recorded(database: Engine, deployment_id: UUID | None) -> None:
    (stored,) = store(database, prediction(deployment_id=deployment_id))
    found = ask(f"/reports/predictions/{stored}")
    assert (found["deployment"], found["promotion"], found["run"]) == (None, None, None)
    assert {name for name, value in found["answered_by"].items() if value} == {"model_version"}


def test_alerts_are_the_open_ones_unless_all_are_asked_for(database: Engine) -> None:
    with Session(database) as session, session.begin():
        for cause in ("v1", "v2"):
            raise_alert(
                session, kind="data_drift", cause=cause, severity="warning", message="m", details={"n": 1}
            )
        resolve_alert(session, kind="data_drift", cause="v1")

    assert [alert["cause"] for alert in ask("/reports/alerts")["alerts"]] == ["v2"]
    everything = ask("/reports/alerts", state="all")["alerts"]
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

    assert {run["score"] for run in ask("/reports/drift")["runs"]} == {0.25, 0.75}
    (run,) = ask("/reports/drift", model_version="v2")["runs"]
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
    found = ask("/reports/deployments", limit="2")["deployments"]
    assert [row["model_version"] for row in found] == ["1 days ago", "2 days ago"]


def test_the_correlation_id_of_the_caller_comes_back_if_it_is_safe_to_log(database: Engine) -> None:
    answer = handler(event("/reports/alerts", {"X-Correlation-Id": "mine-1"}), None)
    assert answer["headers"]["x-correlation-id"] == "mine-1"
    answer = handler(event("/reports/alerts", {"x-correlation-id": "evil\nline"}), None)
    assert UUID(answer["headers"]["x-correlation-id"])
    assert answer["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("reports_*.json")), ids=lambda path: path.stem)
def test_the_example_events_are_answered(database: Engine, sample: Path) -> None:
    answer = handler(json.loads(sample.read_text()), None)
    assert answer["statusCode"] == (404 if sample.stem == "reports_prediction" else 200)
    json.loads(answer["body"])


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "transformers", "pandas", "numpy", "alembic", "evidently"]
    code = f"import sys, functions.reports.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
