"""The API's metrics, recorded once and published twice: as Prometheus text and as EMF for CloudWatch.

Prometheus sees one warm instance; CloudWatch sees all of them. No metric contains user text, and routes are
templates, so that a path invented by a client never becomes a label.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from prometheus_client import CollectorRegistry, Counter, Histogram, Info
from prometheus_client.exposition import generate_latest
from sentiment.logging import metrics, namespace
from sentiment.messages import PredictionMade

from functions.api.model.artifact import Card
from functions.api.settings import SERVICE

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
NOVELTIES = (0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5)
TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048)


class Metrics:
    """The metrics of one instance; Powertools buffers EMF until the handler flushes it."""

    def __init__(self, card: Card) -> None:
        self._registry = registry = CollectorRegistry()
        self._predictions = Counter(
            "sentiment_predictions", "Predictions stored and returned.", ["sentiment"], registry=registry
        )
        self._inference = Histogram(
            "sentiment_inference_seconds",
            "Tokenization and forward pass.",
            buckets=SECONDS,
            registry=registry,
        )
        self._confidence = Histogram(
            "sentiment_confidence",
            "Probability of the predicted label.",
            buckets=CONFIDENCES,
            registry=registry,
        )
        self._novelty = Histogram(
            "sentiment_novelty",
            "Distance from the validation texts; 1 in 100 familiar texts is beyond 1.5.",
            buckets=NOVELTIES,
            registry=registry,
        )
        self._tokens = Histogram(
            "sentiment_text_tokens", "Tokens before truncation.", buckets=TOKENS, registry=registry
        )
        self._truncated = Counter("sentiment_truncated", "Predictions on truncated texts.", registry=registry)
        self._feedback = Counter(
            "sentiment_feedback", "Feedback stored, by label.", ["label"], registry=registry
        )
        self._unsent = Counter(
            "sentiment_unsent_records", "Records that the queue rejected and S3 stored.", registry=registry
        )
        self._requests = Histogram(
            "sentiment_request_seconds",
            "Duration of requests.",
            ["route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        info = Info("sentiment_model", "The loaded artifact.", registry=registry)
        info.info(
            {"version": card.model_version, "labels": ",".join(card.labels), "truncation": card.truncation}
        )
        self._emf = metrics(SERVICE)
        self._predicted_at: datetime | None = None
        for label in card.labels:  # alerts need series that exist at zero
            self._predictions.labels(label)
            self._feedback.labels(label)

    def count_predictions(self, predictions: Sequence[PredictionMade]) -> None:
        """Count predictions that were stored and are about to be returned."""
        by_label: dict[str, int] = {}
        for prediction in predictions:
            self._predicted_at = prediction.predicted_at
            by_label[prediction.sentiment] = by_label.get(prediction.sentiment, 0) + 1
            self._inference.observe(prediction.inference_time_ms / 1000)
            self._confidence.observe(prediction.confidence)
            self._emf.add_metric("InferenceTime", MetricUnit.Milliseconds, prediction.inference_time_ms)
            self._tokens.observe(prediction.tokens)
            self._truncated.inc(prediction.truncated)
            self._emf.add_metric("Confidence", MetricUnit.NoUnit, prediction.confidence)
            self._emf.add_metric("Truncated", MetricUnit.Count, int(prediction.truncated))
            if prediction.novelty is not None:
                self._novelty.observe(prediction.novelty)
                self._emf.add_metric("Novelty", MetricUnit.NoUnit, prediction.novelty)
        for label, count in by_label.items():
            self._predictions.labels(label).inc(count)
            with single_metric("Predictions", MetricUnit.Count, count, namespace=namespace()) as metric:
                metric.add_dimension("service", SERVICE)
                metric.add_dimension("sentiment", label)

    def count_feedback(self, label: str) -> None:
        """Count one stored feedback."""
        self._feedback.labels(label).inc()
        self._emf.add_metric("Feedback", MetricUnit.Count, 1)

    def count_unsent(self, records: int) -> None:
        """Count records that were stored in S3 instead of the queue; an alarm watches them."""
        if records:
            self._unsent.inc(records)
            self._emf.add_metric("UnsentRecords", MetricUnit.Count, records)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count one finished request by its route template."""
        # With the time of its predictions, so that hourly counts match the stored rows.
        self._emf.set_timestamp(self._predicted_at or datetime.now(UTC))
        self._predicted_at = None
        self._requests.labels(route, str(status)).observe(seconds)
        self._emf.add_metric("RequestTime", MetricUnit.Milliseconds, seconds * 1000)
        self._emf.add_metric("ClientErrors", MetricUnit.Count, int(400 <= status < 500))
        self._emf.add_metric("ServerErrors", MetricUnit.Count, int(status >= 500))

    def prometheus(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
