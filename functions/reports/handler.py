"""Answers questions about what is stored: traffic, single predictions, alerts, drift, deployments.

It only reads, over a connection that Postgres itself holds to that, and one answer comes from one snapshot.
Who may ask is the HTTP API's authorizer to decide; what a text looks like here was decided by the privacy
mode when it was stored.
"""

import traceback
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.history import (
    find_alerts,
    find_audit,
    find_deployments,
    find_drift_runs,
    find_predictions,
)
from sentiment.database.session import make_engine, transaction
from sentiment.database.windows import Window, summarize_predictions
from sentiment.exceptions import PredictionNotFoundError, SentimentError
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.reports.answers import (
    CORRELATION_HEADER,
    HEADERS,
    choose_correlation_id,
    error_answer,
    row_of,
    to_json,
)
from functions.reports.questions import (
    AlertsQuestion,
    DeploymentsQuestion,
    DriftQuestion,
    PredictionsQuestion,
    QuestionT,
    SummaryQuestion,
    read_id,
    read_question,
)
from functions.reports.settings import SERVICE, settings

app = APIGatewayHttpResolver(serializer=to_json)


@cache
def engine() -> Engine:
    """Make this instance's one connection pool, whose transactions can neither write nor see a change."""
    return make_engine(settings()).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API event (payload 2.0); every answer carries a correlation id."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    correlation_id = choose_correlation_id(headers.get(CORRELATION_HEADER))
    logger(SERVICE).append_keys(correlation_id=correlation_id)
    app.context["correlation_id"] = correlation_id
    answer = app.resolve(event, context)
    answer["headers"] = {**answer.get("headers", {}), **HEADERS, CORRELATION_HEADER: correlation_id}
    logger(SERVICE).info("request answered", status=answer["statusCode"])
    return answer


@app.get("/reports/summary")
def summary() -> dict[str, Any]:
    """Tell volume, mix, latency, confidence and truncation of the last `hours`."""
    window = Window.ending(datetime.now(UTC), hours=asked(SummaryQuestion).hours)
    with transaction(engine()) as session:
        figures = summarize_predictions(session, window)
    return {"since": window.since, "until": window.until, **figures}


@app.get("/reports/predictions")
def predictions() -> dict[str, Any]:
    """List predictions, newest first; pass `next_before` on as `before` until it is null."""
    question = asked(PredictionsQuestion)
    with transaction(engine()) as session:
        rows = [row_of(found) for found in find_predictions(session, **question.model_dump())]
    full = len(rows) == question.limit
    return {"predictions": rows, "next_before": rows[-1]["id"] if full else None}


@app.get("/reports/predictions/<prediction_id>")
def audit(prediction_id: str) -> dict[str, Any]:
    """Tell which deployment answered this prediction and which run trained its model."""
    wanted = read_id(prediction_id)
    with transaction(engine()) as session:
        found = find_audit(session, wanted)
        if found is None:
            raise PredictionNotFoundError(f"prediction {wanted} is not stored (yet)")
        return {name: row and row_of(row) for name, row in found._asdict().items()}


@app.get("/reports/alerts")
def alerts() -> dict[str, Any]:
    """List the open alerts, or all."""
    question = asked(AlertsQuestion)
    with transaction(engine()) as session:
        found = find_alerts(session, limit=question.limit, open_only=question.state == "open")
        return {"alerts": [row_of(alert) for alert in found]}


@app.get("/reports/drift")
def drift() -> dict[str, Any]:
    """List what the drift monitor found, run by run."""
    with transaction(engine()) as session:
        found = find_drift_runs(session, **asked(DriftQuestion).model_dump())
        return {"runs": [{"rows": run.rows, "at": run.recorded_at, **run.metrics} for run in found]}


@app.get("/reports/deployments")
def deployments() -> dict[str, Any]:
    """List the deployments, newest first."""
    with transaction(engine()) as session:
        found = find_deployments(session, limit=asked(DeploymentsQuestion).limit)
        return {"deployments": [row_of(deployment) for deployment in found]}


def asked(question: type[QuestionT]) -> QuestionT:
    """Parse the current request's query; raises InvalidInputError."""
    return read_question(question, app.current_event.query_string_parameters or {})


def answer_sentiment_error(error: SentimentError) -> Response[str]:
    """Answer an error that the system raised on purpose; its message was written for people to read."""
    logger(SERVICE).warning("request failed", code=error.code, reason=str(error))
    return error_answer(error.status, error.code, str(error), app.context["correlation_id"])


def answer_service_error(error: ServiceError) -> Response[str]:
    """Answer what the router refuses: no such route, wrong method."""
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    return error_answer(status, code, status.phrase, app.context["correlation_id"])


def answer_unexpected_error(error: Exception) -> Response[str]:
    """Answer 500 without a word of the error; log its stack, not its message, which may quote a text."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger(SERVICE).error("unexpected error", error=type(error).__name__, stack=stack)
    message = "something went wrong on our side; quote the correlation id when you report it"
    return error_answer(500, SentimentError.code, message, app.context["correlation_id"])


# Called and not written as decorators, because Powertools leaves this one untyped.
app.exception_handler(SentimentError)(answer_sentiment_error)
app.exception_handler(ServiceError)(answer_service_error)
app.exception_handler(Exception)(answer_unexpected_error)
