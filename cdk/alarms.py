"""How everything that watches tells people: one alarm, one topic, one place in the runbook."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

RUNBOOK = "docs/operations.md"


def runbook(scope: Construct) -> str:
    """Return where the runbook is: its address where the context names the repository, else its path."""
    repository = scope.node.try_get_context("repository_url")
    return f"{str(repository).rstrip('/')}/blob/HEAD/{RUNBOOK}" if repository else RUNBOOK


def alarm(
    scope: Construct,
    id: str,
    *,
    metric: cloudwatch.IMetric,
    threshold: float,
    what: str,
    anchor: str,
    topic: sns.ITopic,
    periods: int = 1,
    below: bool = False,
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
) -> cloudwatch.Alarm:
    """Make an alarm that rings when the metric has been at or over the threshold for so many periods.

    With `below` it rings at or under it. `what` is the sentence that people read, `anchor` the runbook's
    heading. The topic also hears of the end.
    """
    made = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        comparison_operator=(
            cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
            if below
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        treat_missing_data=missing,
        alarm_description=f"{what} Runbook: {runbook(scope)}#{anchor}",
    )
    action = actions.SnsAction(topic)
    made.add_alarm_action(action)
    made.add_ok_action(action)
    return made


def each_minute(metric: cloudwatch.Metric, statistic: str) -> cloudwatch.Metric:
    """Return the metric by the minute, which is as fast as Lambda and SQS report."""
    return metric.with_(period=cdk.Duration.minutes(1), statistic=statistic)
