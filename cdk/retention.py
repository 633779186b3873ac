"""How long logs are kept, and whether data outlives its stack."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.environments import Environment

RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def log_group(scope: Construct, id: str, environment: Environment, name: str | None = None) -> logs.LogGroup:
    """Make a log group with the environment's retention; it is deleted with its stack unless data is kept."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=RETENTIONS[environment.log_retention_days],
        removal_policy=removal_policy(environment),
    )


def removal_policy(environment: Environment) -> cdk.RemovalPolicy:
    """Return what happens to resources that hold data when their stack is destroyed."""
    return cdk.RemovalPolicy.RETAIN if environment.keep_data else cdk.RemovalPolicy.DESTROY
