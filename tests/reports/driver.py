"""Asks the reports function as the HTTP API does, and reads what it answers."""

import json
from pathlib import Path
from typing import Any

from sentiment.database.repositories import (
    store_predictions,
)
from sentiment.messages import PredictionMade
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import handler

EVENTS = Path(__file__).parents[2] / "events"


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
