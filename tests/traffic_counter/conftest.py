from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from sentiment.logging import logger

from functions.traffic_counter import handler, settings, traffic_count

NAMESPACE = "ServerlessSentiment/staging"
API_ID, FUNCTION = "a1b2c3d4", "sentiment-api"


class Aws(NamedTuple):
    """The services that the counter uses: moto's CloudWatch with metrics of their real names, and a queue."""

    cloudwatch: Any
    sqs: Any
    queue_url: str

    def put(
        self, namespace: str, metric: str, dimension: tuple[str, str], at: datetime, value: float
    ) -> None:
        """Record one sample."""
        self.cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
                    "Timestamp": at,
                    "Value": value,
                }
            ],
        )

    def put_gateway_metrics(
        self, at: datetime, *, count: float, client: float = 0, server: float = 0
    ) -> None:
        """Record a minute of the HTTP API's metrics."""
        for metric, value in (("Count", count), ("4xx", client), ("5xx", server)):
            self.put("AWS/ApiGateway", metric, ("ApiId", API_ID), at, value)

    def put_function_metrics(self, at: datetime, *, invocations: float, errors: float = 0) -> None:
        """Record a minute of Lambda's metrics."""
        for metric, value in (("Invocations", invocations), ("Errors", errors)):
            self.put("AWS/Lambda", metric, ("FunctionName", FUNCTION), at, value)

    def put_api_metrics(self, at: datetime, *, predictions: int = 1, namespace: str = NAMESPACE) -> None:
        """Record the API's metrics of one request: a sample for the request and for each prediction."""
        service = ("service", "api")
        self.put(namespace, "RequestTime", service, at, 12.5)
        for _ in range(predictions):
            self.put(namespace, "InferenceTime", service, at, 9.1)

    def sent(self) -> list[str]:
        """Return the bodies of the messages in the queue."""
        received = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in received.get("Messages", [])]


@pytest.fixture(scope="session", autouse=True)
def early_logger() -> None:
    """Make the cached logger before a test captures output, whose stream is closed after that test."""
    logger("traffic_counter")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE)
    caches: list[Callable[[], None]] = [
        each.cache_clear for each in (settings.settings, traffic_count.cloudwatch, handler.sqs)
    ]
    with mock_aws():
        sqs = boto3.client("sqs")
        queue_url = sqs.create_queue(QueueName="messages")["QueueUrl"]
        for name, value in (
            ("HTTP_API_ID", API_ID),
            ("API_FUNCTION_NAME", FUNCTION),
            ("QUEUE_URL", queue_url),
        ):
            monkeypatch.setenv(name, value)
        for clear in caches:
            clear()
        yield Aws(boto3.client("cloudwatch"), sqs, queue_url)
    for clear in caches:
        clear()
