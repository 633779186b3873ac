"""From training to a row in Postgres, through the real gateway, runtime, queue and database."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sentiment.exceptions import DatabaseError
from sentiment.messages import PredictionMade
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from local.processes import HOST, free_port, wait_until
from local.stand_ins.gateway import running_gateway
from local.stand_ins.lambda_runtime import Function, FunctionSpec, start_function
from local.stand_ins.moto_server import LocalAws, count_messages
from local.state import owned_state
from local.system import System

TEXT = "A superb film. I saw it twice."


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    with running_gateway(system.api) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def stored(system: System, identifier: str) -> PredictionLog | None:
    with transaction(system.engine) as session:
        row = session.get(PredictionLog, UUID(identifier))
        session.expunge_all()
        return row


def test_a_prediction_over_http_becomes_a_complete_row(system: System, client: httpx.Client) -> None:
    response = client.post(
        "/predict",
        json={"text": TEXT, "return_probabilities": True},
        headers={"x-correlation-id": "from-the-test"},
    )
    answer = response.json()
    assert response.status_code == 200
    assert answer["sentiment"] == "positive", "the pipeline should have learned this"
    assert wait_until(lambda: stored(system, answer["prediction_id"]) is not None, seconds=10)
    row = stored(system, answer["prediction_id"])
    assert row is not None
    assert (row.text, row.sentiment, row.confidence) == (TEXT, answer["sentiment"], answer["confidence"])
    assert row.probabilities == answer["probabilities"]
    assert row.model_version == answer["model_version"] == system.card["model_version"]
    assert row.deployment_id == system.deployment_id
    assert row.correlation_id == response.headers["x-correlation-id"] == "from-the-test"


def test_feedback_is_stored_with_its_prediction(system: System, client: httpx.Client) -> None:
    identifier = client.post("/predict", json={"text": TEXT}).json()["prediction_id"]
    response = client.post(
        f"/predictions/{identifier}/feedback", json={"label": "negative", "comment": "irony"}
    )
    assert response.status_code == 202

    def has_feedback() -> bool:
        row = stored(system, identifier)
        return row is not None and row.feedback_label == "negative" and row.feedback_comment == "irony"

    assert wait_until(has_feedback, seconds=10)


def test_errors_are_returned_through_the_gateway(client: httpx.Client) -> None:
    assert client.post("/predict", json={"text": "  "}).status_code == 422
    assert client.get("/nowhere").status_code == 404
    assert client.get("/docs").headers["content-type"].startswith("text/html")
    assert client.get("/health").json()["status"] == "ok"


# moto scans its whole queue on every call, so the queue is kept short, with fewer messages than the 10,000 of
# tests/log_writer, which kills Postgres without a queue.
MESSAGES = 600
MAXIMUM_QUEUED = 60


def test_no_prediction_is_lost_or_duplicated_when_postgres_is_killed(system: System) -> None:
    with transaction(system.engine) as session:
        before = session.scalar(select(func.count()).select_from(PredictionLog)) or 0
    sent: list[UUID] = []
    assert system.postgres is not None

    def progress() -> int:
        with transaction(system.engine) as session:
            return (session.scalar(select(func.count()).select_from(PredictionLog)) or 0) - before

    producer = threading.Thread(target=send_messages, args=(system.aws, sent))
    producer.start()
    assert wait_until(lambda: progress() > MESSAGES // 4, seconds=90, pause_seconds=0.1)
    system.postgres.kill()
    try:
        assert wait_until(lambda: not is_reachable(system), seconds=10)
        time.sleep(1)  # so that batches fail during the outage
    finally:
        system.postgres.start()
    producer.join()
    assert system.event_source.drain(120) == 0
    with transaction(system.engine) as session:
        ids = session.scalars(select(PredictionLog.id).where(PredictionLog.correlation_id == "flood")).all()
    assert len(ids) == MESSAGES
    assert set(ids) == set(sent)
    assert count_messages(system.aws.client("sqs"), system.aws.dead_letter_url) == 0


def is_reachable(system: System) -> bool:
    """Return whether Postgres responds; the backends of a killed server live a moment longer."""
    try:
        with transaction(system.engine) as session:
            return session.scalar(select(1)) == 1
    except DatabaseError:
        return False


def send_messages(aws: LocalAws, sent: list[UUID]) -> None:
    """Send distinct predictions, every tenth message twice, as SQS may; record their ids."""
    sqs = aws.client("sqs")
    while len(sent) < MESSAGES:
        messages = [flood_message() for _ in range(9)][: MESSAGES - len(sent)]
        bodies = [message.model_dump_json() for message in messages]
        bodies.append(bodies[0])
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        assert not sqs.send_message_batch(QueueUrl=aws.queue_url, Entries=entries).get("Failed")
        sent += [message.prediction_id for message in messages]
        wait_until(
            lambda: count_messages(sqs, aws.queue_url) < MAXIMUM_QUEUED, seconds=60, pause_seconds=0.05
        )


def flood_message() -> PredictionMade:
    return PredictionMade(
        prediction_id=uuid7(),
        text=TEXT,
        input_hash="0" * 64,
        characters=len(TEXT),
        tokens=9,
        truncated=False,
        sentiment="positive",
        confidence=0.9,
        probabilities={"negative": 0.1, "positive": 0.9},
        inference_time_ms=1.0,
        model_version="flood",
        correlation_id="flood",
        predicted_at=datetime.now(UTC),
    )


@pytest.fixture
def api_with(system: System, tmp_path: Any) -> Iterator[Any]:
    """Return a function that starts another API function with some variables changed."""
    started: list[Function] = []
    with owned_state(tmp_path) as state:

        def start(**changed: str) -> Function:
            environment = system.aws.environment() | {"MODEL_DIR": str(model_dir(system))} | changed
            started.append(
                start_function(FunctionSpec("api", "functions.api.handler.handler", environment), state)
            )
            return started[-1]

        yield start
        for function in started:
            function.close()


def model_dir(system: System) -> str:
    with transaction(system.engine) as session:
        from sentiment.database.deployments import active_deployment

        deployment = active_deployment(session)
        assert deployment is not None
        return deployment.artifact_uri.removeprefix("file://")


def post(function: Function, *texts: str) -> Sequence[httpx.Response]:
    with running_gateway(function) as url:
        return [httpx.post(f"{url}/predict", json={"text": text}, timeout=30) for text in texts]


def test_without_queue_and_fallback_there_is_no_prediction(api_with: Any) -> None:
    unused = f"http://{HOST}:{free_port()}"
    (response,) = post(api_with(AWS_ENDPOINT_URL=unused, QUEUE_URL=f"{unused}/0/predictions"), TEXT)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_stored"
    assert "sentiment" not in response.json()


def test_a_record_that_the_queue_rejects_is_stored_in_s3_and_replayed(
    system: System, api_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing_queue = f"{system.aws.queue_url}-gone"
    (response,) = post(api_with(QUEUE_URL=missing_queue), TEXT)
    assert response.status_code == 200
    identifier = response.json()["prediction_id"]
    s3 = system.aws.client("s3")
    (unsent,) = s3.list_objects_v2(Bucket=system.aws.bucket)["Contents"]
    body = s3.get_object(Bucket=system.aws.bucket, Key=unsent["Key"])["Body"].read()
    assert json.loads(body)["prediction_id"] == identifier
    assert stored(system, identifier) is None

    from typer.testing import CliRunner

    from cli.main import app

    for name, value in system.aws.environment().items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["replay"], catch_exceptions=False)
    assert "1 records sent" in result.output
    assert s3.list_objects_v2(Bucket=system.aws.bucket)["KeyCount"] == 0
    assert wait_until(lambda: stored(system, identifier) is not None, seconds=10)
