"""One published version of the API, called as its clients do and by direct invocation."""

import json
from dataclasses import dataclass
from typing import Any

from functions.release_check.errors import ReleaseError
from functions.release_check.invocation import Deadline, Response, invoke, lambda_client


@dataclass(frozen=True)
class ApiVersion:
    """The version under test; every call ends before the deadline or raises ReleaseError."""

    function_name: str
    number: str
    deadline: Deadline

    def health(self) -> Response:
        """Call /health through an API Gateway event; the body is `{"status", "failing", …}`."""
        return self._get("/health", allowed=(200, 503))

    def card(self) -> dict[str, Any]:
        """Return the model card."""
        card: dict[str, Any] = self._get("/model").content
        return card

    def golden(self) -> dict[str, Any]:
        """Return the golden reviews; raises ReleaseError if the artifact has none."""
        content = self._get("/model/golden", allowed=(200, 404)).content
        if "reviews" not in content:
            raise ReleaseError(
                "the artifact has no golden reviews, so the version cannot be checked: export it again"
            )
        return dict(content)

    def decisions(self) -> dict[str, Any]:
        """Have the version classify the golden reviews, which stores nothing."""
        response = invoke(
            self.function_name, {"action": "check_release"}, version=self.number, deadline=self.deadline
        )
        return dict(response.content)

    def image(self) -> dict[str, str | None]:
        """Return the URI of the version's image, by digest if Lambda reports it, and the digest."""
        found = lambda_client().get_function(FunctionName=self.function_name, Qualifier=self.number)
        code = found["Code"]
        uri = code.get("ResolvedImageUri") or code.get("ImageUri") or found["Configuration"]["FunctionArn"]
        _, _, digest = uri.partition("@")
        return {"image_uri": uri, "image_digest": digest or None}

    def _get(self, path: str, allowed: tuple[int, ...] = (200,)) -> Response:
        response = invoke(
            self.function_name, gateway_event(path), version=self.number, deadline=self.deadline
        )
        status = response.content.get("statusCode") if isinstance(response.content, dict) else None
        if status not in allowed:
            raise ReleaseError(f"version {self.number} returned {status} for GET {path}")
        return Response(json.loads(response.content["body"]), response.milliseconds)


def gateway_event(path: str) -> dict[str, Any]:
    """Build the event that API Gateway's HTTP API sends for a GET (payload version 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "application/json", "host": "release-check", "user-agent": "release-check"},
        "requestContext": {
            "accountId": "release-check",
            "apiId": "release-check",
            "domainName": "release-check",
            "domainPrefix": "release-check",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "release-check",
            },
            "requestId": "release-check",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    }
