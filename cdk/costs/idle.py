"""What an environment costs: dollars a month when nobody calls it, and a month with so many predictions.

Pure arithmetic over cdk/environments.py and prices.json; a test holds the counts below against the
synthesized templates. Free tiers are left out, and so is what people do by hand: training runs, queries,
releases.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import get_args

from cdk.costs.price_list import price, table
from cdk.costs.usage import (
    HOURS_A_MONTH,
    MILLION,
    Inference,
    Line,
    cost_per_million,
    provisioned_share,
    total,
)
from cdk.environments import Environment, StartStrategy
from cdk.functions import DRIFT_MONITOR

STRATEGIES: tuple[StartStrategy, ...] = get_args(StartStrategy)

# How many an environment has of each.
KEYS = 1
DASHBOARDS = 1
ALARMS = 28
WAF_RULES = 4
# Of each run: DriftScore, DriftedFeatures, WindowRows, EstimatedAccuracy, MonitorFailures, HoursSinceJudged;
# MissingPredictions is billed in one hour of the day.
DRIFT_METRICS = 6
# What the traffic counter asks CloudWatch for, each hour.
COUNTED_METRICS = 7
# Of predictions: RequestTime, ServerErrors, ClientErrors, InferenceTime, Confidence, Novelty, Truncated,
# Predictions of each of two labels, ColdStarts, and the HTTP API's six detailed ones of the route.
API_METRICS = 16
# The live version, and the one before it until nobody has called that for 14 days.
SNAPSHOTS = 2
# An event source mapping asks an empty queue with five long polls of 20 seconds (Lambda Developer Guide,
# "Configuring scaling behavior for SQS event source mappings").
POLLS_A_MINUTE = 15
# How long a drift run takes, not how long it may: it starts cold each hour, and that over 20,000 sampled rows
# took 20 s (docs/results.md).
DRIFT_RUN_SECONDS = 20
# Assumed: compressed layers of three images, shared ones once, before releases add theirs.
IMAGES_GB = 2.0
# Assumed: bytes of RDS enhanced monitoring's record, one a minute.
MONITORING_RECORD_BYTES = 6000


@dataclass(frozen=True)
class Month:
    """A month under one start strategy, in dollars; `metrics` are paid for in hours with requests."""

    strategy: StartStrategy
    idle: float
    metrics: float
    per_million: float
    total: float


def idle_costs(environment: Environment) -> list[Line]:
    """Return what a month costs without one request, the largest position first."""

    def cost(name: str, count: float) -> float:
        return price(name, environment.region).dollars * count

    secrets = 1 + (environment.slack_webhook_secret_arn is not None)
    runs = HOURS_A_MONTH / environment.drift_every_hours
    drift_gb_seconds = runs * DRIFT_RUN_SECONDS * DRIFT_MONITOR.memory_mb / 1024
    polls = POLLS_A_MINUTE * 60 * HOURS_A_MONTH
    lines = [
        *_database(environment),
        _endpoints(environment),
        Line("keys", cost("kms.key_month", KEYS), f"{KEYS} KMS key; its first two rotations add $1 each"),
        Line("secrets", cost("secrets_manager.secret_month", secrets), "the database's master password"),
        Line("alarms", cost("cloudwatch.alarm_month", ALARMS), f"{ALARMS} metrics are watched"),
        Line("dashboard", cost("cloudwatch.dashboard_month", DASHBOARDS), "every panel in one"),
        Line("queue polling", cost("sqs.request", polls / MILLION), f"{POLLS_A_MINUTE} empty polls a minute"),
        Line(
            "drift runs",
            cost(f"lambda.{environment.architecture}.gb_second", drift_gb_seconds),
            f"{runs:.0f} runs of about {DRIFT_RUN_SECONDS} s at {DRIFT_MONITOR.memory_mb:,} MB",
        ),
        Line(
            "drift metrics",
            cost("cloudwatch.metric_month", DRIFT_METRICS / environment.drift_every_hours),
            f"{DRIFT_METRICS}, each billed in the hours of a run",
        ),
        Line(
            "traffic counts",
            cost("cloudwatch.metric_read", COUNTED_METRICS * HOURS_A_MONTH / 1000),
            f"{COUNTED_METRICS} of CloudWatch's metrics are read each hour",
        ),
        Line("images", cost("ecr.storage_gb_month", IMAGES_GB), f"about {IMAGES_GB:.0f} GB in ECR (assumed)"),
    ]
    if environment.start != "plain":
        lines.append(_start(environment))
    if environment.authorize:
        lines.append(Line("machine client", cost("cognito.machine_client_month", 1), "one Cognito client"))
    if environment.waf:
        firewall = cost("waf.acl_month", 1) + cost("waf.rule_month", WAF_RULES)
        lines.append(Line("firewall", firewall, f"a web ACL with {WAF_RULES} rules"))
    if environment.managed_mlflow:
        app = cost("sagemaker.mlflow_app_month", 1)
        lines.append(Line("managed MLflow", app, "the app is free, its S3 storage is not"))
    if environment.training_schedule:
        lines.append(_training(environment, environment.training_schedule))
    return sorted(lines, key=lambda line: -line.dollars)


def monthly(
    environment: Environment, requests: float, inference: Inference | None = None
) -> dict[StartStrategy, Month]:
    """Return a month with so many predictions under every start strategy."""
    months = {}
    metric = price("cloudwatch.metric_month", environment.region).dollars
    metrics = API_METRICS * metric * min(requests / HOURS_A_MONTH, 1)
    for strategy in STRATEGIES:
        variant = dataclasses.replace(environment, start=strategy)
        idle = total(idle_costs(variant))
        million = total(cost_per_million(variant, inference, requests=requests))
        whole = idle + metrics + million * requests / MILLION
        months[strategy] = Month(strategy, idle, metrics, million, whole)
    return months


def summary(environment: Environment) -> str:
    """Say in two lines what the environment costs, for whoever synthesizes it."""
    idle = idle_costs(environment)
    largest = ", ".join(f"{line.item} ${line.dollars:.2f}" for line in idle[:4])
    million = total(cost_per_million(environment))
    region = price("lambda.request", environment.region).region
    return (
        f"{environment.name} costs about ${total(idle):.2f} a month when idle ({largest}, ...) and"
        f" ${million:.2f} for a million predictions,\nby prices of {table()['dated']} in {region} without tax"
        f" and free tiers. All positions: sentiment cost --env {environment.name}"
    )


def _database(environment: Environment) -> list[Line]:
    region = environment.region
    times = price("rds.multi_az_factor", region).dollars if environment.multi_az else 1
    zones = "in two zones" if environment.multi_az else "in one zone"
    hour = price(f"rds.single_az.db.{environment.database_class}", region).dollars
    storage = price("rds.gp3_gb_month", region).dollars * environment.database_storage_gb
    records = MONITORING_RECORD_BYTES * 60 * HOURS_A_MONTH * times / 1e9
    return [
        Line("database", hour * HOURS_A_MONTH * times, f"db.{environment.database_class} {zones}"),
        Line(
            "database storage",
            storage * times,
            f"{environment.database_storage_gb} GB gp3 {zones}; as much of backups is free",
        ),
        Line(
            "database monitoring",
            price("logs.ingested_gb", region).dollars * records,
            f"one record of about {MONITORING_RECORD_BYTES:,} bytes a minute (assumed)",
        ),
    ]


def _endpoints(environment: Environment) -> Line:
    services = ["SNS", "Secrets Manager"] + ["Step Functions"] * (environment.on_drift == "retrain")
    count = len(services) * environment.endpoint_zones
    hour = price("vpc.interface_endpoint_hour", environment.region).dollars
    why = f"{' and '.join(services)}, each in {environment.endpoint_zones} of the zones; no NAT"
    return Line("endpoints", hour * HOURS_A_MONTH * count, why)


def _start(environment: Environment) -> Line:
    """Return what it costs a month to have instances ready, or snapshots of them."""
    gigabytes = environment.api_memory_mb / 1024
    seconds = HOURS_A_MONTH * 3600
    if environment.start == "snapstart":
        cached = price("lambda.snapstart_cached_gb_second", environment.region).dollars
        why = f"{SNAPSHOTS} versions of {environment.api_memory_mb:,} MB are cached"
        return Line("snapshots", cached * gigabytes * seconds * SNAPSHOTS, why)
    share, count = provisioned_share(environment), environment.provisioned_instances
    kept = price(f"lambda.{environment.architecture}.provisioned_gb_second", environment.region).dollars
    why = f"{count} of {environment.api_memory_mb:,} MB are kept for {share * 24:.0f} hours a day"
    return Line("provisioned instances", kept * gigabytes * seconds * share * count, why)


def _training(environment: Environment, schedule: str) -> Line:
    """Return the cap of the scheduled runs; a cron expression counts as one run a month."""
    match = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", schedule)
    hours = int(match[1]) * (24 if match[2] == "day" else 1) if match else HOURS_A_MONTH
    runs = HOURS_A_MONTH / hours
    cap = environment.training_max_dollars
    return Line("scheduled training", runs * cap, f"at most: {runs:.1f} runs, each stopped at ${cap:.2f}")
