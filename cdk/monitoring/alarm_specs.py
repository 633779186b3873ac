"""The alarms of the monitoring stack: on the drift monitor, traffic counter, storage, and notifications.

Alarms that roll a release back are in cdk/serving/releases.py.
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk.alarms import AlarmSpec
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.metrics import DAY, FIVE_MINUTES, HOUR, function_errors, queue_depth, service_metric
from cdk.serving.releases import Releases

GIBIBYTE = 1024**3


def drift_alarm_specs(
    environment: Environment, monitor: lambda_.IFunction, dead_letters: sqs.IQueue
) -> list[AlarmSpec]:
    """Return the alarms on the drift monitor itself, and on the missing predictions that it counts."""
    return [
        AlarmSpec(
            "DriftMonitorErrors",
            function_errors(monitor),
            1,
            "The drift monitor failed.",
            "drift-monitor-failed",
        ),
        AlarmSpec(
            "DriftMonitorFailures",
            service_metric(environment, "MonitorFailures", "Sum", service="drift_monitor"),
            1,
            "The drift monitor could not judge a window.",
            "drift-monitor-failed",
        ),
        _missed_runs(
            "DriftMonitorMissedRuns",
            monitor,
            cdk.Duration.hours(environment.drift_every_hours),
            "The drift monitor has not run when it was due.",
            "drift-monitor-silent",
        ),
        AlarmSpec(
            "DriftMonitorDeadLetters",
            queue_depth(dead_letters),
            1,
            "A run of the drift monitor failed after its retries; its event is in the dead-letter queue.",
            "drift-monitor-silent",
        ),
        AlarmSpec(
            "MissingPredictions",
            # Counted once a day, so the alarm stays active until the next day's count.
            service_metric(environment, "MissingPredictions", "Maximum", service="drift_monitor", period=DAY),
            1,
            "Predictions were answered but are not stored.",
            "missing-predictions",
        ),
    ]


def traffic_alarm_specs(
    environment: Environment, counter: lambda_.IFunction, dead_letters: sqs.IQueue
) -> list[AlarmSpec]:
    """Return the alarms on the traffic counter, and on the daily comparison with the stored rows."""
    counts = counter.metric_invocations(period=DAY, statistic="Sum")
    compared = service_metric(
        environment, "MissingPredictions", "SampleCount", service="drift_monitor", period=DAY
    )
    return [
        AlarmSpec(
            "TrafficCounterDeadLetters",
            queue_depth(dead_letters),
            1,
            "An hour of traffic could not be counted.",
            "traffic-not-counted",
        ),
        _missed_runs(
            "TrafficCounterMissedRuns",
            counter,
            HOUR,
            "The traffic counter has not run when it was due.",
            "traffic-not-counted",
        ),
        AlarmSpec(
            "MissedReconciliations",
            cloudwatch.MathExpression(
                # A day with nearly all its hours counted should have been compared, even the first. SUM skips
                # missing points, and FILL could not fill a comparison that was never made: it has none.
                expression="IF(counts > 20, SUM([compared, 0 * counts]), 1)",
                using_metrics={"counts": counts, "compared": compared},
                period=DAY,
                label="comparisons",
            ),
            0,
            "Answered and stored predictions have not been compared for two days.",
            "missing-predictions",
            periods=2,
            below=True,
        ),
    ]


def storage_alarm_specs(environment: Environment, database: rds.IDatabaseInstance) -> list[AlarmSpec]:
    """Return the alarms on Postgres, and on records that went to S3 because SQS refused them."""
    return [
        AlarmSpec(
            "DatabaseBusy",
            database.metric_cpu_utilization(period=FIVE_MINUTES),
            80,
            "Postgres has used at least 80% of its CPU for 15 minutes.",
            "database-busy",
            periods=3,
        ),
        AlarmSpec(
            "DatabaseMemory",
            database.metric_freeable_memory(period=FIVE_MINUTES),
            0.05 * GIBIBYTE,
            "Postgres has had little free memory for 15 minutes.",
            "database-busy",
            periods=3,
            below=True,
        ),
        AlarmSpec(
            "DatabaseConnections",
            database.metric_database_connections(period=FIVE_MINUTES, statistic="Maximum"),
            60,  # the smallest instance allows about 80
            "Postgres has at least 60 connections, more than its capped clients open.",
            "database-connections",
            periods=2,
        ),
        AlarmSpec(
            "DatabaseFull",
            database.metric_free_storage_space(period=FIVE_MINUTES, statistic="Minimum"),
            2 * GIBIBYTE,
            "Postgres has less than 2 GiB of free storage and may have reached its maximum size.",
            "database-full",
            periods=3,
            below=True,
        ),
        AlarmSpec(
            "UnsentRecords",
            service_metric(environment, "UnsentRecords", "Sum"),
            1,
            "SQS refused records; they are in S3 until `sentiment replay` sends them.",
            "unsent-records",
        ),
    ]


def function_alarm_specs(data: DataStack, releases: Releases) -> list[AlarmSpec]:
    """Return the alarms on `migrations`, `registrar` and `release_check`."""
    return [
        AlarmSpec(
            "MigrationsErrors",
            function_errors(data.migrations),
            1,
            "The daily maintenance of the tables failed; without it, expired rows are not deleted.",
            "migrations-failed",
        ),
        AlarmSpec(
            "RegistrarErrors",
            function_errors(data.registrar),
            1,
            "The registrar failed: a training or a release was not recorded.",
            "registrar-failed",
        ),
        AlarmSpec(
            "ReleaseCheckErrors",
            function_errors(releases.check),
            1,
            "The release check failed: it rejected a release, or did not record one that was rolled back.",
            "release-refused",
        ),
        AlarmSpec(
            "ReleaseCheckDeadLetters",
            queue_depth(releases.check_dead_letters),
            1,
            "A rolled-back release was not recorded: predictions have the wrong deployment id.",
            "registrar-failed",
        ),
    ]


def notification_alarm_specs(topic: sns.ITopic, slack_dead_letters: sqs.IQueue | None) -> list[AlarmSpec]:
    """Return the alarms on undelivered notifications, which reach the other subscribers."""
    failed = cloudwatch.Metric(
        namespace="AWS/SNS",
        metric_name="NumberOfNotificationsFailed",
        dimensions_map={"TopicName": topic.topic_name},
        statistic="Sum",
        period=FIVE_MINUTES,
    )
    alarm_specs = [
        AlarmSpec(
            "FailedNotifications",
            failed,
            1,
            "A notification could not be delivered to one of the subscribers.",
            "alerts-undelivered",
        )
    ]
    if slack_dead_letters:
        alarm_specs.append(
            AlarmSpec(
                "SlackDeadLetters",
                queue_depth(slack_dead_letters),
                1,
                "Notifications that Slack refused are in the dead-letter queue.",
                "alerts-undelivered",
            )
        )
    return alarm_specs


def _missed_runs(
    id: str, function: lambda_.IFunction, period: cdk.Duration, description: str, anchor: str
) -> AlarmSpec:
    """Return an alarm on a scheduled function that did not run, or has never run since its deployment."""
    runs = function.metric_invocations(period=period, statistic="Sum")
    return AlarmSpec(
        id,
        cloudwatch.MathExpression(
            # A period without a run has no point; as a zero, it is detected immediately.
            expression="FILL(runs, 0)",
            using_metrics={"runs": runs},
            period=period,
            label="runs",
        ),
        0,
        description,
        anchor,
        periods=2,
        below=True,
        missing_data=cloudwatch.TreatMissingData.BREACHING,  # without any run, there is nothing to fill
    )
