"""Starts the training state machine when the policy says so: with enough new labels, and not again too soon.

What people labelled goes along as a file of texts and labels. What training makes of it (repeated texts, rows
that the test split holds) is training's to check.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import boto3
from sentiment.database.labels import count_unreadable_labels, labelled_texts
from sqlalchemy.orm import Session

from functions.drift_monitor.report_storage import s3
from functions.drift_monitor.settings import DriftMonitorSettings

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

PREFIX = "training/feedback"
COUNTS = ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE")  # a training that failed is none
RETRY_AFTER = timedelta(hours=24)  # but its cause is seldom gone within the hour, and each try costs


@dataclass(frozen=True)
class Policy:
    """How often a training may start, and how many new labels make it worthwhile."""

    state_machine_arn: str
    bucket: str
    cooldown: timedelta
    minimum_labels: int

    @classmethod
    def of(cls, settings: DriftMonitorSettings) -> "Policy":
        """Return what the settings say."""
        return cls(
            str(settings.state_machine_arn),
            settings.report_bucket,
            timedelta(hours=settings.retrain_cooldown_hours),
            settings.retrain_minimum_labels,
        )


@cache
def step_functions() -> "SFNClient":
    """Make the client once."""
    return boto3.client("stepfunctions")


def start_retraining(
    session: Session, policy: Policy, *, at: datetime, reason: str, model_created_at: datetime | None
) -> str:
    """Start a training with all labelled texts, if there are enough since the last one; return what was done.

    Whoever started the last one, it counts; without any, the model's own date does. Repeating a run starts
    nothing twice: the execution is named after the run's time.
    """
    newest = next(_executions(policy.state_machine_arn), None)
    last = next((e for e in _executions(policy.state_machine_arn) if e["status"] in COUNTS), None)
    if last is not None and last["startDate"] > at - policy.cooldown:
        hours = policy.cooldown / timedelta(hours=1)
        return f"not started: one began at {_minute(last['startDate'])}, within the cool-down of {hours:g} h"
    if newest is not None and newest["status"] not in COUNTS and newest["startDate"] > at - RETRY_AFTER:
        return (
            f"not started: the one of {_minute(newest['startDate'])} ended as {newest['status']}; mend that, "
            f"it is tried again after {RETRY_AFTER / timedelta(hours=1):g} h"
        )
    since = model_created_at if last is None else last["startDate"]
    rows = list(labelled_texts(session))
    new = sum(since is None or row.given_at > since for row in rows)
    if new < policy.minimum_labels:
        unreadable = count_unreadable_labels(session)
        unread = (
            f" ({unreadable:,} more have no stored text: the privacy mode keeps none)" if unreadable else ""
        )
        return f"not started: {new:,} new labelled texts{unread}, it takes {policy.minimum_labels:,}"
    key = f"{PREFIX}/{at:%Y%m%dT%H%M%SZ}.csv"
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    writer.writerows((row.text, row.label) for row in rows)
    s3().put_object(Bucket=policy.bucket, Key=key, Body=file.getvalue().encode(), ContentType="text/csv")
    return _start(policy, f"s3://{policy.bucket}/{key}", rows=len(rows), at=at, reason=reason)


def _start(policy: Policy, uri: str, *, rows: int, at: datetime, reason: str) -> str:
    name = f"drift-{at:%Y%m%dT%H%M%S}"
    client = step_functions()
    try:
        client.start_execution(
            stateMachineArn=policy.state_machine_arn,
            name=name,
            input=json.dumps({"extra_data_uri": uri, "reason": reason}),
        )
    except client.exceptions.ExecutionAlreadyExists:
        return f"started before as {name}"
    return f"started as {name} with {rows:,} labelled texts"


def _executions(state_machine_arn: str) -> "Iterator[ExecutionListItemTypeDef]":
    """Yield the executions, the one that began last first."""
    pages = step_functions().get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn)
    for page in pages:
        yield from page["executions"]


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
