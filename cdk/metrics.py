"""CloudWatch metrics that alarms and the dashboard share."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from cdk.environments import Environment

MINUTE = cdk.Duration.minutes(1)  # the shortest period that Lambda and SQS report
FIVE_MINUTES = cdk.Duration.minutes(5)
HOUR = cdk.Duration.hours(1)
DAY = cdk.Duration.days(1)


def service_metric(
    environment: Environment,
    name: str,
    statistic: str,
    *,
    service: str = "api",
    period: cdk.Duration = FIVE_MINUTES,
) -> cloudwatch.Metric:
    """Return a metric that a function publishes in its log, under its folder's name as `service`."""
    return cloudwatch.Metric(
        namespace=environment.namespace,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=period,
        label=f"{name} {statistic}",
    )


def function_errors(function: lambda_.IFunction, period: cdk.Duration = FIVE_MINUTES) -> cloudwatch.Metric:
    """Return how many invocations crashed or timed out."""
    return function.metric_errors(period=period, statistic="Sum")


def queue_depth(queue: sqs.IQueue, period: cdk.Duration = FIVE_MINUTES) -> cloudwatch.Metric:
    """Return how many messages wait in a queue."""
    return queue.metric_approximate_number_of_messages_visible(period=period, statistic="Maximum")
