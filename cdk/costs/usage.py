"""The cost of predictions on top of an idle month, in dollars per million, line by line.

Pure arithmetic over cdk/environments.py and prices.json. The size of a prediction was measured by
`python -m benchmarks.scale --measure`; its duration is a parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cdk.costs.price_list import price
from cdk.environments import Environment
from cdk.function_config import LOG_WRITER

HOURS_PER_MONTH = 730
MILLION = 1_000_000

BYTES_PER_LOG_EVENT = 26  # that CloudWatch Logs bills on top (PutLogEvents, API reference)
# Bytes per prediction, for real IMDB reviews.
LOG_BYTES = 1451  # lines of the function and of Lambda
RESPONSE_BYTES = 298
ACCESS_LOG_BYTES = 350  # the HTTP API's line, by its format in cdk/serving/gateway.py

# `python -m benchmarks.database.log_writer`: seconds of a whole core per batch, and per row in it.
WRITER_BATCH_SECONDS = 0.0027
WRITER_ROW_SECONDS = 0.000033
MB_PER_VCPU = 1769  # memory with one whole vCPU (Lambda Developer Guide, "Configure memory")
MESSAGES_PER_CALL = 10  # that SQS delivers or deletes at once


@dataclass(frozen=True)
class Line:
    """One line of a bill; `why` says what it is computed from."""

    item: str
    dollars: float
    why: str


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One prediction, measured on a Xeon with VNNI (docs/results.md); a Lambda function may be slower."""

    duration_ms: float = 11.0  # the whole handler, embedded model, 128 tokens
    init_ms: float = 610.0  # new process to first response; billed by Lambda since August 2025
    cold_share: float = 0.01  # assumed: one request in a hundred has a cold start


def total(lines: Sequence[Line]) -> float:
    """Return the total of a bill."""
    return sum(line.dollars for line in lines)


def cost_per_million(
    environment: Environment, inference: Inference | None = None, *, requests: float = MILLION
) -> list[Line]:
    """Return the cost per million predictions in a month with this many, evenly distributed.

    Their number matters where the cost is not proportional to it: X-Ray samples the first request of each
    second, and the writer's batches contain what arrives within its window.
    """
    inference = inference or Inference()
    memory_mb = environment.api_memory_mb
    rate = max(requests, 1) / (HOURS_PER_MONTH * 3600)
    batch = writer_batch(environment, rate)
    writer_seconds = writer_batch_seconds(batch)
    warm = provisioned_share(environment) if environment.start == "provisioned" else 0.0
    cold = inference.cold_share * (1 - warm)
    traced = traced_share(rate) if environment.trace else 0.0
    lambda_prices = f"lambda.{environment.architecture}"

    def cost(name: str, count: float) -> float:
        return price(name, environment.region).dollars * count

    def gb_seconds(milliseconds: float, mb: int) -> float:
        """Return the GB-seconds of a million invocations, each rounded up to a millisecond."""
        return math.ceil(milliseconds) / 1000 * mb / 1024 * MILLION

    used = gb_seconds(inference.duration_ms, memory_mb)
    if environment.start == "snapstart":
        start = Line(
            "restores",
            cost("lambda.snapstart_restored_gb", memory_mb / 1024 * cold * MILLION),
            f"{cold:.2%} of requests restore {memory_mb:,} MB",
        )
    else:
        start = Line(
            "cold starts",
            cost(f"{lambda_prices}.gb_second", gb_seconds(inference.init_ms, memory_mb) * cold),
            f"{cold:.2%} of requests wait {inference.init_ms:.0f} ms for an instance",
        )
    return [
        Line("HTTP API", cost("http_api.request", 1), "one request each"),
        Line("Lambda requests", cost("lambda.request", 1), "one each"),
        Line(
            "inference",
            cost(f"{lambda_prices}.provisioned_duration_gb_second", used * warm)
            + cost(f"{lambda_prices}.gb_second", used * (1 - warm)),
            f"{math.ceil(inference.duration_ms)} ms at {memory_mb:,} MB, {environment.architecture}",
        ),
        start,
        Line(
            "queue",
            cost("sqs.request", 1 + 2 / min(batch, MESSAGES_PER_CALL)),
            "one send each; received and deleted up to ten at a time",
        ),
        Line(
            "writer",
            cost(
                f"{lambda_prices}.gb_second", gb_seconds(writer_seconds * 1000, LOG_WRITER.memory_mb) / batch
            )
            + cost("lambda.request", 1 / batch),
            f"batches of {batch:.0f}, {writer_seconds * 1000:.0f} ms each at {LOG_WRITER.memory_mb} MB",
        ),
        Line(
            "logs",
            cost("logs.ingested_gb", (LOG_BYTES + ACCESS_LOG_BYTES) * MILLION / 1e9),
            f"{LOG_BYTES + ACCESS_LOG_BYTES:,} bytes each, including the embedded metrics",
        ),
        Line("traces", cost("xray.trace", traced), f"X-Ray samples {traced:.0%}"),
        Line("data out", cost("data.out_gb", RESPONSE_BYTES * MILLION / 1e9), f"{RESPONSE_BYTES} bytes each"),
    ]


def provisioned_share(environment: Environment) -> float:
    """Return the share of the day with provisioned instances."""
    if environment.provisioned_hours is None:
        return 1.0
    first, last = environment.provisioned_hours
    return ((last - first) % 24 or 24) / 24


def writer_batch(environment: Environment, rate: float) -> float:
    """Return the messages per batch at a rate per second: those of one window, within the batch size."""
    return min(max(rate * environment.writer_window_seconds, 1.0), float(environment.writer_batch))


def writer_batch_seconds(messages: float) -> float:
    """Return how long a batch takes on the writer's share of a core, with Postgres on the same machine."""
    seconds = WRITER_BATCH_SECONDS + WRITER_ROW_SECONDS * messages
    return seconds * MB_PER_VCPU / LOG_WRITER.memory_mb


def traced_share(rate: float) -> float:
    """Return the share of requests that X-Ray's default rule samples: one per second and 5% of the others.

    Arrivals are Poisson, so at 0.1 requests per second nearly every request is the first of its second.
    """
    firsts = -math.expm1(-rate)
    return (firsts + 0.05 * (rate - firsts)) / rate
