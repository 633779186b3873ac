"""Functions that run on a schedule; each event contains the time at which the run was due."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge_wildcards
from cdk.permissions import service_principal


class Schedules(Construct):
    """The schedules of a stack, with one role that can only invoke their functions."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.role = iam.Role(self, "Role", assumed_by=service_principal(self, "scheduler"))

    def add(
        self,
        id: str,
        function: lambda_.IFunction,
        schedule: scheduler.ScheduleExpression,
        *,
        description: str,
        dead_letter_queue: sqs.IQueue,
        max_age: cdk.Duration,
        **event: Any,
    ) -> scheduler.Schedule:
        """Invoke the function with `event` and `scheduled_at`.

        A run that could not be started within `max_age` goes to the dead-letter queue.
        """
        acknowledge_wildcards(
            self.role, {f"{function.function_arn}:*": "CDK's grant names the function's versions."}
        )
        target = targets.LambdaInvoke(
            function,
            role=self.role,
            # So a late or repeated run processes the period that it was due for.
            input=scheduler.ScheduleTargetInput.from_object(
                {**event, "scheduled_at": scheduler.ContextAttribute.scheduled_time}
            ),
            retry_attempts=3,
            max_event_age=max_age,
            dead_letter_queue=dead_letter_queue,
        )
        return scheduler.Schedule(self, id, description=description, schedule=schedule, target=target)
