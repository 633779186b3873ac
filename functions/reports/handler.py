"""Answers questions about what is stored: traffic, predictions, alerts, drift, performance, deployments.

It only reads, over a connection that Postgres itself holds to that, and one answer comes from one snapshot.
Who may ask is the HTTP API's authorizer to decide; what a text looks like here was decided by the privacy
mode when it was stored.
"""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.history import (
    find_alerts,
    find_audit,
    find_deployments,
    find_drift_run,
    find_drift_runs,
    find_predictions,
)
from sentiment.database.session import make_engine, transaction
from sentiment.database.traffic import count_requests, reconcile_days
from sentiment.database.windows import Window, summarize_predictions
from sentiment.exceptions import PredictionNotFoundError, SentimentError
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.reports.daily_accuracy import measure
from functions.reports.openapi import Route, describe
from functions.reports.queries import (
    AlertsQuestion,
    DaysQuestion,
    DeploymentsQuestion,
    DriftQuestion,
    PageQuestion,
    PerformanceQuestion,
    PredictionsQuestion,
    Question,
    ReviewQuestion,
    SummaryQuestion,
    read_id,
    read_question,
)
from functions.reports.report_links import PageNotFoundError, sign
from functions.reports.responses import (
    CORRELATION_HEADER,
    HEADERS,
    choose_correlation_id,
    describe_audit,
    error_answer,
    next_before,
    row_of,
    to_json,
)
from functions.reports.review_queue import LOOK_BACK_DAYS, find_queue
from functions.reports.schemas.monitoring import Alerts, Drift, Page, Performance
from functions.reports.schemas.reconciliation import Reconciliation
from functions.reports.schemas.records import Audit, Deployments, Predictions
from functions.reports.schemas.review_queue import Review
from functions.reports.schemas.summary import Summary
from functions.reports.settings import SERVICE, settings

app = APIGatewayHttpResolver(serializer=to_json)
ROUTES: list[Route] = []


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


def get(
    path: str, answers: Any, asks: type[Question] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer a path by a function that is given the query as a question, and note it for OpenAPI.

    A query that is no such question raises InvalidInputError.
    """

    def register(answer: Callable[..., Any]) -> Callable[..., Any]:
        def resolve(**names: str) -> Any:
            if asks is None:
                return answer(**names)
            return answer(read_question(asks, app.current_event.query_string_parameters or {}), **names)

        app.get(path)(resolve)
        ROUTES.append(Route(path, answer.__doc__ or "", asks, answers))
        return answer

    return register


@get("/reports/openapi.json", dict[str, Any])
def openapi() -> dict[str, Any]:
    """Describe these routes as OpenAPI."""
    return describe(ROUTES)


@get("/reports/summary", Summary, SummaryQuestion)
def summary(question: SummaryQuestion) -> dict[str, Any]:
    """Tell volume, mix, latency, confidence, novelty, feedback and errors of a span of time."""
    window = question.window(datetime.now(UTC))
    with transaction(engine()) as session:
        figures = summarize_predictions(session, window)
        requests = count_requests(session, window)
    return {"since": window.since, "until": window.until, **figures, "requests": requests}


@get("/reports/predictions", Predictions, PredictionsQuestion)
def predictions(question: PredictionsQuestion) -> dict[str, Any]:
    """List predictions, newest first; pass `next_before` on as `before` until it is null."""
    with transaction(engine()) as session:
        rows = [row_of(found) for found in find_predictions(session, **question.model_dump())]
    return {"predictions": rows, "next_before": next_before(rows, question.limit)}


@get("/reports/predictions/<prediction_id>", Audit)
def audit(prediction_id: str) -> dict[str, Any]:
    """Tell which version, data, run and image answered this prediction, and who promoted it."""
    wanted = read_id(prediction_id)
    with transaction(engine()) as session:
        found = find_audit(session, wanted)
        if found is None:
            raise PredictionNotFoundError(f"prediction {wanted} is not stored (yet)")
        return describe_audit(found)


@get("/reports/review", Review, ReviewQuestion)
def review(question: ReviewQuestion) -> dict[str, Any]:
    """List the predictions of the last days that are most worth a person's label, each with its reasons."""
    window = Window.ending(datetime.now(UTC), hours=24 * LOOK_BACK_DAYS)
    with transaction(engine()) as session:
        return find_queue(session, window, **question.model_dump())


@get("/reports/performance", Performance, PerformanceQuestion)
def performance(question: PerformanceQuestion) -> dict[str, Any]:
    """Tell the accuracy by people's labels, day by day, beside the monitor's estimates without labels."""
    window = question.window(datetime.now(UTC))
    with transaction(engine()) as session:
        figures = measure(session, window, model_version=question.model_version)
    return {"since": window.since, "until": window.until, "model_version": question.model_version, **figures}


@get("/reports/reconciliation", Reconciliation, DaysQuestion)
def reconciliation(question: DaysQuestion) -> dict[str, Any]:
    """Tell for each day how many predictions were answered, how many are stored, and the difference."""
    window = question.window(datetime.now(UTC))
    with transaction(engine()) as session:
        days = reconcile_days(session, window)
    compared = [{**day._asdict(), "difference": day.difference} for day in days]
    return {"since": window.since, "until": window.until, "days": compared}


@get("/reports/alerts", Alerts, AlertsQuestion)
def alerts(question: AlertsQuestion) -> dict[str, Any]:
    """List the open alerts, or all, newest first."""
    options = question.model_dump(exclude={"state"})
    with transaction(engine()) as session:
        found = find_alerts(session, **options, open_only=question.state == "open")
        rows = [row_of(alert) for alert in found]
    return {"alerts": rows, "next_before": next_before(rows, question.limit)}


@get("/reports/drift", Drift, DriftQuestion)
def drift(question: DriftQuestion) -> dict[str, Any]:
    """List what the drift monitor found, run by run, newest first."""
    with transaction(engine()) as session:
        found = find_drift_runs(session, **question.model_dump())
        runs = [{"rows": run.rows, **run.metrics, "id": run.id, "at": run.recorded_at} for run in found]
    return {"runs": runs, "next_before": next_before(runs, question.limit)}


@get("/reports/drift/<run_id>/page", Page, PageQuestion)
def page(question: PageQuestion, run_id: str) -> Response[str] | dict[str, Any]:
    """Lead to the page of a drift run, which can be read for five minutes under a signed URL."""
    wanted = read_id(run_id, "the id of a drift run is a UUID, as /reports/drift lists it")
    with transaction(engine()) as session:
        run = find_drift_run(session, wanted)
        if run is None:
            raise PageNotFoundError("there is no such drift run")
        location = sign(run.metrics.get("report_uri"), settings().report_bucket)
    if not question.redirect:
        return {"url": location}
    return Response(302, content_types.APPLICATION_JSON, "{}", headers={"location": location})


@get("/reports/deployments", Deployments, DeploymentsQuestion)
def deployments(question: DeploymentsQuestion) -> dict[str, Any]:
    """List the deployments, newest first."""
    with transaction(engine()) as session:
        found = find_deployments(session, limit=question.limit)
        return {"deployments": [row_of(deployment) for deployment in found]}


@app.exception_handler(SentimentError)  # type: ignore[untyped-decorator]
def answer_sentiment_error(error: SentimentError) -> Response[str]:
    """Answer an error that the system raised on purpose; its message was written for people to read."""
    logger(SERVICE).warning("request failed", code=error.code, reason=str(error))
    return error_answer(error.status, error.code, str(error), app.context["correlation_id"])


@app.exception_handler(ServiceError)  # type: ignore[untyped-decorator]
def answer_service_error(error: ServiceError) -> Response[str]:
    """Answer what the router refuses: no such route, wrong method."""
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    return error_answer(status, code, status.phrase, app.context["correlation_id"])


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def answer_unexpected_error(error: Exception) -> Response[str]:
    """Answer 500 without a word of the error; log its stack, not its message, which may quote a text."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger(SERVICE).error("unexpected error", error=type(error).__name__, stack=stack)
    message = "something went wrong on our side; quote the correlation id when you report it"
    return error_answer(500, SentimentError.code, message, app.context["correlation_id"])
