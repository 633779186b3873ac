"""What `sentiment monitor` knows at one moment, and whom it asks: `reports` over HTTP, or on a database.

Nothing is worked out here that the reports function does not say, but for the queue, which it cannot see.
"""

import contextlib
import io
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from sentiment.exceptions import ConfigurationError, SentimentError

Answer = dict[str, Any]
ALERTS = 200  # the most that reports lists at once
ACCURACY_DAYS = 7


class UnreachableError(SentimentError):
    """Who knows could not be asked, or would not say."""

    code: ClassVar[str] = "unreachable"


class Source(Protocol):
    """Who answers the routes of reports."""

    name: str

    def ask(self, path: str, **query: str | int) -> Answer:
        """Return the answer to GET; raises UnreachableError."""


class Http:
    """A running system or a deployed one, which may want a token."""

    def __init__(self, url: str, *, token: str | None, timeout_seconds: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url} is no address; it should begin with http:// or https://")
        self.name = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout_seconds = timeout_seconds

    def ask(self, path: str, **query: str | int) -> Answer:
        """Return the answer to GET; raises UnreachableError saying what to mend."""
        url = f"{self.name}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_seconds) as response:  # noqa: S310
                return _object(response.read(), self.name)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                reason = "wants a token that may read reports: give --token or SENTIMENT_TOKEN"
            else:
                reason = f"answered {error.code} to {path}"
            raise UnreachableError(f"{self.name} {reason}") from None
        except OSError as error:
            raise UnreachableError(
                f"{self.name} does not answer ({getattr(error, 'reason', error)})"
            ) from None


class Database:
    """The database that DATABASE_* names, through the reports function's own handler in this process."""

    def __init__(self) -> None:
        os.environ.setdefault(
            "REPORT_BUCKET", "unknown"
        )  # only links to pages need it, and none is asked for
        self.name = f"database {os.environ['DATABASE_HOST']}:{os.environ.get('DATABASE_PORT', 5432)}"

    def ask(self, path: str, **query: str | int) -> Answer:
        """Return the answer to GET; raises UnreachableError in the function's own words."""
        from functions.reports.handler import handler
        from local.stand_ins.gateway import api_event
        from local.stand_ins.lambda_runtime import Context

        context = Context("monitor", memory_limit_in_mb=0, deadline=time.monotonic() + 30)
        with contextlib.redirect_stdout(_NOWHERE):
            answer = handler(api_event("GET", path, query=urllib.parse.urlencode(query)), context)  # type: ignore[arg-type]
        content = _object(answer["body"], self.name)
        if answer["statusCode"] != 200:
            raise UnreachableError(f"{self.name}: {content['error']['message']}")
        return content


class _Nowhere(io.TextIOBase):
    """Where the function's log goes, as standard output is the picture's or the script's."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE = _Nowhere()  # the function's logger holds on to it


@dataclass(frozen=True)
class Snapshot:
    """Everything the monitor shows."""

    at: datetime
    source: str
    summary: Answer
    performance: Answer
    drift: Answer | None  # the latest run
    alerts: list[Answer]  # the open ones, newest first
    queue: dict[str, int] | None  # None where QUEUE_URL names none

    @property
    def status(self) -> str:
        """Return calm, warning or critical; what people are not told of is calm."""
        told = [alert for alert in self.alerts if alert["severity"] != "info"]
        if any(alert["severity"] == "critical" or alert["kind"] == "monitor_failure" for alert in told):
            return "critical"
        return "warning" if told else "calm"

    def figures(self) -> dict[str, Any]:
        """Return it as one object for machines; the keys stay."""
        return {
            "status": self.status,
            "at": self.at.isoformat(),
            "source": self.source,
            **{name: self.summary[name] for name in ("since", "until", "predictions", "over_time")},
            "latency_ms": self.summary["inference_time_ms"],
            "mix": self.summary["by_sentiment"],
            "model_versions": self.summary["by_model_version"],
            "confidence": self.summary["confidence"],
            "novelty": self.summary["novelty"]["mean"],
            "truncated_share": self.summary["truncated_share"],
            "requests": self.summary["requests"],
            "queue": self.queue,
            "accuracy": {"labelled": self.performance["labelled"], "estimate": self.estimate},
            "drift": self.drift,
            "alerts": self.alerts,
        }

    @property
    def estimate(self) -> Answer | None:
        """Return the drift monitor's latest estimate of the accuracy, which needs no labels."""
        judged: Answer = self.performance["monitor"] or {}
        return judged.get("estimate")


def take_snapshot(source: Source, *, hours: int) -> Snapshot:
    """Ask for everything; raises UnreachableError."""
    runs = source.ask("/reports/drift", limit=1)["runs"]
    return Snapshot(
        at=datetime.now(UTC),
        source=source.name,
        summary=source.ask("/reports/summary", hours=hours),
        performance=source.ask("/reports/performance", days=ACCURACY_DAYS),
        drift=runs[0] if runs else None,
        alerts=source.ask("/reports/alerts", limit=ALERTS)["alerts"],
        queue=_count_queue(os.environ),
    )


def _count_queue(environment: Mapping[str, str]) -> dict[str, int] | None:
    if not (queue_url := environment.get("QUEUE_URL")):
        return None
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from local.stand_ins.aws import count_messages

    quick = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
    try:
        sqs = boto3.client("sqs", config=quick)
        counts = {"waiting": count_messages(sqs, queue_url)}
        if dead_letter_url := environment.get("DEAD_LETTER_QUEUE_URL"):
            counts["dead_letters"] = count_messages(sqs, dead_letter_url)
    except (BotoCoreError, ClientError) as error:
        raise UnreachableError(f"the queue of QUEUE_URL cannot be reached ({error})") from None
    return counts


def _object(body: bytes | str, source: str) -> Answer:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UnreachableError(f"{source} answered something else than reports: is the address right?")
    return content
