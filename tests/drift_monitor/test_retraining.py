"""When a training is started, with which data, and when it is not."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sqlalchemy import Engine

from functions.drift_monitor.retraining import RetrainingPolicy, start_retraining
from tests.drift_monitor.conftest import Aws
from tests.fixtures.messages import feedback, prediction

NOW = datetime.now(UTC).replace(microsecond=0)
TRAINED = NOW - timedelta(days=30)


@pytest.fixture
def policy(aws: Aws) -> RetrainingPolicy:
    return RetrainingPolicy(aws.state_machine, aws.bucket, cooldown=timedelta(hours=168), minimum_labels=20)


def label(database: Engine, count: int, *, text: str | None = "A film", at: datetime = NOW) -> None:
    """Store predictions that were labeled at `at`."""
    made = [
        prediction(at - timedelta(hours=1), text=text and f"{text}, part {number}\nof many")
        for number in range(count)
    ]
    given = [feedback(one.prediction_id, label="negative", given_at=at) for one in made]
    with transaction(database) as session:
        store_predictions(session, made)
        store_feedback(session, given)


def start(database: Engine, policy: RetrainingPolicy, *, at: datetime = NOW) -> str:
    with transaction(database) as session:
        return start_retraining(session, policy, at=at, reason="data_drift of v1", model_created_at=TRAINED)


def test_the_training_gets_every_labeled_text_and_the_reason(
    database: Engine, aws: Aws, policy: RetrainingPolicy
) -> None:
    label(database, 5, text="An older film", at=TRAINED - timedelta(days=1))
    label(database, 20)

    assert start(database, policy) == f"started as drift-{NOW:%Y%m%dT%H%M%S} with 25 labeled texts"

    (execution,) = aws.step_functions.list_executions(stateMachineArn=aws.state_machine)["executions"]
    described = aws.step_functions.describe_execution(executionArn=execution["executionArn"])
    given = json.loads(described["input"])
    key = f"training/feedback/{NOW:%Y%m%dT%H%M%SZ}.csv"
    assert given == {"extra_data_uri": f"s3://{aws.bucket}/{key}", "reason": "data_drift of v1"}
    content = aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read().decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == 25 and set(rows[0]) == {"text", "label"}
    assert {"text": "A film, part 19\nof many", "label": "negative"} in rows


def test_labels_older_than_the_last_training_are_not_new(
    database: Engine, aws: Aws, policy: RetrainingPolicy
) -> None:
    label(database, 19)
    label(database, 50, at=TRAINED - timedelta(days=1))
    assert start(database, policy) == "not started: 19 of 20 required new labeled texts"
    assert aws.executions() == []


def test_labels_without_a_stored_text_do_not_count_and_the_message_says_so(
    database: Engine, aws: Aws, policy: RetrainingPolicy
) -> None:
    label(database, 30, text=None)
    assert start(database, policy) == (
        "not started: 0 of 20 required new labeled texts; 30 more labels have no stored text (privacy mode)"
    )


def test_no_second_training_begins_within_the_cooldown(
    database: Engine, aws: Aws, policy: RetrainingPolicy
) -> None:
    label(database, 20)
    start(database, policy)
    label(database, 20, at=NOW + timedelta(hours=100))  # the execution began by the real clock
    result = start(database, policy, at=NOW + timedelta(hours=167))
    assert result.startswith("not started: the last training began at ") and result.endswith(
        "cool-down of 168 h"
    )
    assert start(database, policy, at=NOW + timedelta(hours=169)).startswith("started as drift-")


def test_a_training_started_by_hand_counts(database: Engine, aws: Aws, policy: RetrainingPolicy) -> None:
    label(database, 20, at=NOW - timedelta(hours=2))
    aws.step_functions.start_execution(stateMachineArn=aws.state_machine, name="by-hand")
    result = start(database, policy, at=NOW + timedelta(hours=200))
    assert result == "not started: 0 of 20 required new labeled texts"


def test_a_failed_training_does_not_count_and_is_not_repeated_every_hour(
    database: Engine, aws: Aws, policy: RetrainingPolicy
) -> None:
    label(database, 20)
    start(database, policy)
    (execution,) = aws.step_functions.list_executions(stateMachineArn=aws.state_machine)["executions"]
    aws.step_functions.stop_execution(executionArn=execution["executionArn"])

    result = start(database, policy, at=NOW + timedelta(hours=1))
    assert "ended as ABORTED; fix the cause, the next attempt is after 24 h" in result
    assert start(database, policy, at=NOW + timedelta(hours=25)).startswith("started as drift-")


def test_repeating_a_run_starts_nothing_twice(database: Engine, aws: Aws, policy: RetrainingPolicy) -> None:
    label(database, 20)
    start(database, policy)
    start(database, policy)
    assert len(aws.executions()) == 1
