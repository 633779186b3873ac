"""What rings an alarm beside the releases of the API, with the sentence people read and its runbook place."""

from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk.dashboard import FIVE_MINUTES, figure
from cdk.data import DataStack
from cdk.environments import Environment

GIBIBYTE = 1024**3


class Watch(NamedTuple):
    """One alarm, as cdk/alarms.py takes it."""

    id: str
    metric: cloudwatch.IMetric
    threshold: float
    what: str
    anchor: str
    periods: int = 1
    below: bool = False
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


def drift_watches(environment: Environment, monitor: lambda_.IFunction, not_run: sqs.IQueue) -> list[Watch]:
    """Watch the watcher: it fails, cannot judge, does not run, or was given up on."""
    period = cdk.Duration.hours(environment.drift_every_hours)
    runs = monitor.metric_invocations(period=period, statistic="Sum")
    return [
        Watch(
            "DriftFailed",
            _errors(monitor),
            1,
            "The drift monitor fails.",
            "drift-monitor-failed",
        ),
        Watch(
            "DriftNotJudged",
            figure("MonitorFailures", "Sum", service="drift_monitor"),
            1,
            "The drift monitor could not judge a window.",
            "drift-monitor-failed",
        ),
        Watch(
            "DriftSilent",
            cloudwatch.MathExpression(
                expression="FILL(runs, 0)", using_metrics={"runs": runs}, period=period, label="runs"
            ),
            0,
            "The drift monitor has not run when it was due.",
            "drift-monitor-silent",
            periods=2,
            below=True,
            # Before the first run nothing is missing, and a long silence must not end the alarm.
            missing=cloudwatch.TreatMissingData.IGNORE,
        ),
        Watch(
            "DriftGivenUp",
            _waiting(not_run),
            1,
            "A run of the drift monitor was given up.",
            "drift-monitor-silent",
        ),
    ]


def storage_watches(database: rds.IDatabaseInstance) -> list[Watch]:
    """Watch where predictions are kept, and the way around it."""
    return [
        Watch(
            "DatabaseBusy",
            database.metric_cpu_utilization(period=FIVE_MINUTES),
            80,
            "Postgres has used over 80% of its CPU for a quarter of an hour.",
            "database-busy",
            periods=3,
        ),
        Watch(
            "DatabaseMemory",
            database.metric_freeable_memory(period=FIVE_MINUTES),
            0.05 * GIBIBYTE,
            "Postgres has little memory left.",
            "database-busy",
            periods=3,
            below=True,
        ),
        Watch(
            "DatabaseConnections",
            database.metric_database_connections(period=FIVE_MINUTES, statistic="Maximum"),
            60,  # the smallest instance takes about 80
            "Postgres has at least 60 connections, more than its capped clients open.",
            "database-connections",
            periods=2,
        ),
        Watch(
            "DatabaseFull",
            database.metric_free_storage_space(period=FIVE_MINUTES, statistic="Minimum"),
            2 * GIBIBYTE,
            "Postgres has under 2 GiB of storage left, and may have grown as far as it is allowed to.",
            "database-full",
            periods=3,
            below=True,
        ),
        Watch(
            "Unsent",
            figure("UnsentRecords", "Sum"),
            1,
            "The queue refused facts, which wait in S3 until they are replayed.",
            "unsent-records",
        ),
    ]


def function_watches(data: DataStack) -> list[Watch]:
    """Watch the functions that keep the schema and the registry."""
    return [
        Watch(
            "MigrationsFailed",
            _errors(data.migrations),
            1,
            "The daily upkeep of the tables fails; without it rows outlive their retention.",
            "migrations-failed",
        ),
        Watch(
            "RegistrarFailed",
            _errors(data.registrar),
            1,
            "The registrar fails: a training or a release is not on record.",
            "registrar-failed",
        ),
    ]


def delivery_watches(topic: sns.ITopic, not_told: sqs.IQueue | None) -> list[Watch]:
    """Watch the ways to people; one that is broken is told of by the others."""
    failed = cloudwatch.Metric(
        namespace="AWS/SNS",
        metric_name="NumberOfNotificationsFailed",
        dimensions_map={"TopicName": topic.topic_name},
        statistic="Sum",
        period=FIVE_MINUTES,
    )
    watches = [
        Watch(
            "Undelivered",
            failed,
            1,
            "An alert could not be delivered to one of its subscribers.",
            "alerts-undelivered",
        )
    ]
    if not_told:
        watches.append(
            Watch(
                "SlackNotTold",
                _waiting(not_told),
                1,
                "Alerts that Slack did not take wait in a queue.",
                "alerts-undelivered",
            )
        )
    return watches


def _errors(function: lambda_.IFunction) -> cloudwatch.Metric:
    return function.metric_errors(period=FIVE_MINUTES, statistic="Sum")


def _waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
