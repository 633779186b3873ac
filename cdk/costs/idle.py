"""The cost of an environment: dollars per month when idle, and with a number of predictions.

Pure arithmetic over cdk/environments.py and prices.json; a test compares the counts below with the
synthesized templates. Free tiers are not included, nor is what you start yourself: training runs, queries,
releases.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import get_args

from cdk.costs.price_list import price, table
from cdk.costs.usage import (
    HOURS_PER_MONTH,
    MILLION,
    Inference,
    Line,
    cost_per_million,
    provisioned_share,
    total,
)
from cdk.environments import Environment, StartStrategy
from cdk.function_config import DRIFT_MONITOR

STRATEGIES: tuple[StartStrategy, ...] = get_args(StartStrategy)

# Resources of an environment.
KEYS = 1
DASHBOARDS = 1
ALARMS = 28
WAF_RULES = 4
# Per run: DriftScore, DriftedFeatures, WindowRows, EstimatedAccuracy, MonitorFailures, HoursSinceJudged;
# MissingPredictions is billed for one hour of the day.
DRIFT_METRICS = 6
# That the traffic counter reads from CloudWatch each hour.
TRAFFIC_METRICS = 7
# Of a prediction: RequestTime, ServerErrors, ClientErrors, InferenceTime, Confidence, Novelty, Truncated,
# Predictions for each of two labels, ColdStarts, and six detailed ones of the HTTP API's route.
API_METRICS = 16
# The live version, and the previous one until it has not been invoked for 14 days.
SNAPSHOTS = 2
# An event source mapping polls an empty queue with five long polls of 20 seconds (Lambda Developer Guide,
# "Configuring scaling behavior for SQS event source mappings").
POLLS_PER_MINUTE = 15
# Duration of a drift run, not its time-out. Every hourly run has a cold start; one over 20,000 sampled rows
# took 20 s (docs/results.md).
DRIFT_RUN_SECONDS = 20
# Assumed: compressed layers of three images, shared ones once, without those of later releases.
IMAGES_GB = 2.0
# Assumed: bytes of a record of RDS Enhanced Monitoring, one per minute.
MONITORING_RECORD_BYTES = 6000


@dataclass(frozen=True)
class Month:
    """A month with one start strategy, in dollars; `metrics` are billed for hours with requests."""

    strategy: StartStrategy
    idle: float
    metrics: float
    per_million: float
    total: float


def idle_costs(environment: Environment) -> list[Line]:
    """Return the cost of a month without requests, the largest line first."""

    def cost(name: str, count: float) -> float:
        return price(name, environment.region).dollars * count

    secrets = 1 + (environment.slack_webhook_secret_arn is not None)
    runs = HOURS_PER_MONTH / environment.drift_every_hours
    drift_gb_seconds = runs * DRIFT_RUN_SECONDS * DRIFT_MONITOR.memory_mb / 1024
    polls = POLLS_PER_MINUTE * 60 * HOURS_PER_MONTH
    lines = [
        *_database(environment),
        _endpoints(environment),
        Line("keys", cost("kms.key_month", KEYS), f"{KEYS} KMS key; the first two rotations add $1 each"),
        Line("secrets", cost("secrets_manager.secret_month", secrets), "the database's master password"),
        Line("alarms", cost("cloudwatch.alarm_month", ALARMS), f"{ALARMS} metrics with alarms"),
        Line("dashboard", cost("cloudwatch.dashboard_month", DASHBOARDS), "one dashboard"),
        Line(
            "queue polling",
            cost("sqs.request", polls / MILLION),
            f"{POLLS_PER_MINUTE} empty polls per minute",
        ),
        Line(
            "drift runs",
            cost(f"lambda.{environment.architecture}.gb_second", drift_gb_seconds),
            f"{runs:.0f} runs of about {DRIFT_RUN_SECONDS} s at {DRIFT_MONITOR.memory_mb:,} MB",
        ),
        Line(
            "drift metrics",
            cost("cloudwatch.metric_month", DRIFT_METRICS / environment.drift_every_hours),
            f"{DRIFT_METRICS}, each billed for the hours with a run",
        ),
        Line(
            "traffic counts",
            cost("cloudwatch.metric_read", TRAFFIC_METRICS * HOURS_PER_MONTH / 1000),
            f"{TRAFFIC_METRICS} CloudWatch metrics are read each hour",
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
        lines.append(Line("managed MLflow", app, "the app is free; its S3 storage is not included"))
    if environment.training_schedule:
        lines.append(_training(environment, environment.training_schedule))
    return sorted(lines, key=lambda line: -line.dollars)


def monthly(
    environment: Environment, requests: float, inference: Inference | None = None
) -> dict[StartStrategy, Month]:
    """Return a month with this many predictions for every start strategy."""
    months = {}
    metric = price("cloudwatch.metric_month", environment.region).dollars
    metrics = API_METRICS * metric * min(requests / HOURS_PER_MONTH, 1)
    for strategy in STRATEGIES:
        variant = dataclasses.replace(environment, start=strategy)
        idle = total(idle_costs(variant))
        million = total(cost_per_million(variant, inference, requests=requests))
        whole = idle + metrics + million * requests / MILLION
        months[strategy] = Month(strategy, idle, metrics, million, whole)
    return months


def summary(environment: Environment) -> str:
    """Summarize in two lines what the environment costs."""
    idle = idle_costs(environment)
    largest = ", ".join(f"{line.item} ${line.dollars:.2f}" for line in idle[:4])
    million = total(cost_per_million(environment))
    region = price("lambda.request", environment.region).region
    return (
        f"{environment.name} costs about ${total(idle):.2f} a month when idle ({largest}, ...) and"
        f" ${million:.2f} for a million predictions,\nat prices of {table()['dated']} in {region}, without"
        f" tax and free tiers. Details: sentiment cost --env {environment.name}"
    )


def _database(environment: Environment) -> list[Line]:
    region = environment.region
    times = price("rds.multi_az_factor", region).dollars if environment.multi_az else 1
    zones = "in two zones" if environment.multi_az else "in one zone"
    hour = price(f"rds.single_az.db.{environment.database_class}", region).dollars
    storage = price("rds.gp3_gb_month", region).dollars * environment.database_storage_gb
    records = MONITORING_RECORD_BYTES * 60 * HOURS_PER_MONTH * times / 1e9
    return [
        Line("database", hour * HOURS_PER_MONTH * times, f"db.{environment.database_class} {zones}"),
        Line(
            "database storage",
            storage * times,
            f"{environment.database_storage_gb} GB gp3 {zones}; the same amount of backups is free",
        ),
        Line(
            "database monitoring",
            price("logs.ingested_gb", region).dollars * records,
            f"one record of about {MONITORING_RECORD_BYTES:,} bytes per minute (assumed)",
        ),
    ]


def _endpoints(environment: Environment) -> Line:
    services = ["SNS", "Secrets Manager"] + ["Step Functions"] * (environment.on_drift == "retrain")
    count = len(services) * environment.endpoint_zones
    hour = price("vpc.interface_endpoint_hour", environment.region).dollars
    why = f"{' and '.join(services)}, each in {environment.endpoint_zones} of the zones; no NAT"
    return Line("endpoints", hour * HOURS_PER_MONTH * count, why)


def _start(environment: Environment) -> Line:
    """Return the monthly cost of provisioned instances or snapshots."""
    gigabytes = environment.api_memory_mb / 1024
    seconds = HOURS_PER_MONTH * 3600
    if environment.start == "snapstart":
        cached = price("lambda.snapstart_cached_gb_second", environment.region).dollars
        why = f"{SNAPSHOTS} versions of {environment.api_memory_mb:,} MB are cached"
        return Line("snapshots", cached * gigabytes * seconds * SNAPSHOTS, why)
    share, count = provisioned_share(environment), environment.provisioned_instances
    kept = price(f"lambda.{environment.architecture}.provisioned_gb_second", environment.region).dollars
    why = f"{count} of {environment.api_memory_mb:,} MB for {share * 24:.0f} hours per day"
    return Line("provisioned instances", kept * gigabytes * seconds * share * count, why)


def _training(environment: Environment, schedule: str) -> Line:
    """Return the most that scheduled runs can cost; a cron expression counts as one run per month."""
    match = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", schedule)
    hours = int(match[1]) * (24 if match[2] == "day" else 1) if match else HOURS_PER_MONTH
    runs = HOURS_PER_MONTH / hours
    cap = environment.training_max_dollars
    return Line("scheduled training", runs * cap, f"at most: {runs:.1f} runs, each stopped at ${cap:.2f}")
