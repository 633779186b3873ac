"""API Gateway's HTTP API on the laptop: HTTP requests to payload format 2.0 events, and responses back.

The functions run in their own processes. There are no authorizers, stages or throttling. With a site it also
takes the place of CloudFront: the site at /, and the functions under /api and at their own paths, like the
HTTP API's own host.
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
from local.stand_ins.static_site import PREFIX, StaticSite

BODY_LIMIT_BYTES = 10 * 1024 * 1024  # HTTP APIs reject larger payloads (API Gateway quotas)
START_SECONDS = 10.0
REPORTS = "/reports/"  # paths of the reports function; all others are the API's
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
    are a separate field, and a binary body is base64.
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


def http_response(result: Any) -> Response:
    """Return a handler's result as HTTP; raises FunctionError when it has no statusCode."""
    if not isinstance(result, dict) or "statusCode" not in result:
        # API Gateway would return 200 with it as the body, which our functions never intend.
        raise FunctionError("the function's response has no statusCode")
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    response = Response(content, status_code=int(result["statusCode"]))
    for name, value in (result.get("headers") or {}).items():
        response.headers[name] = str(value)
    for name, values in (result.get("multiValueHeaders") or {}).items():
        for value in values:
            response.headers.append(name, str(value))
    for cookie in result.get("cookies") or []:
        response.headers.append("set-cookie", cookie)
    return response


class Gateway:
    """The ASGI application in front of the functions."""

    def __init__(
        self, api: Function, reports: Function | None = None, *, site: StaticSite | None = None
    ) -> None:
        self._api, self._reports, self._site = api, reports, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] == "http":
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, send)

    def function_for(self, path: str) -> Function:
        """Return the function that serves a path, as the routes of cdk/serving/gateway.py do."""
        return self._reports if self._reports and path.startswith(REPORTS) else self._api

    async def _respond(self, request: Request) -> Response:
        path = request.scope["path"]
        if self._site and request.method in ("GET", "HEAD") and (file := self._site.respond(path)):
            return file
        if self._site and path.startswith(f"{PREFIX}/"):
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
            # As in AWS, the details are only in the function's log.
            return JSONResponse({"message": "Internal Server Error"}, status_code=error.status)


@contextmanager
def running_gateway(
    api: Function,
    reports: Function | None = None,
    *,
    site: StaticSite | None = None,
    port: int | None = None,
    host: str = HOST,
) -> Iterator[str]:
    """Serve the functions while the block runs and yield the URL; `port=None` uses a free one.

    Raises ConfigurationError when the port is taken.
    """
    port = claim_port(port, user="the API", variable="API_PORT")
    configuration = uvicorn.Config(
        Gateway(api, reports, site=site),
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
    """Invoke the API without HTTP; return the status, the JSON body and the duration in milliseconds."""
    body = b"" if payload is None else json.dumps(payload).encode()
    event = api_event(method, path, headers=[("content-type", "application/json")], body=body)
    started = time.perf_counter()
    response = function.invoke(event)
    milliseconds = (time.perf_counter() - started) * 1000
    return int(response["statusCode"]), json.loads(response["body"]), milliseconds


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: ",".join(parts) for name, parts in values.items()}


def _as_text(body: bytes, content_type: str) -> str | None:
    """Return the body as text if API Gateway would pass it as text, else None."""
    if not content_type.startswith(TEXT_TYPES):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
