"""Requests that are rejected, what errors hide, and that nothing can be written."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sentiment.database.models import PredictionLog
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from functions.reports.handler import engine, handler
from tests.fixtures.messages import prediction
from tests.reports.client import NOW, event, get, get_error, store

TOMORROW = (NOW + timedelta(days=1)).isoformat()
MORNING, NOON = "2026-11-01T08:00:00+00:00", "2026-11-01T12:00:00Z"


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
        (
            "/reports/predictions",
            {"limits": "3"},
            "unknown parameter; use since, until, limit, before",
        ),
        ("/reports/predictions/42", {}, "the id of a prediction must be a UUID"),
        ("/reports/alerts", {"state": "closed"}, "state: input should be 'open' or 'all'"),
        ("/reports/deployments", {"limit": "0"}, "limit: "),
        ("/reports/summary", {"since": TOMORROW}, "since must not be in the future"),
        ("/reports/summary", {"since": NOON, "until": MORNING}, "since must be before until"),
        ("/reports/summary", {"since": NOON, "until": NOON}, "since must be before until"),
        ("/reports/summary", {"until": NOON}, "until requires since"),
        ("/reports/summary", {"since": NOON, "hours": "3"}, "use either hours, or since and until"),
        (
            "/reports/summary",
            {"since": "2026-01-01T00:00:00Z", "until": NOON},
            "must be at most 744 hours apart",
        ),
        ("/reports/summary", {"since": "2026-11-01T12:00:00"}, "since: must be ISO 8601 with a time zone"),
        ("/reports/summary", {"since": "2026-11-01"}, "since: must be ISO 8601 with a time zone"),
        ("/reports/summary", {"since": "1795464000"}, "since: must be ISO 8601 with a time zone"),
        ("/reports/summary", {"since": "٢٠٢٦-11-01T12:00:00Z"}, "since: must be ISO 8601 with a time zone"),
        ("/reports/summary", {"since": "0001-01-01T00:00:00+23:59"}, "since: "),
        ("/reports/predictions", {"since": "1969-12-31T23:59:59Z"}, "since: must not be before 1970"),
        ("/reports/predictions", {"since": NOON, "until": MORNING}, "since must be before until"),
        ("/reports/predictions", {"limit": "1000000"}, "limit: input should be less than or equal to 200"),
        ("/reports/predictions", {"limit": "1e6"}, "limit: input should be a valid integer"),
        ("/reports/predictions", {"truncated": "perhaps"}, "truncated: "),
        ("/reports/predictions", {"minimum_novelty": "inf"}, "minimum_novelty: "),
        ("/reports/predictions", {"minimum_novelty": "-1"}, "minimum_novelty: "),
        ("/reports/predictions", {"sentiment": "posi\0tive"}, "sentiment: must not contain a NUL character"),
        ("/reports/predictions", {"sentiment": "half \ud83d of one"}, "sentiment: "),
        ("/reports/predictions", {"sentiment": "é" * 201}, "sentiment: string should have at most 200"),
        ("/reports/alerts", {"before": "the last one"}, "before: input should be a valid UUID"),
        ("/reports/alerts", {"kind": ""}, "kind: "),
        ("/reports/drift", {"limit": "1000000"}, "limit: "),
        ("/reports/performance", {"days": "32"}, "days: input should be less than or equal to 31"),
        ("/reports/performance", {"hours": "3"}, "unknown parameter; use days, model_version"),
        ("/reports/reconciliation", {"days": "0"}, "days: "),
        ("/reports/reconciliation", {"days": "१"}, "days: "),
        ("/reports/review", {"limit": "1000000"}, "limit: input should be less than or equal to 200"),
        ("/reports/review", {"since": NOON}, "unknown parameter; use limit, model_version"),
    ],
)
def test_bad_input_gets_one_clear_message(
    database: Engine, path: str, query: dict[str, str], message: str
) -> None:
    status, error = get_error(path, **query)
    assert (status, error["code"]) == (422, "invalid_input")
    assert message in error["message"]
    assert not any(len(value) > 4 and value in error["message"] for value in query.values()), "untrusted"


def test_what_does_not_exist_is_404_in_the_same_format(database: Engine) -> None:
    assert get_error(f"/reports/predictions/{uuid4()}") == (404, {**_any(), "code": "prediction_not_found"})
    status, error = get_error("/reports/everything")
    assert (status, error["code"]) == (404, "not_found")
    response = handler(event("/reports/summary", method="POST"), None)
    assert response["statusCode"] in (404, 405)


def _any() -> dict[str, Any]:
    class Anything:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    return {"message": Anything(), "correlation_id": Anything()}


def test_hostile_values_are_treated_as_values(database: Engine) -> None:
    store(database, prediction())
    for hostile in ("x' OR '1'='1", "☂ 评论 \u202e", "%", "\\"):
        assert get("/reports/predictions", sentiment=hostile)["predictions"] == []
        assert get("/reports/drift", model_version=hostile)["runs"] == []
        assert get("/reports/alerts", kind=hostile)["alerts"] == []
        assert get("/reports/performance", model_version=hostile)["days"] == []
        assert get("/reports/review", model_version=hostile)["items"] == []


def test_a_time_range_may_end_in_the_future(database: Engine) -> None:
    store(database, prediction())
    assert len(get("/reports/predictions", until=TOMORROW)["predictions"]) == 1
    assert get("/reports/predictions", before="ffffffff-ffff-7fff-bfff-ffffffffffff")["predictions"]
    assert get("/reports/predictions", until="9999-12-31T23:59:59Z")["predictions"]


def test_its_connection_is_read_only(database: Engine) -> None:
    store(database, prediction())
    with Session(engine()) as session, pytest.raises(DBAPIError, match="read-only transaction"):
        session.execute(delete(PredictionLog))
    with Session(database) as session:
        assert session.scalar(select(func.count()).select_from(PredictionLog)) == 1


def test_an_unreachable_database_is_503(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PORT", "1")
    status, error = get_error("/reports/summary")
    assert (status, error["code"]) == (503, "database_error")


def test_an_unexpected_error_reveals_only_the_correlation_id(
    database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "words-that-nobody-may-log"

    def explode(*_: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("functions.reports.handler.summarize_predictions", explode)
    status, error = get_error("/reports/summary")
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
    assert get(f"/reports/predictions/{stored}")["prediction"]["text"] == secret
    output = capsys.readouterr()
    assert secret not in str([vars(record) for record in caplog.records]) + output.out + output.err
