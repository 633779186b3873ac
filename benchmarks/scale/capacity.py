"""The limit of each component, and the load and cost of a rate of predictions.

Computed from measured service times (docs/results.md) and sizes, AWS's default quotas (docs/scale.md has the
sources) and an environment's values. `benchmarks.scale` prints the results.
"""

import math
from dataclasses import dataclass

from benchmarks.scale.queueing import QueueStats, erlang_b, seconds_to_catch_up, simulate
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

# Bytes per prediction, measured with `--measure` on 24 November 2026.
ROW_BYTES, PARQUET_BYTES = 1620, 563

# Default quotas of an account in a large region.
GATEWAY_REQUESTS = 10_000  # per second, for all HTTP and REST APIs together
CONCURRENCY = 1_000  # instances, for all functions together
REQUESTS_PER_INSTANCE = 10  # per second; the quota counts ten even if a request takes 11 ms
DISK_BYTES = 125e6  # per second, gp3 below 400 GB
# Assumed: bytes written per byte of a row, to the log, the page, and the index.
WRITE_AMPLIFICATION = 3
# `python -m benchmarks.database.log_writer`, 500 rows per batch: handler and Postgres together on two cores.
ROWS_ON_TWO_CORES = 22_405
# Share of both cores that burstable instances can use permanently (more costs CPU credits).
BASELINES = {"t4g.micro": 0.1, "t4g.small": 0.2, "t4g.medium": 0.2, "t4g.large": 0.3}
OUTAGE_SECONDS = 600
SIMULATED_BATCHES = 50_000


@dataclass(frozen=True)
class Limit:
    """The predictions per second that a component can handle, and how to raise that."""

    component: str
    rate: float
    remedy: str


def limits(environment: Environment) -> list[Limit]:
    """Return the limits with the environment's values and AWS's default quotas, the lowest first."""
    inference = INFERENCE.duration_ms / 1000
    batch = environment.writer_batch
    writer = environment.writer_concurrency * batch / writer_batch_seconds(batch)
    storage_gb = environment.database_max_storage_gb
    kept_seconds = environment.retention_months * MONTH_SECONDS
    baseline = BASELINES.get(environment.database_class, 1.0)
    found = [
        Limit(
            f"storage of {storage_gb:,} GB, {environment.retention_months} months kept",
            storage_gb * 1e9 / ROW_BYTES / kept_seconds,
            "keep fewer months, move old rows to S3, or raise database_max_storage_gb",
        ),
        Limit("throttle of /predict", environment.requests_per_second, "raise requests_per_second"),
        Limit("HTTP API quota", GATEWAY_REQUESTS, "request a higher quota, or use more accounts"),
        Limit(
            "Lambda's requests per second", CONCURRENCY * REQUESTS_PER_INSTANCE, "request more concurrency"
        ),
        Limit(
            "disk throughput",
            DISK_BYTES / ROW_BYTES / WRITE_AMPLIFICATION,
            "use a volume of 400 GB, which provides 500 MB/s",
        ),
        Limit("Postgres on two cores", ROWS_ON_TWO_CORES, "use a larger instance"),
        Limit(
            f"CPU credits of {environment.database_class}",
            ROWS_ON_TWO_CORES * baseline,
            "pay per core-hour beyond the baseline, or use an m7g instance",
        ),
        Limit(
            f"writer, {environment.writer_concurrency} instances",
            writer,
            "raise writer_concurrency or its memory",
        ),
        Limit("Lambda concurrency", max_load(CONCURRENCY) / inference, "request more concurrency"),
    ]
    return sorted(found, key=lambda limit: limit.rate)


def max_load(servers: int, blocked: float = 1e-4) -> float:
    """Return the offered load, in busy servers, at which this share of calls is blocked."""
    low, high = 0.0, float(servers)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if erlang_b(servers, middle) < blocked else (low, middle)
    return low


def writer_queue(environment: Environment, rate: float) -> QueueStats | None:
    """Simulate the queue of batches before the writer; None if the writer cannot keep up.

    The duration of a batch is that of its rows on the writer's share of a core, with a standard deviation of
    20% (docs/results.md). A batch is full or contains the messages of one window.
    """
    batch = writer_batch(environment, rate)
    seconds = writer_batch_seconds(batch)
    if rate / batch * seconds >= environment.writer_concurrency:
        return None
    return simulate(
        rate=rate / batch,
        servers=environment.writer_concurrency,
        service=lambda source: max(source.gauss(seconds, seconds / 5), seconds / 2),
        jobs=SIMULATED_BATCHES,
    )


def describe(environment: Environment, rate: float) -> dict[str, float | None]:
    """Return the instances, waits, gigabytes and dollars per month at a rate per second."""
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
        "requests_per_month": requests,
        "busy_instances": rate * INFERENCE.duration_ms / 1000,
        "refused_by_lambda": erlang_b(CONCURRENCY, rate * INFERENCE.duration_ms / 1000),
        "messages_per_batch": batch,
        "busy_writers": rate / batch * writer_batch_seconds(batch),
        "writer_wait_p99_ms": queue.p99_wait * 1000 if queue else None,
        "catch_up_seconds": _finite(
            seconds_to_catch_up(rate=rate, capacity=capacity_rate, outage_seconds=OUTAGE_SECONDS)
        ),
        "disk_mb_per_second": rate * ROW_BYTES * WRITE_AMPLIFICATION / 1e6,
        "rows_gb_per_month": rows_gb,
        "parquet_gb_per_month": requests * PARQUET_BYTES / 1e9,
        "dollars_idle": idle,
        "dollars_predictions": sum(lines.values()) * millions,
        "dollars_logs": lines["logs"] * millions,
        "dollars_api": lines["HTTP API"] * millions,
        "dollars_inference": (lines["inference"] + lines["Lambda requests"]) * millions,
        "dollars_month_of_rows_in_postgres": rows_gb
        * price("rds.gp3_gb_month", environment.region).dollars
        * zones,
        "dollars_month_of_rows_in_s3": requests
        * PARQUET_BYTES
        / 1e9
        * price("s3.storage_gb_month", environment.region).dollars,
    }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
