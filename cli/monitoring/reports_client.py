"""The reports function as the commands read it: over HTTP, or in this process on a database."""

import io
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, ClassVar, Protocol

from sentiment.exceptions import ConfigurationError, SentimentError

from cdk.function_config import REPORTS

Report = dict[str, Any]


class UnreachableError(SentimentError):
    """The system is not reachable, or returned an error."""

    code: ClassVar[str] = "unreachable"


class Reports(Protocol):
    """Anything that serves the routes of the reports function."""

    name: str

    def get(self, path: str, **query: str | int) -> Report:
        """Return the JSON object at a path; raises UnreachableError."""


class HttpReports:
    """The reports of a running or deployed system, which may require a token."""

    def __init__(self, url: str, *, token: str | None, timeout_seconds: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url} is not an address; it must begin with http:// or https://")
        self.name = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout_seconds = timeout_seconds

    def get(self, path: str, **query: str | int) -> Report:
        """Return the JSON object at a path; raises UnreachableError that says how to fix it."""
        url = f"{self.name}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_seconds) as response:  # noqa: S310
                return _parse(response.read(), self.name)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                reason = "requires a token that may read reports: set --token or SENTIMENT_TOKEN"
            else:
                reason = f"returned {error.code} for {path}"
            raise UnreachableError(f"{self.name} {reason}") from None
        except OSError as error:
            raise UnreachableError(
                f"{self.name} cannot be reached ({getattr(error, 'reason', error)})"
            ) from None


class DatabaseReports:
    """The reports of the database in DATABASE_*, from the function's handler in this process."""

    def __init__(self) -> None:
        self.name = f"database {os.environ['DATABASE_HOST']}:{os.environ.get('DATABASE_PORT', 5432)}"

    def get(self, path: str, **query: str | int) -> Report:
        """Return the JSON object at a path; raises UnreachableError with the function's message."""
        from functions.reports.handler import handler
        from local.stand_ins.gateway import api_event
        from local.stand_ins.in_process import call_in_process

        event = api_event("GET", path, query=urllib.parse.urlencode(query))
        response = call_in_process(handler, event, timeout_seconds=REPORTS.timeout_seconds, output=_DISCARDED)
        report = _parse(response["body"], self.name)
        if response["statusCode"] != 200:
            raise UnreachableError(f"{self.name}: {report['error']['message']}")
        return report


class _Discarded(io.StringIO):
    """Discards the function's log: standard output holds the live view or JSON."""

    def write(self, text: str) -> int:
        return len(text)


_DISCARDED = _Discarded()  # one for the process, because the function's logger keeps its stream


def _parse(body: bytes | str, source: str) -> Report:
    try:
        report = json.loads(body)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise UnreachableError(f"{source} did not return a report; check the address")
    return report
