"""The size of one prediction in bytes: log lines, response, message, Postgres row, Parquet row.

`benchmarks.scale --measure` runs it. Real IMDB reviews (median 227 tokens) go through the real handlers into
a real Postgres. The monthly storage, logs and costs at any rate are computed from these figures.
"""

import contextlib
import io
import os
import tempfile
from pathlib import Path
from statistics import mean

import pyarrow as pa
import pyarrow.parquet as parquet
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.limits import MAX_CHARACTERS
from sentiment.messages import PredictionMade
from sqlalchemy import text as sql

from benchmarks.database.log_writer import as_event, as_rows, make_predictions, through_the_handler
from benchmarks.serving.models import MODELS, build
from benchmarks.serving.our_handler import load_handler
from benchmarks.serving.queue_stub import start_queue_stub
from cdk.costs.usage import BYTES_PER_LOG_EVENT
from functions.log_writer import handler as log_writer
from functions.migrations import handler as migrations
from local.postgres.server import running_postgres
from training.config import configure
from training.data.sources import read

REQUESTS = 200
ROWS = 10_000
BATCH = 500
# The lines that Lambda itself logs per invocation.
PLATFORM_LINES = (
    "START RequestId: 00000000-0000-0000-0000-000000000000 Version: 12",
    "END RequestId: 00000000-0000-0000-0000-000000000000",
    "REPORT RequestId: 00000000-0000-0000-0000-000000000000\tDuration: 11.03 ms\tBilled Duration: 12 ms\t"
    "Memory Size: 1769 MB\tMax Memory Used: 250 MB\t",
)


def measure_volumes() -> dict[str, float]:
    """Return the bytes of one prediction, by where they are stored or sent."""
    texts = [text for text in read(configure()).texts if len(text) <= MAX_CHARACTERS]
    with tempfile.TemporaryDirectory() as folder:
        sizes = measure_requests(build(MODELS[0], Path(folder)).artifact, texts[:REQUESTS])
    return sizes | measure_rows(
        [
            made.model_copy(update={"text": text, "characters": len(text)})
            for made, text in zip(make_predictions(ROWS), texts, strict=False)
        ]
    )


def measure_requests(artifact: Path, texts: list[str]) -> dict[str, float]:
    """Return the mean bytes of log and response per request, with one request per text."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        predict = load_handler(artifact, start_queue_stub())
        from sentiment.logging import logger

        logger("api").setLevel("INFO")
        predict(texts[0])
        written.seek(0)
        written.truncate()
        responses = [predict(text) for text in texts]
    return {
        "log_bytes": billed_bytes(written.getvalue().splitlines()) / len(texts)
        + billed_bytes(PLATFORM_LINES),
        "response_bytes": mean(
            len(response["body"].encode())
            + sum(len(f"{key}: {value}\r\n") for key, value in response["headers"].items())
            for response in responses
        ),
    }


def billed_bytes(lines: tuple[str, ...] | list[str]) -> int:
    """Return the bytes that CloudWatch Logs bills for these lines."""
    return sum(len(line.encode()) + BYTES_PER_LOG_EVENT for line in lines)


def measure_rows(predictions: list[PredictionMade]) -> dict[str, float]:
    """Return the bytes of a message, a Postgres row with its indexes, and a Parquet row (zstd)."""
    count = len(predictions)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder), password=os.urandom(16).hex()) as server,
    ):
        os.environ.update(server.environment())
        migrations.handler({"action": "upgrade"}, LambdaContext())
        before = _table_bytes()
        for start in range(0, count, BATCH):
            through_the_handler(as_event(predictions[start : start + BATCH]))
        row_bytes = (_table_bytes() - before) / count
        log_writer.engine().dispose()
        migrations.engine().dispose()
    buffer = io.BytesIO()
    columns = [{key: str(value) for key, value in row.items()} for row in as_rows(predictions)]
    parquet.write_table(pa.Table.from_pylist(columns), buffer, compression="zstd")
    return {
        "message_bytes": mean(len(made.model_dump_json().encode()) for made in predictions),
        "row_bytes": row_bytes,
        "parquet_bytes": buffer.tell() / count,
    }


def _table_bytes() -> int:
    sizes = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('prediction_logs')"
    with log_writer.engine().connect() as connection:
        return int(connection.execute(sql(sizes)).scalar_one())
