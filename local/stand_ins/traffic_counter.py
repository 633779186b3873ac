"""The stand-in of the cloud's traffic counter: tells the log writer how much the API says it answered.

It reads the counters of the API's own /metrics and sends what was added since the last reading as a fact, so
that what is stored can be held against what was answered. Reading the counters is no traffic, so requests for
/metrics do not count. What an API process had answered since the last reading is not told when it dies.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client.parser import text_string_to_metric_families
from sentiment.messages import TrafficCounted

from local.stand_ins.gateway import api_event
from local.stand_ins.lambda_runtime import Function, FunctionError

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
LONGEST_SPAN = timedelta(hours=1)
METRICS = "/metrics"
COUNTERS = ("requests", "client_errors", "server_errors", "predictions")


class TrafficCounter:
    """Counts one API function: when asked, each minute once it was started, and a last time when stopped."""

    def __init__(
        self, api: Function, sqs: Any, queue_url: str, *, every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._api, self._sqs, self._queue_url = api, sqs, queue_url
        self._every_seconds = every_seconds
        self._since, self._counted = datetime.now(UTC), dict.fromkeys(COUNTERS, 0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin to count each minute, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Count what is left and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._count_or_warn()

    def count(self) -> TrafficCounted | None:
        """Send what was answered since the last reading and return it; None when it was nothing yet.

        A span without traffic goes on for up to an hour, so that an idle system does not fill a table. Raises
        FunctionError or what boto3 raises; the next reading then spans this one too.
        """
        called = self._api.cold_start_ms is not None  # else asking would start it, to hear of nothing
        counters = read_counters(self._api) if called else dict.fromkeys(COUNTERS, 0)
        # The API answers one call at a time, so it has answered nothing between its counters and this.
        until = datetime.now(UTC)
        # A process that began anew counts from zero.
        began_anew = any(counters[name] < self._counted[name] for name in COUNTERS)
        before = dict.fromkeys(COUNTERS, 0) if began_anew else self._counted
        added = {name: counters[name] - before[name] for name in COUNTERS}
        if not any(added.values()) and until - self._since < LONGEST_SPAN:
            return None
        counted = TrafficCounted(since=self._since, until=until, **added)
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=counted.model_dump_json())
        self._since, self._counted = until, counters
        return counted

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            self._count_or_warn()

    def _count_or_warn(self) -> None:
        try:
            self.count()
        except (FunctionError, BotoCoreError, ClientError) as error:
            logger.warning("traffic was not counted: %s", error)


def read_counters(api: Function) -> dict[str, int]:
    """Return what this API process has answered so far, by the fields of TrafficCounted."""
    answer = api.invoke(api_event("GET", METRICS))
    if answer.get("statusCode") != 200:
        raise FunctionError(f"{METRICS} answered {answer.get('statusCode')}")
    counters = dict.fromkeys(COUNTERS, 0)
    for family in text_string_to_metric_families(answer["body"]):
        for sample in family.samples:
            for name in _counts(sample.name, sample.labels):
                counters[name] += int(sample.value)
    return counters


def _counts(sample: str, labels: Mapping[str, str]) -> list[str]:
    """Return the counters that a sample adds to."""
    if sample == "sentiment_predictions_total":
        return ["predictions"]
    if sample != "sentiment_request_seconds_count" or labels["route"] == METRICS:
        return []
    errors = {"4": ["client_errors"], "5": ["server_errors"]}
    return ["requests", *errors.get(labels["status"][0], [])]
