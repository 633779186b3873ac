"""Time and memory of `GET /reports/review` on 100,000 stored predictions.

Run as `python -m benchmarks.database.review_queue`. The texts are the embedded reviews, repeated with
exchanged words, in a real Postgres. Every fiftieth is labeled, half of those against the prediction. The
function runs in a separate process, whose peak memory is reported. Storing the rows is not measured.
"""

import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from aws_lambda_powertools.utilities.typing import LambdaContext
from rich.console import Console
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sentiment.limits import MAX_CHARACTERS
from sentiment.messages import FeedbackGiven, PredictionMade
from sqlalchemy import Engine

from functions.migrations import handler as migrations
from functions.reports import handler as reports
from local.postgres.server import running_postgres
from training.config import configure
from training.data.sources import read

RESULT = Path("artifacts/bench/review_queue.json")
ROWS, BATCH, REPEATS = 100_000, 1000, 9
SECONDS_APART = 20  # so that all of them are within the look-back
MAXIMUM_SECONDS, MAXIMUM_MB = 1.0, 512
REQUEST = Path("events/reports_review.json")


def make_predictions(now: datetime) -> Iterator[PredictionMade]:
    """Make predictions of different texts, with values distributed like a served model's."""
    rng = random.Random(0)
    texts = [text for source in ("imdb", "rotten_tomatoes") for text in read(configure(source=source)).texts]
    for number in range(ROWS):
        words = texts[number % len(texts)][:MAX_CHARACTERS].split(" ")
        for _ in range(0 if number < len(texts) else 1 + len(words) // 40):
            words[rng.randrange(len(words))] = rng.choice(words)
        text, confidence = " ".join(words), 0.5 + rng.betavariate(5, 1) / 2
        at = now - timedelta(seconds=SECONDS_APART * (ROWS - number))
        sentiment = rng.choice(("negative", "positive"))
        other = {"negative": "positive", "positive": "negative"}[sentiment]
        yield PredictionMade(
            prediction_id=UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number),
            text=text,
            input_hash=hashlib.sha256(text.encode()).hexdigest(),
            characters=len(text),
            tokens=len(words),
            truncated=False,
            sentiment=sentiment,
            confidence=confidence,
            probabilities={sentiment: confidence, other: 1 - confidence},
            inference_time_ms=12.5,
            model_version="20261123-1a2b3c4d",
            correlation_id="6f0c1f0e-0a51-4f0f-9d52-0f6a3f1f7c11",
            predicted_at=at,
            novelty=rng.gammavariate(40, 1 / 40),
        )


def seed(engine: Engine) -> None:
    """Store predictions and labels."""
    now = datetime.now(UTC)
    made = make_predictions(now)
    for _ in range(ROWS // BATCH):
        batch = [next(made) for _ in range(BATCH)]
        given = [
            FeedbackGiven(
                prediction_id=prediction.prediction_id,
                label="positive",
                correlation_id="6f0c1f0e-0a51-4f0f-9d52-0f6a3f1f7c11",
                given_at=now,
            )
            for prediction in batch[::50]
        ]
        with transaction(engine) as session:
            store_predictions(session, batch)
            store_feedback(session, given)
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE prediction_logs")


def measure() -> dict[str, Any]:
    """Call the handler and return its times and this process's peak memory."""
    request = json.loads(REQUEST.read_text())
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        response = reports.handler(request, LambdaContext())
        seconds.append(time.perf_counter() - started)
    items = json.loads(response["body"])["items"]
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    reasons = sorted({reason["reason"] for item in items for reason in item["reasons"]})
    return {"seconds": seconds, "megabytes": megabytes, "items": len(items), "reasons": reasons}


def main() -> None:
    """Measure, print, and write the results to artifacts/bench/review_queue.json."""
    if "--measure" in sys.argv:
        print(json.dumps(measure()))
        return
    os.environ["POWERTOOLS_LOG_LEVEL"] = "WARNING"
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder), password=os.urandom(16).hex()) as server,
    ):
        os.environ.update(server.environment())
        migrations.handler({"action": "upgrade"}, LambdaContext())
        with Console().status(f"Storing {ROWS:,} predictions"):
            seed(migrations.engine())
        command = [sys.executable, "-m", "benchmarks.database.review_queue", "--measure"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        migrations.engine().dispose()
    result = json.loads(run.stdout.splitlines()[-1])
    median, slowest = statistics.median(result["seconds"]), max(result["seconds"])
    Console().print(
        f"{ROWS:,} predictions: {median:.2f} s (slowest of {REPEATS}: {slowest:.2f} s; limit "
        f"{MAXIMUM_SECONDS} s), {result['megabytes']:.0f} MB (limit {MAXIMUM_MB} MB), "
        f"{result['items']} items, {', '.join(result['reasons'])}",
        highlight=False,
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"rows": ROWS, **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
