"""Middleware around every request: correlation id, body limit, log line and unexpected errors.

Plain ASGI, because Starlette's BaseHTTPMiddleware costs a task group per request.
"""

import time
import traceback

from sentiment.exceptions import PayloadTooLargeError, SentimentError
from sentiment.http import CORRELATION_HEADER, INTERNAL_ERROR, choose_correlation_id
from sentiment.logging import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.errors import error_response
from functions.api.metrics import Metrics
from functions.api.settings import SERVICE

MAX_BODY_BYTES = 1_048_576


class RequestMiddleware:
    """Wraps the application, so that no response lacks a correlation id or contains a stack trace."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP is passed through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500
        correlation_id = choose_correlation_id(Headers(scope=scope).get(CORRELATION_HEADER))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        logger(SERVICE).thread_safe_append_keys(correlation_id=correlation_id)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        try:
            body = await read_body(scope, receive)
            await self.app(scope, receive_from(body, receive), send_with_id)
        except PayloadTooLargeError as error:
            response = error_response(error.status, error.code, str(error), correlation_id)
            await response(scope, receive, send_with_id)
        except Exception as error:
            # The stack but not the message: the message of a library may quote the user's text.
            stack = "".join(traceback.format_tb(error.__traceback__))
            logger(SERVICE).error("unexpected error", extra={"error": type(error).__name__, "stack": stack})
            response = error_response(500, SentimentError.code, INTERNAL_ERROR, correlation_id)
            await response(scope, receive, send_with_id)

        seconds = time.perf_counter() - start
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.count_request(route, status, seconds)
        details = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1e3, 1),
        }
        logger(SERVICE).info("request answered", extra=details)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Read the body; raises PayloadTooLargeError before more than the limit is in memory."""
    limit = PayloadTooLargeError(f"the body may have at most {MAX_BODY_BYTES:,} bytes")
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise limit
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise limit
        if not message.get("more_body", False):
            return bytes(body)


def receive_from(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body that was read, then what follows it."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        return next(messages, None) or await receive()

    return receive_again
