"""What predictions cost on top of an idle month: dollars for a million of them, position by position.

Pure arithmetic over cdk/environments.py and prices.json. What a prediction weighs was measured by
`python -m benchmarks.scale --measure`; how long it takes is the caller's to say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cdk.costs.price_list import price
from cdk.environments import Environment
from cdk.functions import LOG_WRITER

HOURS_A_MONTH = 730
MILLION = 1_000_000

BYTES_BESIDE_AN_EVENT = 26  # that CloudWatch Logs bills (PutLogEvents, API reference)
# Bytes of one prediction, over real IMDB reviews.
LOG_BYTES = 1451  # the function's and the platform's lines
RESPONSE_BYTES = 298
ACCESS_LOG_BYTES = 350  # the HTTP API's line, from its format in cdk/serving/gateway.py

# `python -m benchmarks.log_writer`: seconds of a whole core for a batch, whatever it holds, and for each row.
WRITER_BATCH_SECONDS = 0.0027
WRITER_ROW_SECONDS = 0.000033
MB_OF_A_CORE = 1769  # memory that brings one whole vCPU (Lambda Developer Guide, "Configure memory")
MESSAGES_OF_A_CALL = 10  # that SQS hands over or deletes at once


@dataclass(frozen=True)
class Line:
    """One position of a bill."""

    item: str
    dollars: float
    why: str


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One prediction as docs/results.md has it, measured on a Xeon with VNNI: a Lambda may be slower."""

    duration_ms: float = 11.0  # the whole handler, embedded model, 128 tokens
    init_ms: float = 610.0  # fresh process to first answer, which Lambda bills since August 2025
    cold_share: float = 0.01  # assumed: one request in a hundred finds no warm instance


def total(lines: Sequence[Line]) -> float:
    """Add up a bill."""
    return sum(line.dollars for line in lines)


def cost_per_million(
    environment: Environment, inference: Inference | None = None, *, requests: float = MILLION
) -> list[Line]:
    """Return what a million predictions add in a month with so many, evenly spread over it.

    How many there are matters where a price does not follow them: X-Ray keeps the first request of each
    second, and the writer's batches are as full as its window lets them be.
    """
    inference = inference or Inference()
    memory_mb = environment.api_memory_mb
    rate = max(requests, 1) / (HOURS_A_MONTH * 3600)
    batch = writer_batch(environment, rate)
    writer_seconds = writer_batch_seconds(batch)
    warm = provisioned_share(environment) if environment.start == "provisioned" else 0.0
    cold = inference.cold_share * (1 - warm)
    traced = traced_share(rate) if environment.trace else 0.0
    lambda_prices = f"lambda.{environment.architecture}"

    def cost(name: str, count: float) -> float:
        return price(name, environment.region).dollars * count

    def gb_seconds(milliseconds: float, mb: int) -> float:
        """Return what a million runs use, each billed by the started millisecond."""
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
            cost("sqs.request", 1 + 2 / min(batch, MESSAGES_OF_A_CALL)),
            "one send each; received and deleted up to ten at once",
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
            f"{LOG_BYTES + ACCESS_LOG_BYTES:,} bytes each, with the metrics that are in them",
        ),
        Line("traces", cost("xray.trace", traced), f"X-Ray keeps {traced:.0%}"),
        Line("data out", cost("data.out_gb", RESPONSE_BYTES * MILLION / 1e9), f"{RESPONSE_BYTES} bytes each"),
    ]


def provisioned_share(environment: Environment) -> float:
    """Return the share of the day in which provisioned instances are kept."""
    if environment.provisioned_hours is None:
        return 1.0
    first, last = environment.provisioned_hours
    return ((last - first) % 24 or 24) / 24


def writer_batch(environment: Environment, rate: float) -> float:
    """Return how many messages a batch holds at so many a second: what one window gathers, within bounds."""
    return min(max(rate * environment.writer_window_seconds, 1.0), float(environment.writer_batch))


def writer_batch_seconds(messages: float) -> float:
    """Return how long the writer's share of a core takes for a batch, Postgres on the same machine."""
    seconds = WRITER_BATCH_SECONDS + WRITER_ROW_SECONDS * messages
    return seconds * MB_OF_A_CORE / LOG_WRITER.memory_mb


def traced_share(rate: float) -> float:
    """Return the share of requests that X-Ray's default rule keeps: one each second and 5% of the others.

    Arrivals are Poisson, so at a tenth of a request a second nearly every one is the first of its second.
    """
    firsts = -math.expm1(-rate)
    return (firsts + 0.05 * (rate - firsts)) / rate
