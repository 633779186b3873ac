"""Asks the reports function as the HTTP API does, and holds what it answers to what it says of itself."""

import json
import re
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from sentiment.database.repositories import store_predictions
from sentiment.messages import PredictionMade
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import ROUTES, handler
from functions.reports.openapi import describe

EVENTS = Path(__file__).parents[2] / "events"
NOW = datetime.now(UTC)


def stopped_clock(at: datetime) -> type[datetime]:
    """Return a datetime whose now() is `at`, so that no midnight falls between storing and asking."""

    class StoppedClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return at.astimezone(tz)

    return StoppedClock


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
    body = json.loads(answer["body"])
    check_answer(path, body)
    return body


def check_answer(path: str, body: Any) -> None:
    """Fail where an answer lacks what the OpenAPI document promises, or holds what it does not name."""
    document, patterns = closed_document()
    (template,) = (template for template, pattern in patterns.items() if pattern.fullmatch(path))
    schema = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=FormatChecker()
    )
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)] == []


@cache
def closed_document() -> tuple[dict[str, Any], dict[str, re.Pattern[str]]]:
    """Return the document with every object closed to names that it does not tell, and its paths to match."""
    document = describe(ROUTES)
    for schema in document["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    patterns = {path: re.compile(re.sub(r"{\w+}", r"[^/.]+", path)) for path in document["paths"]}
    return document, patterns


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
