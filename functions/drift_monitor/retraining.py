"""Starts the training state machine: if there are enough new labels, and not again within the cool-down.

Labeled texts are passed along as a CSV file. Training itself checks it (repeated texts, rows of the test
split).
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
from sentiment.database.feedback import count_unreadable_labels, labeled_texts
from sqlalchemy.orm import Session

from functions.drift_monitor.report_storage import s3
from functions.drift_monitor.settings import DriftMonitorSettings

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

PREFIX = "training/feedback"
COUNTED_STATUSES = ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE")  # a failed training does not count
RETRY_AFTER = timedelta(hours=24)  # after a failure, whose cause is rarely gone within an hour


@dataclass(frozen=True)
class RetrainingPolicy:
    """How often a training may start, and how many new labels it requires."""

    state_machine_arn: str
    bucket: str
    cooldown: timedelta
    minimum_labels: int

    @classmethod
    def of(cls, settings: DriftMonitorSettings) -> "RetrainingPolicy":
        """Return the policy that the settings describe."""
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
    session: Session,
    policy: RetrainingPolicy,
    *,
    at: datetime,
    reason: str,
    model_created_at: datetime | None,
) -> str:
    """Start a training with all labeled texts if enough are new; return what was done, or why nothing was.

    Labels are new if they are newer than the last training, whoever started it, or else than the model.
    Repeating a run starts no second training, because the execution is named after the run's time.
    """
    newest = next(_executions(policy.state_machine_arn), None)
    last = next((e for e in _executions(policy.state_machine_arn) if e["status"] in COUNTED_STATUSES), None)
    if last is not None and last["startDate"] > at - policy.cooldown:
        hours = policy.cooldown / timedelta(hours=1)
        return (
            f"not started: the last training began at {_minute(last['startDate'])}, within the cool-down of "
            f"{hours:g} h"
        )
    if (
        newest is not None
        and newest["status"] not in COUNTED_STATUSES
        and newest["startDate"] > at - RETRY_AFTER
    ):
        return (
            f"not started: the training of {_minute(newest['startDate'])} ended as {newest['status']}; fix "
            f"the cause, the next attempt is after {RETRY_AFTER / timedelta(hours=1):g} h"
        )
    since = model_created_at if last is None else last["startDate"]
    rows = list(labeled_texts(session))
    new = sum(since is None or row.given_at > since for row in rows)
    if new < policy.minimum_labels:
        unreadable = count_unreadable_labels(session)
        without_text = (
            f"; {unreadable:,} more labels have no stored text (privacy mode)" if unreadable else ""
        )
        return f"not started: {new:,} of {policy.minimum_labels:,} required new labeled texts{without_text}"
    key = f"{PREFIX}/{at:%Y%m%dT%H%M%SZ}.csv"
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    writer.writerows((row.text, row.label) for row in rows)
    s3().put_object(Bucket=policy.bucket, Key=key, Body=file.getvalue().encode(), ContentType="text/csv")
    return _start(policy, f"s3://{policy.bucket}/{key}", rows=len(rows), at=at, reason=reason)


def _start(policy: RetrainingPolicy, uri: str, *, rows: int, at: datetime, reason: str) -> str:
    name = f"drift-{at:%Y%m%dT%H%M%S}"
    client = step_functions()
    try:
        client.start_execution(
            stateMachineArn=policy.state_machine_arn,
            name=name,
            input=json.dumps({"extra_data_uri": uri, "reason": reason}),
        )
    except client.exceptions.ExecutionAlreadyExists:
        return f"already started as {name}"
    return f"started as {name} with {rows:,} labeled texts"


def _executions(state_machine_arn: str) -> "Iterator[ExecutionListItemTypeDef]":
    """Yield the executions, newest first."""
    pages = step_functions().get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn)
    for page in pages:
        yield from page["executions"]


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
