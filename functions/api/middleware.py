"""The frame around every request: correlation id, body limit, log line, and the last resort.

Plain ASGI, because Starlette's BaseHTTPMiddleware costs a task group per request. It knows no route.
"""

import time
import traceback

from sentiment.exceptions import PayloadTooLargeError, SentimentError
from sentiment.http import CORRELATION_HEADER, choose_correlation_id
from sentiment.logging import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.errors import error_response
from functions.api.metrics import Metrics
from functions.api.settings import SERVICE

MAX_BODY_BYTES = 1_048_576


class RequestMiddleware:
    """Wraps the whole application, so that nothing leaves without a correlation id or with a stack trace."""

    def __init__(self, app: ASGIApp, figures: Metrics) -> None:
        self.app = app
        self.figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500
        correlation_id = choose_correlation_id(Headers(scope=scope).get(CORRELATION_HEADER))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        logger(SERVICE).thread_safe_append_keys(correlation_id=correlation_id)

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        try:
            body = await read_body(scope, receive)
            await self.app(scope, replay(body, receive), send_framed)
        except PayloadTooLargeError as error:
            response = error_response(error.status, error.code, str(error), correlation_id)
            await response(scope, receive, send_framed)
        except Exception as error:
            # The stack but not the message: what another library says may quote the user's text.
            stack = "".join(traceback.format_tb(error.__traceback__))
            logger(SERVICE).error("unexpected error", extra={"error": type(error).__name__, "stack": stack})
            message = "something went wrong on our side; quote the correlation id when you report it"
            response = error_response(500, SentimentError.code, message, correlation_id)
            await response(scope, receive, send_framed)

        seconds = time.perf_counter() - start
        route = getattr(scope.get("route"), "path", "unmatched")
        self.figures.count_request(route, status, seconds)
        details = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1e3, 1),
        }
        logger(SERVICE).info("request answered", extra=details)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Read the whole body; raises PayloadTooLargeError before more than the limit is held in memory."""
    limit = PayloadTooLargeError(f"the body may hold at most {MAX_BODY_BYTES:,} bytes")
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


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was already read, then whatever comes after it."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        return next(messages, None) or await receive()

    return receive_again
