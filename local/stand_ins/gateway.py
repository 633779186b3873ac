"""API Gateway's HTTP API on the laptop: HTTP in, payload format 2.0 to the function, HTTP out.

The served code is the very Lambda handler; nothing of the API runs in this process. No authorizers, stages
or throttling. With a page it is CloudFront too: the page at /, the functions beneath /api; they also answer
at their bare paths, as the HTTP API does to its own host.
"""

import asyncio
import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from sentiment.exceptions import ConfigurationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local.processes import HOST, claim_port, wait_until
from local.stand_ins.lambda_runtime import Function, FunctionError
from local.stand_ins.static_site import PREFIX, WebPage

BODY_LIMIT_BYTES = 10 * 1024 * 1024  # HTTP APIs refuse larger payloads (API Gateway quotas)
START_SECONDS = 10.0
REPORTS = "/reports/"  # what lies below is the reports function's, everything else the API's
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


def api_event(
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    source_ip: str = HOST,
) -> dict[str, Any]:
    """Return the event that an HTTP API sends for this request (payload format 2.0).

    `path` is decoded, `query` is not. Repeated headers and query parameters are joined by commas, cookies
    stand apart, and a body that is not text is base64.
    """
    now = datetime.now(UTC)
    joined = _joined([(name.lower(), value) for name, value in headers])
    joined |= {"x-forwarded-for": source_ip, "x-forwarded-port": "80", "x-forwarded-proto": "http"}
    cookies = [part.strip() for part in joined.pop("cookie", "").replace(",", ";").split(";") if part.strip()]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": joined.get("host", "localhost"),
            "domainPrefix": "local",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if parameters := _joined(parse_qsl(query, keep_blank_values=True)):
        event["queryStringParameters"] = parameters
    if body:
        text = _as_text(body, joined.get("content-type", ""))
        event["body"] = base64.b64encode(body).decode() if text is None else text
        event["isBase64Encoded"] = text is None
    return event


def http_response(answer: Any) -> Response:
    """Turn a handler's answer into HTTP; raises FunctionError when it is not one that API Gateway takes."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # API Gateway would guess a 200 around it; a web framework behind Mangum never means that.
        raise FunctionError("the function's answer has no statusCode")
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    response = Response(content, status_code=int(answer["statusCode"]))
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        for value in values:
            response.headers.append(name, str(value))
    for cookie in answer.get("cookies") or []:
        response.headers.append("set-cookie", cookie)
    return response


class Gateway:
    """The ASGI application in front of the functions."""

    def __init__(
        self, api: Function, reports: Function | None = None, *, page: WebPage | None = None
    ) -> None:
        self._api, self._reports, self._page = api, reports, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] == "http":
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, send)

    def function_for(self, path: str) -> Function:
        """Return the function that serves a path, as the routes of cdk/serving/gateway.py do."""
        return self._reports if self._reports and path.startswith(REPORTS) else self._api

    async def _respond(self, request: Request) -> Response:
        path = request.scope["path"]
        if self._page and request.method in ("GET", "HEAD") and (page := self._page.answer(path)):
            return page
        if self._page and path.startswith(f"{PREFIX}/"):
            path = path.removeprefix(PREFIX)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT_BYTES:
                return JSONResponse({"message": "Request Entity Too Large"}, status_code=413)
        event = api_event(
            request.method,
            path,
            query=request.url.query,
            headers=request.headers.items(),
            body=bytes(body),
            source_ip=request.client.host if request.client else HOST,
        )
        try:
            return http_response(await asyncio.to_thread(self.function_for(event["rawPath"]).invoke, event))
        except FunctionError as error:
            # What went wrong is in the function's log; as in the cloud, the client only learns that it did.
            return JSONResponse({"message": "Internal Server Error"}, status_code=error.status)


@contextmanager
def running_gateway(
    api: Function,
    reports: Function | None = None,
    *,
    page: WebPage | None = None,
    port: int | None = None,
    host: str = HOST,
) -> Iterator[str]:
    """Serve the functions for the length of the block and yield the URL; `port=None` takes a free one.

    Raises ConfigurationError when the port is taken.
    """
    port = claim_port(port, what="the API", variable="API_PORT")
    configuration = uvicorn.Config(
        Gateway(api, reports, page=page),
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(configuration)
    thread = threading.Thread(target=server.run, name="gateway", daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), seconds=START_SECONDS)
        if not server.started:
            raise ConfigurationError(f"the API did not start on port {port}")
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def invoke_api(
    function: Function, method: str, path: str, payload: Mapping[str, Any] | None = None
) -> tuple[int, Any, float]:
    """Call the API's handler without HTTP; return the status, the JSON answer and the call's milliseconds."""
    body = b"" if payload is None else json.dumps(payload).encode()
    event = api_event(method, path, headers=[("content-type", "application/json")], body=body)
    started = time.perf_counter()
    answer = function.invoke(event)
    milliseconds = (time.perf_counter() - started) * 1000
    return int(answer["statusCode"]), json.loads(answer["body"]), milliseconds


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: ",".join(parts) for name, parts in values.items()}


def _as_text(body: bytes, content_type: str) -> str | None:
    """Return the body as text where API Gateway would pass it as text, else None."""
    if not content_type.startswith(TEXT_TYPES):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
