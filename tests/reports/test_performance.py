"""Daily accuracy by labels, and the drift monitor's estimates without labels."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sentiment.database.feedback import store_feedback
from sentiment.database.runs import record_dataset_metrics
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import feedback, prediction
from tests.reports.client import NOW, get, store

TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = TODAY - timedelta(hours=12)
BEFORE = YESTERDAY - timedelta(days=1)
REFERENCE = {"accuracy": 0.88, "rows": 1000}


def label(database: Engine, at: datetime, labels: str, **changes: Any) -> None:
    """Store a positive prediction for each label, given by its first letter; `.` is no label."""
    made = [prediction(at + timedelta(seconds=number), **changes) for number in range(len(labels))]
    store(database, *made)
    names = {"p": "positive", "n": "negative"}
    given = [
        feedback(one.prediction_id, label=names[letter])
        for one, letter in zip(made, labels, strict=True)
        if letter in names
    ]
    with Session(database) as session, session.begin():
        store_feedback(session, given)


def record_run(
    database: Engine, until: datetime, accuracy: float, version: str = "v1", **metrics: Any
) -> None:
    estimate = {"accuracy": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02, "rows": 500}
    verdict = {
        "drifted": False,
        "decided_by": "estimate",
        "reference": REFERENCE,
        "estimate": estimate,
        "labeled": None,
        "labels": 0,
    }
    span = {"since": (until - timedelta(hours=1)).isoformat(), "until": until.isoformat()}
    with Session(database) as session, session.begin():
        record_dataset_metrics(
            session,
            dataset="prediction_logs",
            fingerprint=f"{version} {until}",
            split="window",
            rows=500,
            metrics={"model_version": version, "performance": verdict, **span} | metrics,
        )


def test_each_day_has_its_accuracy_by_labels_and_its_interval(database: Engine) -> None:
    label(database, YESTERDAY, "ppppppppnn..")
    label(database, BEFORE, "n")

    found = get("/reports/performance", days="3")

    yesterday, before = found["days"]
    assert (yesterday["day"], before["day"]) == (str(YESTERDAY.date()), str(BEFORE.date()))
    assert (yesterday["labels"], yesterday["agreed"], yesterday["accuracy"]) == (10, 8, 0.8)
    # Wilson's interval of 8 in 10, as in the tables.
    assert (yesterday["low"], yesterday["high"]) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert (before["labels"], before["accuracy"], before["low"]) == (1, 0.0, 0.0)
    assert before["high"] == pytest.approx(0.7935, abs=1e-4)
    assert (found["labeled"]["labels"], found["labeled"]["agreed"]) == (11, 8)
    assert found["monitor"] is None


def test_each_day_has_its_last_estimate_with_or_without_labels(database: Engine) -> None:
    label(database, YESTERDAY, "p")
    record_run(database, YESTERDAY, 0.7)
    record_run(database, YESTERDAY + timedelta(hours=1), 0.85)
    record_run(database, BEFORE, 0.86)

    found = get("/reports/performance", days="3")

    assert [(day["labels"], day["estimate"]["accuracy"]) for day in found["days"]] == [(1, 0.85), (0, 0.86)]
    assert found["days"][1]["accuracy"] is None
    monitor = found["monitor"]
    assert (monitor["reference"], monitor["estimate"]["accuracy"]) == (REFERENCE, 0.85)
    assert (monitor["model_version"], monitor["drifted"], monitor["labeled"]) == ("v1", False, None)
    assert datetime.fromisoformat(monitor["until"]) == YESTERDAY + timedelta(hours=1)


def test_performance_is_filtered_by_model_version(database: Engine) -> None:
    label(database, YESTERDAY, "pp", model_version="v1")
    label(database, YESTERDAY, "n", model_version="v2")
    record_run(database, YESTERDAY, 0.8)
    record_run(database, YESTERDAY + timedelta(hours=1), 0.6, version="v2")

    found = get("/reports/performance", model_version="v1")

    assert (found["labeled"]["labels"], found["labeled"]["accuracy"]) == (2, 1.0)
    assert found["monitor"]["estimate"]["accuracy"] == 0.8
    assert found["model_version"] == "v1"


def test_runs_without_an_estimate_are_ignored(database: Engine) -> None:
    with Session(database) as session, session.begin():
        record_dataset_metrics(
            session,
            dataset="prediction_logs",
            fingerprint="of old",
            split="window",
            rows=500,
            metrics={"model_version": "v1", "until": YESTERDAY.isoformat()},
        )
    assert get("/reports/performance") | {"since": "", "until": ""} == {
        "since": "",
        "until": "",
        "model_version": None,
        "labeled": {"labels": 0, "agreed": 0, "accuracy": None, "low": None, "high": None},
        "days": [],
        "monitor": None,
    }


def test_days_begin_at_midnight(database: Engine) -> None:
    label(database, TODAY - timedelta(seconds=1), "p")
    assert get("/reports/performance", days="1")["days"] == []
    found = get("/reports/performance", days="2")
    assert datetime.fromisoformat(found["since"]) == TODAY - timedelta(days=1)
    assert len(found["days"]) == 1
