import json
import logging
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.models import DatasetMetric, PredictionLog
from sentiment.exceptions import DatabaseError
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from functions.log_writer.handler import engine, handler
from functions.migrations import handler as migrations
from local.postgres.server import running_postgres
from tests.fixtures.messages import failed, feedback, prediction, sqs_event, traffic

EVENTS = Path(__file__).parents[2] / "events"


def stored(database: Engine) -> dict[Any, PredictionLog]:
    with Session(database) as session:
        return {row.id: row for row in session.scalars(select(PredictionLog))}


def test_stores_every_field_of_a_prediction(database: Engine) -> None:
    made = prediction()

    assert failed(handler(sqs_event([made]), None)) == []

    row = stored(database)[made.prediction_id]
    for field in set(type(made).model_fields) - {"type", "prediction_id"}:
        assert getattr(row, field) == getattr(made, field), field
    assert row.feedback_label is None


def test_a_hashed_text_is_stored_as_null(database: Engine) -> None:
    made = prediction(text=None, deployment_id=None)
    assert failed(handler(sqs_event([made]), None)) == []
    assert stored(database)[made.prediction_id].text is None


def test_traffic_counts_are_stored_once_per_span(database: Engine) -> None:
    counted = traffic()
    corrected = counted.model_copy(update={"server_errors": 3})

    assert failed(handler(sqs_event([counted, prediction()]), None)) == []
    assert failed(handler(sqs_event([corrected]), None)) == []

    with Session(database) as session:
        row = session.scalars(select(DatasetMetric)).one()
    assert (row.dataset, row.split, row.rows) == ("api_traffic", "window", 100)
    assert row.metrics["server_errors"] == 3
    assert row.metrics["requests"] == 120


def test_storing_the_same_fact_again_changes_nothing(database: Engine) -> None:
    made = prediction()
    again = made.model_copy(update={"sentiment": "negative"})

    assert failed(handler(sqs_event([made, again]), None)) == []
    assert failed(handler(sqs_event([again]), None)) == []

    assert {row.sentiment for row in stored(database).values()} == {"positive"}


def test_feedback_is_stored_even_before_its_prediction_in_one_batch(database: Engine) -> None:
    made = prediction()
    given = feedback(made.prediction_id)

    assert failed(handler(sqs_event([given, made]), None)) == []

    row = stored(database)[made.prediction_id]
    assert (row.feedback_label, row.feedback_comment, row.feedback_at) == (
        given.label,
        given.comment,
        given.given_at,
    )


def test_feedback_that_arrives_before_its_prediction_is_retried(database: Engine) -> None:
    early, other = prediction(), prediction()
    given = feedback(early.prediction_id)

    assert failed(handler(sqs_event([given, other]), None)) == ["m0"]
    handler(sqs_event([early]), None)
    assert failed(handler(sqs_event([given]), None)) == []

    assert stored(database)[early.prediction_id].feedback_label == "negative"


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_the_latest_feedback_counts_in_any_order_of_arrival(database: Engine, in_one_batch: bool) -> None:
    made = prediction()
    first = feedback(made.prediction_id, label="negative")
    later = first.model_copy(update={"label": "positive", "given_at": first.given_at + timedelta(seconds=1)})
    handler(sqs_event([made]), None)

    for batch in [[later, first]] if in_one_batch else [[later], [first]]:
        assert failed(handler(sqs_event(batch), None)) == []

    assert stored(database)[made.prediction_id].feedback_label == "positive"


@pytest.mark.parametrize(
    "poison",
    ["", "not json", "[]", '{"type": "prediction_made"}', '{"type": "unheard_of"}', '{"prediction_id": 7}'],
)
def test_a_poison_message_fails_alone(database: Engine, poison: str) -> None:
    made = prediction()
    assert failed(handler(sqs_event([poison, made]), None)) == ["m0"]
    assert set(stored(database)) == {made.prediction_id}


def test_a_batch_of_only_poison_messages_is_reported_message_by_message(database: Engine) -> None:
    assert failed(handler(sqs_event(["x", "y"]), None)) == ["m0", "m1"]


def test_rows_that_postgres_rejects_fail_alone(database: Engine) -> None:
    messages = [prediction(characters=3_000_000_000 if number in (3, 40) else 10) for number in range(64)]

    assert failed(handler(sqs_event(messages), None)) == ["m3", "m40"]

    assert len(stored(database)) == 62


def test_text_with_a_nul_character_is_stored(database: Engine) -> None:
    made = prediction(text="zero \0 width")
    given = feedback(made.prediction_id, comment="a \0 comment")

    assert failed(handler(sqs_event([made, given]), None)) == []

    row = stored(database)[made.prediction_id]
    assert (row.text, row.feedback_comment) == ("zero \ufffd width", "a \ufffd comment")


def test_sql_in_a_text_is_stored_as_text(database: Engine) -> None:
    hostile = "'); DROP TABLE prediction_logs; -- \\ \" $$ :rows %s {} \u2028 😀"
    made = prediction(text=hostile, correlation_id=hostile, probabilities={hostile: 1.0})
    assert failed(handler(sqs_event([made]), None)) == []
    row = stored(database)[made.prediction_id]
    assert (row.text, row.correlation_id, row.probabilities) == (hostile, hostile, {hostile: 1.0})


def test_the_whole_batch_is_retried_if_postgres_is_unavailable(
    database: Engine, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("DATABASE_PORT", str(unused_port))
    with pytest.raises(DatabaseError, match=f"127.0.0.1:{unused_port}"):
        handler(sqs_event([prediction(), "poison"]), None)


def test_the_whole_batch_is_retried_if_the_schema_is_missing(empty_database: Engine) -> None:
    with pytest.raises(DatabaseError, match=r'relation "prediction_logs" does not exist \(42P01\)'):
        handler(sqs_event([prediction()]), None)


def test_a_connection_that_postgres_closed_in_between_is_replaced(database: Engine) -> None:
    handler(sqs_event([prediction()]), None)
    with database.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        connection.execute(text(others + " AND datname = current_database()"))

    assert failed(handler(sqs_event([prediction()]), None)) == []

    assert len(stored(database)) == 2


def test_no_text_of_a_user_is_logged(
    database: Engine, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "words-that-nobody-may-log"
    broken = prediction(text=secret).model_dump_json().replace('"tokens":12', f'"tokens":"{secret}"')
    refused = prediction(text=secret, characters=3_000_000_000)
    orphan = feedback(prediction().prediction_id, comment=secret)

    fine = prediction(text=secret)

    assert failed(handler(sqs_event([broken, refused, orphan, fine]), None)) == ["m0", "m1", "m2"]

    output = capsys.readouterr()
    logged = str([vars(record) for record in caplog.records])
    assert "prediction_not_found" in logged
    assert secret not in logged + output.out + output.err


@pytest.mark.parametrize("event", sorted(EVENTS.glob("sqs_*.json")), ids=lambda path: path.stem)
def test_the_example_events_are_stored(database: Engine, event: Path) -> None:
    assert failed(handler(json.loads(event.read_text()), None)) == []
    assert len(stored(database)) > 0


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "transformers", "pandas", "numpy", "alembic", "mlflow"]
    code = f"import sys, functions.log_writer.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.slow
def test_no_message_is_lost_or_duplicated_when_postgres_is_killed(
    database: Engine, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small SQS: unacknowledged messages are delivered again, and some acknowledged ones, too."""
    with running_postgres(server_folder, password="of-this-test") as server:
        for variable, value in server.environment().items():
            monkeypatch.setenv(variable, value)
        migrations.handler({"action": "upgrade"}, None)
        messages = [prediction() for _ in range(10_000)]
        queue = [message.model_dump_json() for message in messages]
        queue += queue[::50]  # SQS delivers at least once
        outages, progress = 0, threading.Event()

        def pull_the_plug() -> None:
            for _ in range(3):
                progress.wait()
                server.kill()
                progress.clear()
                server.start()

        saboteur = threading.Thread(target=pull_the_plug)
        saboteur.start()
        batches = 0
        while queue:
            batch, queue = queue[:250], queue[250:]
            batches += 1
            if batches % 10 == 0:
                progress.set()
            try:
                response = handler(sqs_event(batch), None)
            except DatabaseError:
                outages += 1
                queue += batch
            else:
                queue += [batch[int(message_id[1:])] for message_id in failed(response)]
        progress.set()
        saboteur.join()
        with Session(engine()) as session:
            rows = session.scalar(select(func.count()).select_from(PredictionLog))
            ids = set(session.scalars(select(PredictionLog.id)))
        engine().dispose()
        migrations.engine().dispose()

    assert outages > 0
    assert rows == 10_000
    assert ids == {message.prediction_id for message in messages}
