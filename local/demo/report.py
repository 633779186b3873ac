"""The report of the demo: metrics and checks as plain values. view.py shows them.

`artifacts/demo/report.json` has these keys; shares are 0 to 1:

- `model`: version, reused (it was up to date and not trained in this run), training_seconds (fine-tuning),
  train_rows, max_length (tokens), truncation, data
- `accuracy`: fp32, int8, int8_ci95 and flipped (decisions that int8 changed) on `rows` held-out reviews, from
  the model card; live on the `live_rows` reviews sent in this run
- `latency_ms`: p50, p95, p99 of `requests` single predictions through the whole handler, without the first;
  batch, for one request with `batch_texts` texts; explain
- `lambda`: runtime (emulator or in process), cold_start_ms (process start, init, first answer),
  peak_memory_mb and log_writer_peak_memory_mb (MiB resident)
- `stored`: served and predictions (found in Postgres), counted (by the API's metrics), feedback_given and
  feedback, still_queued, sample (some rows)
- `explained`: text, sentiment, words (text, start, end, weight)
- `drift`: runs (what: the traffic, rows, score, drifted: the verdicts, most: the largest change, seconds),
  alerts (kind, severity, message), mails and slack (the sent messages), page (a path); see drift.py
- `checks`: true or false; `seconds`: of each step; `state_folder`: with logs and data
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentiment.database.models import PredictionLog

from local.reviews import Review
from local.stand_ins.lambda_runtime import EmulatedFunction
from local.stand_ins.moto_server import count_messages
from local.system import System

SAMPLE_ROWS = 6


@dataclass
class Measurements:
    """The API's responses and their latencies."""

    predictions: list[tuple[Review, dict[str, Any]]]
    latencies_ms: list[float]  # of single predictions through the whole handler, without the cold start
    batch_texts: int = 0
    batch_ms: float = 0.0
    explain_ms: float = 0.0
    explained: Mapping[str, Any] = field(default_factory=dict)
    feedback: int = 0
    counted: int = 0  # predictions, by the API's metrics


def make_report(
    system: System, measurements: Measurements, stored: Iterable[PredictionLog], *, reused: bool
) -> dict[str, Any]:
    """Return the report, with the keys in this module's docstring."""
    rows = {str(row.id): row for row in stored}
    served = {response["prediction_id"]: (review, response) for review, response in measurements.predictions}
    equal = sum(
        (row.characters, row.sentiment, row.confidence, row.deployment_id)
        == (len(review.text.strip()), response["sentiment"], response["confidence"], system.deployment_id)
        for identifier, (review, response) in served.items()
        if (row := rows.get(identifier))
    )
    correct = sum(response["sentiment"] == review.label for review, response in served.values())
    feedback = sum(row.feedback_label is not None for row in rows.values())
    waiting = count_messages(system.aws.client("sqs"), system.aws.queue_url)
    card = system.card
    return {
        "model": {
            "version": card["model_version"],
            "reused": reused,
            "training_seconds": card["training"]["seconds"],
            "train_rows": card["data"]["rows"]["train"],
            "max_length": card["max_length"],
            "truncation": card["truncation"],
            "data": card["data"]["name"],
        },
        "accuracy": {
            "rows": card["metrics"]["rows"],
            "fp32": card["metrics"]["fp32"]["accuracy"],
            "int8": card["metrics"]["int8"]["accuracy"],
            "int8_ci95": card["metrics"]["int8"].get("accuracy_ci95"),
            "flipped": card["metrics"]["flipped"],
            "live": correct / len(served),
            "live_rows": len(served),
        },
        "latency_ms": {
            **percentiles(measurements.latencies_ms),
            "requests": len(measurements.latencies_ms),
            "batch_texts": measurements.batch_texts,
            "batch": round(measurements.batch_ms, 1),
            "explain": round(measurements.explain_ms, 1),
        },
        "lambda": {
            "runtime": "emulator" if isinstance(system.api, EmulatedFunction) else "in process",
            "cold_start_ms": _rounded(system.api.cold_start_ms),
            "peak_memory_mb": _rounded(system.api.peak_memory_mb()),
            "log_writer_peak_memory_mb": _rounded(system.log_writer.peak_memory_mb()),
        },
        "stored": {
            "served": len(served),
            "predictions": len(rows),
            "counted": measurements.counted,
            "feedback_given": measurements.feedback,
            "feedback": feedback,
            "still_queued": waiting,
            "sample": [
                _sample(row, served[identifier][0]) for identifier, row in sorted(rows.items())[:SAMPLE_ROWS]
            ],
        },
        "explained": measurements.explained,
        "checks": {
            "every served prediction is stored": rows.keys() == served.keys(),
            "stored predictions equal the responses": equal == len(served),
            "the API counted as many predictions as are stored": measurements.counted == len(rows),
            "all feedback is stored": feedback == measurements.feedback,
            "the queue is empty": waiting == 0,
            "live accuracy agrees with the held-out accuracy": correct / len(served)
            > _minimum_accuracy(card, len(served)),
        },
        "state_folder": str(system.folder),
    }


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {f"p{percent}": round(cuts[percent - 1], 1) for percent in (50, 95, 99)}


def _minimum_accuracy(card: Mapping[str, Any], rows: int) -> float:
    """Return the held-out accuracy minus four standard errors: less is not chance but a fault."""
    accuracy = float(card["metrics"]["int8"]["accuracy"])
    return accuracy - 4 * math.sqrt(max(accuracy * (1 - accuracy), 0.01) / rows)


def _sample(row: PredictionLog, review: Review) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "text": " ".join((row.text or "").split())[:60],
        "sentiment": row.sentiment,
        "confidence": round(row.confidence, 3),
        "label": review.label,
        "feedback": row.feedback_label,
        "inference_time_ms": round(row.inference_time_ms, 1),
        "predicted_at": row.predicted_at.isoformat(timespec="seconds"),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
