"""What runs by the clock: functions that are called with the time at which they were meant to run."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge_wildcards


class Schedules(Construct):
    """The schedules of a stack, under one role that may call their functions and nothing else."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        account = cdk.Stack.of(self).account
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
            ),
        )

    def add(
        self,
        id: str,
        function: lambda_.IFunction,
        schedule: scheduler.ScheduleExpression,
        *,
        what: str,
        not_run: sqs.IQueue,
        within: cdk.Duration,
        **event: Any,
    ) -> scheduler.Schedule:
        """Call the function with `event` and `scheduled_at`; what fails for so long goes to `not_run`."""
        acknowledge_wildcards(
            self.role, {f"{function.function_arn}:*": "CDK's grant names the function's versions."}
        )
        target = targets.LambdaInvoke(
            function,
            role=self.role,
            # A late or repeated run does what it was meant for.
            input=scheduler.ScheduleTargetInput.from_object(
                {**event, "scheduled_at": scheduler.ContextAttribute.scheduled_time}
            ),
            retry_attempts=3,
            max_event_age=within,
            dead_letter_queue=not_run,
        )
        return scheduler.Schedule(self, id, description=what, schedule=schedule, target=target)
