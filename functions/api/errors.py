"""Error responses: JSON with a stable `code`, never a stack trace or the user's text.

A 422 keeps FastAPI's shape (`{"detail": [...]}`) without the invalid input; everything else is `{"error":
{"code", "message", "correlation_id"}}`.
"""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sentiment.exceptions import SentimentError
from sentiment.http import error_body
from sentiment.logging import logger
from starlette.exceptions import HTTPException

from functions.api.settings import SERVICE


def error_response(status: int, code: str, message: str, correlation_id: str) -> JSONResponse:
    """Build an error response."""
    return JSONResponse(error_body(code, message, correlation_id), status_code=status)


async def handle_sentiment_error(request: Request, error: Exception) -> JSONResponse:
    """Handle an error that the system raised on purpose; its message is meant for people."""
    assert isinstance(error, SentimentError)  # noqa: S101 - registered for this class; narrows the type
    logger(SERVICE).warning("request failed", extra={"error": type(error).__name__, "reason": str(error)})
    return error_response(error.status, error.code, str(error), request.state.correlation_id)


async def handle_http_error(request: Request, error: Exception) -> JSONResponse:
    """Handle what the framework rejects: unknown route, wrong method, a body that is not JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    phrase = HTTPStatus(error.status_code).phrase
    response = error_response(
        error.status_code, phrase.lower().replace(" ", "_"), str(error.detail), request.state.correlation_id
    )
    response.headers.update(error.headers or {})
    return response


async def handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Return 422 in FastAPI's shape without the input, which can be long, private or not encodable."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    detail = [{key: problem[key] for key in ("type", "loc", "msg")} for problem in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers; `RequestMiddleware` handles unexpected exceptions."""
    app.add_exception_handler(SentimentError, handle_sentiment_error)
    app.add_exception_handler(HTTPException, handle_http_error)
    app.add_exception_handler(RequestValidationError, handle_validation_error)
