import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sentiment.database.models import ExperimentRun, ModelDeployment, PredictionLog
from sentiment.database.repositories import (
    raise_alert,
    record_dataset_metrics,
    resolve_alert,
    store_feedback,
    store_predictions,
)
from sentiment.messages import PredictionMade
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from functions.reports.handler import engine, handler
from tests.fixtures.messages import feedback, prediction

EVENTS = Path(__file__).parents[2] / "events"
NOW = datetime.now(UTC)


def event(
    path: str, headers: dict[str, str] | None = None, method: str = "GET", **query: str
) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((EVENTS / "reports_summary.json").read_text())
    sample["rawPath"] = sample["requestContext"]["http"]["path"] = path
    sample["requestContext"]["http"]["method"] = method
    sample["queryStringParameters"] = query
    sample["headers"] |= headers or {}
    return sample


def ask(path: str, **query: str) -> Any:
    answer = handler(event(path, **query), None)
    assert answer["statusCode"] == 200, answer["body"]
    return json.loads(answer["body"])


def refused(path: str, **query: str) -> tuple[int, dict[str, str]]:
    answer = handler(event(path, **query), None)
    body = json.loads(answer["body"])
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message", "correlation_id"}
    assert body["error"]["correlation_id"] == answer["headers"]["x-correlation-id"]
    return answer["statusCode"], body["error"]


def store(database: Engine, *made: PredictionMade) -> list[str]:
    with Session(database) as session, session.begin():
        store_predictions(session, made)
    return [str(one.prediction_id) for one in made]


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
        prediction(correlation_id="b", confidence=0.6, sentiment="negative"),
        prediction(correlation_id="c", confidence=0.99, model_version="v2"),
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
                artefact_uri="s3://bucket/models/v7",
                deployed_by="pipeline",
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


@pytest.mark.parametrize("deployment_id", [None, uuid4()])
def test_an_audit_says_null_for_what_was_never_recorded(database: Engine, deployment_id: UUID | None) -> None:
    (stored,) = store(database, prediction(deployment_id=deployment_id))
    found = ask(f"/reports/predictions/{stored}")
    assert (found["deployment"], found["run"]) == (None, None)


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
                metrics={"model_version": version, "score": score},
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
                    artefact_uri="s3://x",
                    deployed_by="me",
                    deployed_at=NOW - timedelta(days=days),
                    retired_at=NOW,
                )
            )
    found = ask("/reports/deployments", limit="2")["deployments"]
    assert [row["model_version"] for row in found] == ["1 days ago", "2 days ago"]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/reports/summary", {"hours": "0"}, "hours: input should be greater than or equal to 1"),
        ("/reports/summary", {"hours": "745"}, "hours: input should be less than or equal to 744"),
        ("/reports/summary", {"hours": "soon"}, "hours: input should be a valid integer"),
        ("/reports/predictions", {"limit": "201"}, "limit: input should be less than or equal to 200"),
        ("/reports/predictions", {"limit": "20,30"}, "limit: input should be a valid integer"),
        ("/reports/predictions", {"before": "1; DROP TABLE"}, "before: input should be a valid UUID"),
        ("/reports/predictions", {"minimum_confidence": "nan"}, "minimum_confidence: "),
        ("/reports/predictions", {"minimum_confidence": "1.01"}, "minimum_confidence: "),
        ("/reports/predictions", {"with_feedback": "maybe"}, "with_feedback: "),
        ("/reports/predictions", {"limits": "3"}, "unknown parameter; use limit, before, sentiment"),
        ("/reports/predictions/42", {}, "the id of a prediction is a UUID"),
        ("/reports/alerts", {"state": "closed"}, "state: input should be 'open' or 'all'"),
        ("/reports/deployments", {"limit": "0"}, "limit: "),
    ],
)
def test_bad_input_gets_one_clear_message(
    database: Engine, path: str, query: dict[str, str], message: str
) -> None:
    status, error = refused(path, **query)
    assert (status, error["code"]) == (422, "invalid_input")
    assert message in error["message"]
    assert not any(len(value) > 4 and value in error["message"] for value in query.values())


def test_what_does_not_exist_is_404_in_the_same_shape(database: Engine) -> None:
    assert refused(f"/reports/predictions/{uuid4()}") == (404, {**_any(), "code": "prediction_not_found"})
    status, error = refused("/reports/everything")
    assert (status, error["code"]) == (404, "not_found")
    answer = handler(event("/reports/summary", method="POST"), None)
    assert answer["statusCode"] in (404, 405)


def _any() -> dict[str, Any]:
    class Anything:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    return {"message": Anything(), "correlation_id": Anything()}


def test_the_correlation_id_of_the_caller_comes_back_if_it_is_safe_to_log(database: Engine) -> None:
    answer = handler(event("/reports/alerts", {"X-Correlation-Id": "mine-1"}), None)
    assert answer["headers"]["x-correlation-id"] == "mine-1"
    answer = handler(event("/reports/alerts", {"x-correlation-id": "evil\nline"}), None)
    assert UUID(answer["headers"]["x-correlation-id"])
    assert answer["headers"]["cache-control"] == "no-store"


def test_nothing_can_be_written_over_its_connection(database: Engine) -> None:
    store(database, prediction())
    with Session(engine()) as session, pytest.raises(DBAPIError, match="read-only transaction"):
        session.execute(delete(PredictionLog))
    with Session(database) as session:
        assert session.scalar(select(func.count()).select_from(PredictionLog)) == 1


def test_hostile_values_are_only_values(database: Engine) -> None:
    store(database, prediction())
    hostile = "x' OR '1'='1"
    assert ask("/reports/predictions", sentiment=hostile)["predictions"] == []
    assert ask("/reports/drift", model_version=hostile)["runs"] == []


def test_when_postgres_is_away_the_answer_is_503(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PORT", "1")
    status, error = refused("/reports/summary")
    assert (status, error["code"]) == (503, "database_error")


def test_an_unexpected_error_tells_nothing_but_the_correlation_id(
    database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "words-that-nobody-may-log"

    def explode(*_: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("functions.reports.handler.summarize_predictions", explode)
    status, error = refused("/reports/summary")
    assert (status, error["code"]) == (500, "internal_error")
    logged = str([vars(record) for record in caplog.records])
    assert "RuntimeError" in logged
    assert secret not in logged + error["message"]


def test_no_text_of_a_user_is_logged(
    database: Engine, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "words-that-nobody-may-log"
    (stored,) = store(database, prediction(text=secret))
    assert ask(f"/reports/predictions/{stored}")["prediction"]["text"] == secret
    output = capsys.readouterr()
    assert secret not in str([vars(record) for record in caplog.records]) + output.out + output.err


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
