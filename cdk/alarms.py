"""Alarms: each notifies the alert topic and names the heading of the runbook that says what to do."""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

RUNBOOK = "docs/operations.md"


class AlarmSpec(NamedTuple):
    """One alarm: it fires once the metric has been at or over the threshold for `periods` periods.

    With `below` it fires at or under the threshold. `description` is the sentence in the notification,
    `anchor` the runbook's heading.
    """

    id: str
    metric: cloudwatch.IMetric
    threshold: float
    description: str
    anchor: str
    periods: int = 1
    below: bool = False
    missing_data: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


def runbook(scope: Construct) -> str:
    """Return the runbook's URL if the context names the repository, otherwise its path."""
    repository = scope.node.try_get_context("repository_url")
    return f"{str(repository).rstrip('/')}/blob/HEAD/{RUNBOOK}" if repository else RUNBOOK


def add_alarms(scope: Construct, topic: sns.ITopic, specs: Sequence[AlarmSpec]) -> list[cloudwatch.Alarm]:
    """Make the alarms; each notifies the topic when it fires and when it recovers."""
    group = Construct(scope, "Alarms")
    return [_alarm(group, topic, spec) for spec in specs]


def _alarm(scope: Construct, topic: sns.ITopic, spec: AlarmSpec) -> cloudwatch.Alarm:
    alarm = cloudwatch.Alarm(
        scope,
        spec.id,
        metric=spec.metric,
        threshold=spec.threshold,
        evaluation_periods=spec.periods,
        comparison_operator=(
            cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
            if spec.below
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        treat_missing_data=spec.missing_data,
        alarm_description=f"{spec.description} Runbook: {runbook(scope)}#{spec.anchor}",
    )
    action = actions.SnsAction(topic)
    alarm.add_alarm_action(action)
    alarm.add_ok_action(action)
    return alarm
