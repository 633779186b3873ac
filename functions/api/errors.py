"""Every way a request can fail, as JSON with a stable `code`, never a stack trace or the user's text.

422 keeps FastAPI's own shape (`{"detail": [...]}`) without the offending input; everything else is `{"error":
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
    """Build the one shape of error."""
    return JSONResponse(error_body(code, message, correlation_id), status_code=status)


async def answer_sentiment_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that the system raised on purpose; its message was written for people to read."""
    assert isinstance(error, SentimentError)  # noqa: S101 - registered for this class; narrows the type
    logger(SERVICE).warning("request failed", extra={"code": error.code, "error": str(error)})
    return error_response(error.status, error.code, str(error), request.state.correlation_id)


async def answer_http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: no such route, wrong method, a body that is not JSON at all."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    phrase = HTTPStatus(error.status_code).phrase
    response = error_response(
        error.status_code, phrase.lower().replace(" ", "_"), str(error.detail), request.state.correlation_id
    )
    response.headers.update(error.headers or {})
    return response


async def answer_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Answer 422 in FastAPI's shape without the input, which can be long, private, or not even encodable."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    detail = [{key: problem[key] for key in ("type", "loc", "msg")} for problem in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers; unknown exceptions are `RequestMiddleware`'s, which is outside all of these."""
    app.add_exception_handler(SentimentError, answer_sentiment_error)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_validation_error)
