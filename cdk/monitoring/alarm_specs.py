"""What rings an alarm beside the releases of the API, with the sentence people read and its runbook place."""

from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.monitoring.dashboard import FIVE_MINUTES, figure
from cdk.serving.releases import Releases

GIBIBYTE = 1024**3
DAY = cdk.Duration.days(1)


class AlarmSpec(NamedTuple):
    """One alarm, as cdk/alarms.py takes it."""

    id: str
    metric: cloudwatch.IMetric
    threshold: float
    what: str
    anchor: str
    periods: int = 1
    below: bool = False
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


def drift_alarm_specs(
    environment: Environment, monitor: lambda_.IFunction, not_run: sqs.IQueue
) -> list[AlarmSpec]:
    """Watch the watcher: it fails, cannot judge, does not run, or was given up on; and what it counts."""
    return [
        AlarmSpec(
            "DriftFailed",
            _errors(monitor),
            1,
            "The drift monitor fails.",
            "drift-monitor-failed",
        ),
        AlarmSpec(
            "DriftNotJudged",
            figure(environment, "MonitorFailures", "Sum", service="drift_monitor"),
            1,
            "The drift monitor could not judge a window.",
            "drift-monitor-failed",
        ),
        _silence(
            "DriftSilent",
            monitor,
            cdk.Duration.hours(environment.drift_every_hours),
            "The drift monitor has not run when it was due.",
            "drift-monitor-silent",
        ),
        AlarmSpec(
            "DriftGivenUp",
            _waiting(not_run),
            1,
            "A run of the drift monitor was given up.",
            "drift-monitor-silent",
        ),
        AlarmSpec(
            "MissingPredictions",
            # Compared once a day, so it rings until the next day's comparison.
            figure(environment, "MissingPredictions", "Maximum", service="drift_monitor", period=DAY),
            1,
            "Predictions that the API answered are not stored.",
            "missing-predictions",
        ),
    ]


def traffic_alarm_specs(
    environment: Environment, counter: lambda_.IFunction, not_counted: sqs.IQueue
) -> list[AlarmSpec]:
    """Watch what is counted, and that it is compared with what is stored."""
    counts = counter.metric_invocations(period=DAY, statistic="Sum")
    compared = figure(environment, "MissingPredictions", "SampleCount", service="drift_monitor", period=DAY)
    return [
        AlarmSpec(
            "TrafficGivenUp",
            _waiting(not_counted),
            1,
            "An hour of traffic could not be counted.",
            "traffic-not-counted",
        ),
        _silence(
            "TrafficSilent",
            counter,
            cdk.Duration.hours(1),
            "The traffic counter has not run when it was due.",
            "traffic-not-counted",
        ),
        AlarmSpec(
            "NotReconciled",
            cloudwatch.MathExpression(
                # A day that counted nearly all its hours was there to be compared, the first one too. The sum
                # leaves out what has no point, as a comparison that was never made has none to be filled.
                expression="IF(counts > 20, SUM([compared, 0 * counts]), 1)",
                using_metrics={"counts": counts, "compared": compared},
                period=DAY,
                label="comparisons",
            ),
            0,
            "What was answered has not been compared with what is stored for two days.",
            "missing-predictions",
            periods=2,
            below=True,
        ),
    ]


def storage_alarm_specs(environment: Environment, database: rds.IDatabaseInstance) -> list[AlarmSpec]:
    """Watch where predictions are kept, and the way around it."""
    return [
        AlarmSpec(
            "DatabaseBusy",
            database.metric_cpu_utilization(period=FIVE_MINUTES),
            80,
            "Postgres has used over 80% of its CPU for a quarter of an hour.",
            "database-busy",
            periods=3,
        ),
        AlarmSpec(
            "DatabaseMemory",
            database.metric_freeable_memory(period=FIVE_MINUTES),
            0.05 * GIBIBYTE,
            "Postgres has little memory left.",
            "database-busy",
            periods=3,
            below=True,
        ),
        AlarmSpec(
            "DatabaseConnections",
            database.metric_database_connections(period=FIVE_MINUTES, statistic="Maximum"),
            60,  # the smallest instance takes about 80
            "Postgres has at least 60 connections, more than its capped clients open.",
            "database-connections",
            periods=2,
        ),
        AlarmSpec(
            "DatabaseFull",
            database.metric_free_storage_space(period=FIVE_MINUTES, statistic="Minimum"),
            2 * GIBIBYTE,
            "Postgres has under 2 GiB of storage left, and may have grown as far as it is allowed to.",
            "database-full",
            periods=3,
            below=True,
        ),
        AlarmSpec(
            "Unsent",
            figure(environment, "UnsentRecords", "Sum"),
            1,
            "The queue refused facts, which wait in S3 until they are replayed.",
            "unsent-records",
        ),
    ]


def function_alarm_specs(data: DataStack, releases: Releases) -> list[AlarmSpec]:
    """Watch the functions that keep the schema, the registry, and the gate of releases."""
    return [
        AlarmSpec(
            "MigrationsFailed",
            _errors(data.migrations),
            1,
            "The daily upkeep of the tables fails; without it rows outlive their retention.",
            "migrations-failed",
        ),
        AlarmSpec(
            "RegistrarFailed",
            _errors(data.registrar),
            1,
            "The registrar fails: a training or a release is not on record.",
            "registrar-failed",
        ),
        AlarmSpec(
            "ReleaseCheckFailed",
            _errors(releases.check),
            1,
            "The release check fails: a release is refused, or one that was given up is not on record.",
            "release-refused",
        ),
        AlarmSpec(
            "ReturnNotRecorded",
            _waiting(releases.not_recorded),
            1,
            "A release was given up, which nobody wrote down: predictions name the wrong deployment.",
            "registrar-failed",
        ),
    ]


def delivery_alarm_specs(topic: sns.ITopic, not_told: sqs.IQueue | None) -> list[AlarmSpec]:
    """Watch the ways to people; one that is broken is told of by the others."""
    failed = cloudwatch.Metric(
        namespace="AWS/SNS",
        metric_name="NumberOfNotificationsFailed",
        dimensions_map={"TopicName": topic.topic_name},
        statistic="Sum",
        period=FIVE_MINUTES,
    )
    alarm_specs = [
        AlarmSpec(
            "Undelivered",
            failed,
            1,
            "An alert could not be delivered to one of its subscribers.",
            "alerts-undelivered",
        )
    ]
    if not_told:
        alarm_specs.append(
            AlarmSpec(
                "SlackNotTold",
                _waiting(not_told),
                1,
                "Alerts that Slack did not take wait in a queue.",
                "alerts-undelivered",
            )
        )
    return alarm_specs


def _silence(id: str, function: lambda_.IFunction, period: cdk.Duration, what: str, anchor: str) -> AlarmSpec:
    """Watch that a scheduled function runs, from the deployment on: one that never ran rings too."""
    runs = function.metric_invocations(period=period, statistic="Sum")
    return AlarmSpec(
        id,
        cloudwatch.MathExpression(
            # A period without a run has no point, and is noticed at once as a zero.
            expression="FILL(runs, 0)",
            using_metrics={"runs": runs},
            period=period,
            label="runs",
        ),
        0,
        what,
        anchor,
        periods=2,
        below=True,
        missing=cloudwatch.TreatMissingData.BREACHING,  # there is nothing to fill when it never ran
    )


def _errors(function: lambda_.IFunction) -> cloudwatch.Metric:
    return function.metric_errors(period=FIVE_MINUTES, statistic="Sum")


def _waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
