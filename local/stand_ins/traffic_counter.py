"""The stand-in for functions/traffic_counter: sends the API's traffic to the log writer.

It reads the counters of the API's /metrics and sends the increase since the last reading as a message, so
that stored can be compared with served predictions. Requests for /metrics are not counted. When an API
process crashes, its traffic since the last reading is lost.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client.parser import text_string_to_metric_families
from sentiment.messages import TrafficCounted

from local.logs import error_fields
from local.stand_ins.gateway import api_event
from local.stand_ins.lambda_runtime import Function, FunctionError

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
LONGEST_SPAN = timedelta(hours=1)
METRICS = "/metrics"
COUNTERS = ("requests", "client_errors", "server_errors", "predictions")


class TrafficCounter:
    """Counts the traffic of an API function on request, each minute after `start`, and at `stop`."""

    def __init__(
        self, api: Function, sqs: Any, queue_url: str, *, every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._api, self._sqs, self._queue_url = api, sqs, queue_url
        self._every_seconds = every_seconds
        self._since, self._counted = datetime.now(UTC), dict.fromkeys(COUNTERS, 0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Start counting each minute, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after a last count."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._count_or_warn()

    def count(self) -> TrafficCounted | None:
        """Send the traffic since the last reading and return it; None if there was none.

        A span without traffic is extended for up to an hour, so that an idle system stores few rows. Raises
        FunctionError and boto3's errors; the next reading then includes this span.
        """
        called = self._api.cold_start_ms is not None  # otherwise the request would start it
        counters = read_counters(self._api) if called else dict.fromkeys(COUNTERS, 0)
        # The API serves one call at a time, so nothing was served since its counters were read.
        until = datetime.now(UTC)
        # A restarted process counts from zero.
        restarted = any(counters[name] < self._counted[name] for name in COUNTERS)
        before = dict.fromkeys(COUNTERS, 0) if restarted else self._counted
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
            logger.warning("traffic not counted", extra=error_fields(error))


def read_counters(api: Function) -> dict[str, int]:
    """Return the counters of the API process, by the fields of TrafficCounted."""
    response = api.invoke(api_event("GET", METRICS))
    if response.get("statusCode") != 200:
        raise FunctionError(f"{METRICS} returned {response.get('statusCode')}")
    counters = dict.fromkeys(COUNTERS, 0)
    for family in text_string_to_metric_families(response["body"]):
        for sample in family.samples:
            for name in _counters_of(sample.name, sample.labels):
                counters[name] += int(sample.value)
    return counters


def _counters_of(sample: str, labels: Mapping[str, str]) -> list[str]:
    """Return the counters that a sample contributes to."""
    if sample == "sentiment_predictions_total":
        return ["predictions"]
    if sample != "sentiment_request_seconds_count" or labels["route"] == METRICS:
        return []
    errors = {"4": ["client_errors"], "5": ["server_errors"]}
    return ["requests", *errors.get(labels["status"][0], [])]
