"""Starts the training state machine when the policy says so, and not again while a training is fresh."""

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@cache
def step_functions() -> "SFNClient":
    """Make the client once."""
    return boto3.client("stepfunctions")


def start_retraining(state_machine_arn: str, *, at: datetime, cooldown: timedelta) -> str:
    """Start a training unless one began within the cool-down, whoever started it; return what was done.

    Repeating a run starts nothing twice: the execution is named after the run's time.
    """
    client = step_functions()
    listed = client.list_executions(stateMachineArn=state_machine_arn, maxResults=1)["executions"]
    if listed and (began := listed[0]["startDate"]) > at - cooldown:
        hours = cooldown / timedelta(hours=1)
        return f"not started: one began at {began:%Y-%m-%d %H:%M}, within the cool-down of {hours:g} h"
    name = f"drift-{at:%Y%m%dT%H%M%S}"
    try:
        client.start_execution(stateMachineArn=state_machine_arn, name=name, input="{}")
    except client.exceptions.ExecutionAlreadyExists:
        return f"started before as {name}"
    return f"started as {name}"
