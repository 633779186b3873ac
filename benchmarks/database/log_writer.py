"""Measures how many predictions per second the log writer's handler stores in a real Postgres.

Run as `python -m benchmarks.database.log_writer`. The batch sizes alternate, so that a busy moment of the
machine affects all of them and the baseline: SQLAlchemy's multi-row insert with one parameter per value,
without the handler and its parsing. Postgres is durable (fsync on). Creating the messages is not measured.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uuid_utils
from aws_lambda_powertools.utilities.typing import LambdaContext
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sentiment.messages import PredictionMade
from sqlalchemy.dialects.postgresql import insert

from functions.log_writer import handler as log_writer
from functions.migrations import handler as migrations
from local.postgres.server import running_postgres

RESULT = Path("artifacts/bench/log_writer.json")
BATCH_SIZES = (10, 100, 500, 1000)
MESSAGES = 4000  # per batch size and repeat
REPEATS = 5
TARGET_RATE = 2000  # predictions per second that the log writer must store
REVIEW = "A film that takes its time, and yours, and gives both back with interest. " * 17  # 238 words


def make_predictions(count: int) -> list[PredictionMade]:
    """Create predictions as the API does, of reviews with IMDB's median length."""
    return [
        PredictionMade(
            prediction_id=UUID(int=uuid_utils.uuid7().int),
            text=REVIEW,
            input_hash="0f" * 32,
            characters=len(REVIEW),
            tokens=291,
            truncated=True,
            sentiment="positive",
            confidence=0.97,
            probabilities={"negative": 0.03, "positive": 0.97},
            inference_time_ms=12.5,
            model_version="20261123-1a2b3c4d",
            correlation_id="6f0c1f0e-0a51-4f0f-9d52-0f6a3f1f7c11",
            predicted_at=datetime.now(UTC),
        )
        for _ in range(count)
    ]


def through_the_handler(event: dict[str, Any]) -> None:
    """Store an SQS event; raises RuntimeError if a message was not stored."""
    if failures := log_writer.handler(event, LambdaContext())["batchItemFailures"]:
        raise RuntimeError(f"{len(failures)} messages were not stored")


def value_by_value(rows: list[dict[str, Any]]) -> None:
    """Store rows with one parameter per value."""
    with transaction(log_writer.engine()) as session:
        session.execute(insert(PredictionLog).values(rows).on_conflict_do_nothing())


def as_event(predictions: list[PredictionMade]) -> dict[str, Any]:
    """Wrap predictions as SQS delivers them."""
    bodies = [prediction.model_dump_json() for prediction in predictions]
    records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
    return {"Records": [{**record, "eventSource": "aws:sqs"} for record in records]}


def as_rows(predictions: list[PredictionMade]) -> list[dict[str, Any]]:
    """Convert predictions to column values."""
    rows = [prediction.model_dump(exclude={"type"}) for prediction in predictions]
    return [{"id": row.pop("prediction_id"), **row} for row in rows]


def rate(store: Callable[[Any], None], wrap: Callable[[list[PredictionMade]], Any], size: int) -> float:
    """Return how many predictions per second `store` stores in batches of that size."""
    batches = [wrap(make_predictions(size)) for _ in range(MESSAGES // size)]
    started = time.perf_counter()
    for batch in batches:
        store(batch)
    return len(batches) * size / (time.perf_counter() - started)


def measure() -> dict[str, list[float]]:
    """Return predictions stored per second by contender, one rate per repeat."""
    through_the_handler(as_event(make_predictions(1)))  # connect, and compile the statement
    rates: dict[str, list[float]] = {}
    for _ in track(range(REPEATS), description="Storing predictions"):
        for size in BATCH_SIZES:
            rates.setdefault(f"handler, batches of {size}", []).append(
                rate(through_the_handler, as_event, size)
            )
        rates.setdefault("one parameter per value, batches of 500", []).append(
            rate(value_by_value, as_rows, 500)
        )
    return rates


def main() -> None:
    """Measure, print a table and write the rates to artifacts/bench/log_writer.json."""
    os.environ["POWERTOOLS_LOG_LEVEL"] = "WARNING"
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder), password=os.urandom(16).hex()) as server,
    ):
        os.environ.update(server.environment())
        migrations.handler({"action": "upgrade"}, LambdaContext())
        rates = measure()
        log_writer.engine().dispose()
        migrations.engine().dispose()
    table = Table("contender", "median", "least", "most", title="Predictions stored per second")
    for name, values in rates.items():
        table.add_row(name, *(f"{of(values):,.0f}" for of in (statistics.median, min, max)))
    Console().print(table)
    reached = statistics.median(rates["handler, batches of 100"])
    Console().print(f"{reached:,.0f}/s in batches of 100; target: {TARGET_RATE:,}/s")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"unit": "predictions/s", "reach": TARGET_RATE, "rates": rates}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
