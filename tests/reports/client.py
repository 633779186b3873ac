"""Calls the reports function as the HTTP API does, and validates responses against its OpenAPI document."""

import json
import re
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from sentiment.database.predictions import store_predictions
from sentiment.messages import PredictionMade
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import ROUTES, handler
from functions.reports.openapi import describe

EVENTS = Path(__file__).parents[2] / "events"
NOW = datetime.now(UTC)


def stopped_clock(at: datetime) -> type[datetime]:
    """Return a datetime whose now() is `at`, so that no midnight falls between storing and reading."""

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


def get(path: str, **query: str) -> Any:
    response = handler(event(path, **query), None)
    assert response["statusCode"] == 200, response["body"]
    body = json.loads(response["body"])
    check_response(path, body)
    return body


def check_response(path: str, body: Any) -> None:
    """Fail if a response lacks fields of the OpenAPI document, or has fields that are not in it."""
    document, patterns = closed_document()
    (template,) = (template for template, pattern in patterns.items() if pattern.fullmatch(path))
    schema = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=FormatChecker()
    )
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)] == []


@cache
def closed_document() -> tuple[dict[str, Any], dict[str, re.Pattern[str]]]:
    """Return the document without additional properties, and a pattern for each path."""
    document = describe(ROUTES)
    for schema in document["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    patterns = {path: re.compile(re.sub(r"{\w+}", r"[^/.]+", path)) for path in document["paths"]}
    return document, patterns


def get_error(path: str, **query: str) -> tuple[int, dict[str, str]]:
    response = handler(event(path, **query), None)
    body = json.loads(response["body"])
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message", "correlation_id"}
    assert body["error"]["correlation_id"] == response["headers"]["x-correlation-id"]
    return response["statusCode"], body["error"]


def store(database: Engine, *made: PredictionMade) -> list[str]:
    with Session(database) as session, session.begin():
        store_predictions(session, made)
    return [str(stored.prediction_id) for stored in made]
