"""When each part of the system gives way, and what a rate of predictions means in every part.

Measured service times (docs/results.md) and sizes, AWS's default quotas and an environment's own values;
docs/scale.md says what the quotas are quoted from. How it is shown is `benchmarks.scale`.
"""

import math
from dataclasses import dataclass

from benchmarks.queueing import Observed, erlang_b, seconds_to_catch_up, simulate
from cdk.costs.idle import idle_costs
from cdk.costs.price_list import price
from cdk.costs.usage import (
    HOURS_PER_MONTH,
    MILLION,
    Inference,
    cost_per_million,
    total,
    writer_batch,
    writer_batch_seconds,
)
from cdk.environments import Environment

MONTH_SECONDS = HOURS_PER_MONTH * 3600
INFERENCE = Inference()

# Sizes of one prediction in bytes, as `--measure` found them on 24 November 2026.
ROW_BYTES, PARQUET_BYTES = 1620, 563

# Default quotas of an account in a large region.
GATEWAY_REQUESTS = 10_000  # a second, all HTTP and REST APIs together
CONCURRENCY = 1_000  # instances of all functions together
REQUESTS_AN_INSTANCE = 10  # a second, counted by the quota even when they take 11 ms
DISK_BYTES = 125e6  # a second, gp3 below 400 GB
# Bytes written for each byte of a row: into the log, the page, and the index; assumed.
WRITES_A_BYTE = 3
# `python -m benchmarks.log_writer`, 500 rows a batch: handler and Postgres together on two cores.
STORED_ON_TWO_CORES = 22_405
# Share of both cores that burstable instances may use for good (credits pay for more).
BASELINES = {"t4g.micro": 0.1, "t4g.small": 0.2, "t4g.medium": 0.2, "t4g.large": 0.3}
OUTAGE_SECONDS = 600
BATCHES = 50_000


@dataclass(frozen=True)
class Limit:
    """A part and the predictions a second at which it gives way; `then` says what a person does."""

    part: str
    rate: float
    then: str


def limits(environment: Environment) -> list[Limit]:
    """Return what gives way, the first first, as the environment is set and AWS's quotas are by default."""
    inference = INFERENCE.duration_ms / 1000
    batch = environment.writer_batch
    writer = environment.writer_concurrency * batch / writer_batch_seconds(batch)
    storage_gb = environment.database_max_storage_gb
    kept_seconds = environment.retention_months * MONTH_SECONDS
    steady = BASELINES.get(environment.database_class, 1.0)
    found = [
        Limit(
            f"storage of {storage_gb:,} GB, {environment.retention_months} months kept",
            storage_gb * 1e9 / ROW_BYTES / kept_seconds,
            "keep fewer months, move older rows to S3, or raise database_max_storage_gb",
        ),
        Limit("throttle of /predict", environment.requests_per_second, "raise requests_per_second"),
        Limit("HTTP API quota", GATEWAY_REQUESTS, "ask AWS for more, or more accounts"),
        Limit(
            "Lambda's requests a second", CONCURRENCY * REQUESTS_AN_INSTANCE, "ask AWS for more concurrency"
        ),
        Limit(
            "disk throughput", DISK_BYTES / ROW_BYTES / WRITES_A_BYTE, "a volume of 400 GB brings 500 MB/s"
        ),
        Limit("Postgres on two cores", STORED_ON_TWO_CORES, "a larger instance"),
        Limit(
            f"CPU credits of {environment.database_class}",
            STORED_ON_TWO_CORES * steady,
            "each hour of a core beyond the baseline is billed; an m7g instance has none",
        ),
        Limit(
            f"writer, {environment.writer_concurrency} at once",
            writer,
            "raise writer_concurrency or its memory",
        ),
        Limit("Lambda concurrency", busiest(CONCURRENCY) / inference, "ask AWS for more concurrency"),
    ]
    return sorted(found, key=lambda limit: limit.rate)


def busiest(servers: int, refused: float = 1e-4) -> float:
    """Return the load, in busy servers, at which this share of calls finds none free."""
    low, high = 0.0, float(servers)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if erlang_b(servers, middle) < refused else (low, middle)
    return low


def writer_queue(environment: Environment, rate: float) -> Observed | None:
    """Simulate the batches that wait for a writer; None when the writers cannot keep up.

    A batch takes what its rows take, give or take a fifth (the spread of docs/results.md), on its share of a
    core. Batches are full, or hold what a window gathers.
    """
    batch = writer_batch(environment, rate)
    seconds = writer_batch_seconds(batch)
    if rate / batch * seconds >= environment.writer_concurrency:
        return None
    return simulate(
        rate=rate / batch,
        servers=environment.writer_concurrency,
        service=lambda draw: max(draw.gauss(seconds, seconds / 5), seconds / 2),
        jobs=BATCHES,
    )


def describe(environment: Environment, rate: float) -> dict[str, float | None]:
    """Return what a rate means in every part: instances, waits, gigabytes and dollars a month."""
    requests = rate * MONTH_SECONDS
    lines = {line.item: line.dollars for line in cost_per_million(environment, INFERENCE, requests=requests)}
    idle = total(idle_costs(environment))
    queue = writer_queue(environment, rate)
    batch = writer_batch(environment, rate)
    capacity = environment.writer_concurrency * environment.writer_batch
    capacity_rate = capacity / writer_batch_seconds(environment.writer_batch)
    rows_gb = requests * ROW_BYTES / 1e9
    zones = price("rds.multi_az_factor", environment.region).dollars if environment.multi_az else 1
    millions = requests / MILLION
    return {
        "rate": rate,
        "requests_a_month": requests,
        "busy_instances": rate * INFERENCE.duration_ms / 1000,
        "refused_by_lambda": erlang_b(CONCURRENCY, rate * INFERENCE.duration_ms / 1000),
        "messages_a_batch": batch,
        "busy_writers": rate / batch * writer_batch_seconds(batch),
        "writer_wait_p99_ms": queue.p99_wait * 1000 if queue else None,
        "catch_up_seconds": _finite(
            seconds_to_catch_up(rate=rate, capacity=capacity_rate, outage_seconds=OUTAGE_SECONDS)
        ),
        "disk_mb_per_second": rate * ROW_BYTES * WRITES_A_BYTE / 1e6,
        "rows_gb_a_month": rows_gb,
        "parquet_gb_a_month": requests * PARQUET_BYTES / 1e9,
        "dollars_idle": idle,
        "dollars_predictions": sum(lines.values()) * millions,
        "dollars_logs": lines["logs"] * millions,
        "dollars_api": lines["HTTP API"] * millions,
        "dollars_inference": (lines["inference"] + lines["Lambda requests"]) * millions,
        "dollars_storing_a_month_of_rows": rows_gb
        * price("rds.gp3_gb_month", environment.region).dollars
        * zones,
        "dollars_the_same_in_s3": requests
        * PARQUET_BYTES
        / 1e9
        * price("s3.storage_gb_month", environment.region).dollars,
    }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
