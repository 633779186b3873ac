"""Serves reports on what is stored: traffic, predictions, alerts, drift, performance, deployments.

It only reads, over a read-only connection, and each response comes from one snapshot. The HTTP API's
authorizer decides who may call it; the privacy mode decided how texts are stored.
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
from sentiment.database.alerts import find_alerts
from sentiment.database.deployments import find_deployments
from sentiment.database.predictions import find_audit, find_predictions
from sentiment.database.runs import find_drift_run, find_drift_runs
from sentiment.database.session import DatabaseSettings, make_engine, transaction
from sentiment.database.traffic import count_requests, reconcile_days
from sentiment.database.windows import Window, summarize_predictions
from sentiment.exceptions import PredictionNotFoundError, SentimentError
from sentiment.http import CORRELATION_HEADER, INTERNAL_ERROR, choose_correlation_id
from sentiment.logging import logger
from sentiment.settings import read_settings
from sqlalchemy import Engine

from functions.reports.daily_accuracy import summarize_accuracy
from functions.reports.openapi import Route, describe
from functions.reports.queries import (
    AlertsQuery,
    DaysQuery,
    DeploymentsQuery,
    DriftQuery,
    PageQuery,
    PerformanceQuery,
    PredictionsQuery,
    Query,
    ReviewQuery,
    SummaryQuery,
    parse_id,
    parse_query,
)
from functions.reports.report_links import PageNotFoundError, presign_report
from functions.reports.responses import (
    HEADERS,
    describe_audit,
    error_response,
    next_before,
    row_of,
    to_json,
)
from functions.reports.review_queue import LOOK_BACK_DAYS, find_review_queue
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
    """Make the connection pool once; its transactions are read-only and see one snapshot."""
    return make_engine(read_settings(DatabaseSettings)).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one HTTP API event (payload 2.0); every response carries a correlation id."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    correlation_id = choose_correlation_id(headers.get(CORRELATION_HEADER))
    logger(SERVICE).append_keys(correlation_id=correlation_id)
    app.context["correlation_id"] = correlation_id
    response = app.resolve(event, context)
    response["headers"] = {**response.get("headers", {}), **HEADERS, CORRELATION_HEADER: correlation_id}
    logger(SERVICE).info("request answered", status=response["statusCode"])
    return response


def get(
    path: str, response: Any, query: type[Query] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function for a path; it gets the parsed query, and the route is described in OpenAPI.

    A query that does not parse raises InvalidInputError.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def resolve(**path_parameters: str) -> Any:
            if query is None:
                return function(**path_parameters)
            parsed = parse_query(query, app.current_event.query_string_parameters or {})
            return function(parsed, **path_parameters)

        app.get(path)(resolve)
        ROUTES.append(Route(path, function.__doc__ or "", query, response))
        return function

    return register


@get("/reports/openapi.json", dict[str, Any])
def openapi() -> dict[str, Any]:
    """Describe these routes as OpenAPI."""
    return describe(ROUTES)


@get("/reports/summary", Summary, SummaryQuery)
def summary(query: SummaryQuery) -> dict[str, Any]:
    """Summarize volume, label mix, latency, confidence, novelty, feedback and errors of a time range."""
    window = query.window(datetime.now(UTC))
    with transaction(engine()) as session:
        predictions = summarize_predictions(session, window)
        requests = count_requests(session, window)
    return {"since": window.since, "until": window.until, **predictions, "requests": requests}


@get("/reports/predictions", Predictions, PredictionsQuery)
def predictions(query: PredictionsQuery) -> dict[str, Any]:
    """List predictions, newest first; for the next page, pass `next_before` as `before` until it is null."""
    with transaction(engine()) as session:
        rows = [row_of(found) for found in find_predictions(session, **query.model_dump())]
    return {"predictions": rows, "next_before": next_before(rows, query.limit)}


@get("/reports/predictions/<prediction_id>", Audit)
def audit(prediction_id: str) -> dict[str, Any]:
    """Show the model version, data, run and image behind a prediction, and who promoted it."""
    id_ = parse_id(prediction_id)
    with transaction(engine()) as session:
        found = find_audit(session, id_)
        if found is None:
            raise PredictionNotFoundError(f"prediction {id_} is not stored (yet)")
        return describe_audit(found)


@get("/reports/review", Review, ReviewQuery)
def review(query: ReviewQuery) -> dict[str, Any]:
    """List the recent predictions that are most useful to label, each with its reasons."""
    window = Window.ending(datetime.now(UTC), hours=24 * LOOK_BACK_DAYS)
    with transaction(engine()) as session:
        return find_review_queue(session, window, **query.model_dump())


@get("/reports/performance", Performance, PerformanceQuery)
def performance(query: PerformanceQuery) -> dict[str, Any]:
    """Show daily accuracy by labels, and the drift monitor's estimates without labels."""
    window = query.window(datetime.now(UTC))
    with transaction(engine()) as session:
        accuracy = summarize_accuracy(session, window, model_version=query.model_version)
    return {"since": window.since, "until": window.until, "model_version": query.model_version, **accuracy}


@get("/reports/reconciliation", Reconciliation, DaysQuery)
def reconciliation(query: DaysQuery) -> dict[str, Any]:
    """Compare for each day how many predictions were answered and how many are stored."""
    window = query.window(datetime.now(UTC))
    with transaction(engine()) as session:
        days = reconcile_days(session, window)
    compared = [{**day._asdict(), "difference": day.difference} for day in days]
    return {"since": window.since, "until": window.until, "days": compared}


@get("/reports/alerts", Alerts, AlertsQuery)
def alerts(query: AlertsQuery) -> dict[str, Any]:
    """List alerts, newest first; only open ones by default."""
    options = query.model_dump(exclude={"state"})
    with transaction(engine()) as session:
        found = find_alerts(session, **options, open_only=query.state == "open")
        rows = [row_of(alert) for alert in found]
    return {"alerts": rows, "next_before": next_before(rows, query.limit)}


@get("/reports/drift", Drift, DriftQuery)
def drift(query: DriftQuery) -> dict[str, Any]:
    """List the drift monitor's runs and their results, newest first."""
    with transaction(engine()) as session:
        found = find_drift_runs(session, **query.model_dump())
        runs = [{"rows": run.rows, **run.metrics, "id": run.id, "at": run.recorded_at} for run in found]
    return {"runs": runs, "next_before": next_before(runs, query.limit)}


@get("/reports/drift/<run_id>/page", Page, PageQuery)
def page(query: PageQuery, run_id: str) -> Response[str] | dict[str, Any]:
    """Redirect to the report of a drift run, under a presigned URL that is valid for five minutes."""
    id_ = parse_id(run_id, "the id of a drift run must be a UUID, as listed by /reports/drift")
    with transaction(engine()) as session:
        run = find_drift_run(session, id_)
        if run is None:
            raise PageNotFoundError("drift run not found")
        location = presign_report(run.metrics.get("report_uri"), settings().report_bucket)
    if not query.redirect:
        return {"url": location}
    return Response(302, content_types.APPLICATION_JSON, "{}", headers={"location": location})


@get("/reports/deployments", Deployments, DeploymentsQuery)
def deployments(query: DeploymentsQuery) -> dict[str, Any]:
    """List the deployments, newest first."""
    with transaction(engine()) as session:
        found = find_deployments(session, limit=query.limit)
        return {"deployments": [row_of(deployment) for deployment in found]}


@app.exception_handler(SentimentError)  # type: ignore[untyped-decorator]
def handle_sentiment_error(error: SentimentError) -> Response[str]:
    """Return one of the project's own errors, whose messages are meant for callers."""
    logger(SERVICE).warning("request failed", error=error.code, reason=str(error))
    return error_response(error.status, error.code, str(error), app.context["correlation_id"])


@app.exception_handler(ServiceError)  # type: ignore[untyped-decorator]
def handle_service_error(error: ServiceError) -> Response[str]:
    """Return an error of the router: route not found, or method not allowed."""
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    return error_response(status, code, status.phrase, app.context["correlation_id"])


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def handle_unexpected_error(error: Exception) -> Response[str]:
    """Return 500 without details; log the stack, not the message, which may quote a text."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger(SERVICE).error("unexpected error", error=type(error).__name__, stack=stack)
    return error_response(500, SentimentError.code, INTERNAL_ERROR, app.context["correlation_id"])
