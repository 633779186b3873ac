"""The demonstration: train on real reviews, serve held-out ones through the Lambda handler, prove them kept.

Every figure of the report is measured in this run, except those of training when its artefact was still up
to date; nothing is passed over: a check that fails fails the demonstration.
"""

import json
import math
import random
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from rich.console import Console
from rich.progress import track
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sentiment.exceptions import SentimentError
from sqlalchemy import select

from local.aws import count_messages
from local.gateway import invoke_api
from local.lambda_runtime import EmulatedFunction
from local.processes import wait_until
from local.report import print_report
from local.settings import LocalSettings
from local.steps import Steps
from local.system import System, running_system

MOST_CHARACTERS = 5_000  # the API's limit for one text
SINGLES, BATCH, FEEDBACK = 200, 64, 20
STORE_SECONDS = 60.0
SAMPLE_ROWS = 6
EXPLAINED = "The plot is thin, but the acting is superb and I loved every minute of it."


class DemoError(SentimentError):
    """A check of the demonstration failed."""

    code: ClassVar[str] = "demo_failed"


@dataclass(frozen=True)
class Review:
    """A held-out review and the label that people gave it."""

    text: str
    label: str


@dataclass
class Answers:
    """What the API said."""

    predictions: list[tuple[Review, dict[str, Any]]]
    latencies_ms: list[float]  # of single predictions through the whole handler, the first (cold) one aside
    batch_ms: float = 0.0
    explain_ms: float = 0.0
    words: Sequence[Mapping[str, Any]] = ()
    feedback: int = 0


def run_demo(
    settings: LocalSettings, console: Console, *, artifacts: Path, singles: int = SINGLES
) -> dict[str, Any]:
    """Run the whole demonstration, print its report and write it to `artifacts/demo`; return the report.

    Raises TrainingError, and DemoError naming the checks that failed (the report is written all the same).
    """
    steps = Steps(console)
    started = time.perf_counter()
    reused = _train(artifacts, steps)
    reviews = held_out_reviews(artifacts / "model", singles + BATCH)
    with running_system(settings.demo_folder, steps, model_dir=artifacts / "model") as system:
        with steps.step(f"send {len(reviews)} held-out reviews", spinner=False):
            answers = send(system, reviews, console)
        with steps.step("wait until all are stored"):
            stored = stored_rows(system, [UUID(answer["prediction_id"]) for _, answer in answers.predictions])
        report = make_report(system, answers, stored, reused=reused)
    report["seconds"] = {name: round(seconds, 2) for name, seconds in steps.seconds.items()}
    report["total_seconds"] = round(time.perf_counter() - started, 1)
    folder = artifacts / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    print_report(report, console, svg=folder / "report.svg", json_path=folder / "report.json")
    if failed := [name for name, held in report["checks"].items() if not held]:
        raise DemoError(f"the demonstration failed: {'; '.join(failed)} (see {folder / 'report.json'})")
    return report


def held_out_reviews(model_dir: Path, count: int) -> list[Review]:
    """Return that many reviews the model was not trained on, always the same ones for the same artefact."""
    import pyarrow.parquet as parquet

    rows = parquet.read_table(model_dir / "reference.parquet", columns=["text", "label"]).to_pylist()
    usable = [
        Review(row["text"], row["label"]) for row in rows if 0 < len(row["text"].strip()) <= MOST_CHARACTERS
    ]
    random.Random(0).shuffle(usable)  # noqa: S311
    return usable[:count]


def send(system: System, reviews: Sequence[Review], console: Console) -> Answers:
    """Send the last 64 reviews as one batch and the others one by one, then explain, then give feedback.

    Raises DemoError when the API refuses any of them.
    """
    singles, batch = reviews[:-BATCH], reviews[-BATCH:]
    answers = Answers([], [])
    for number, review in enumerate(track(singles, "reviews one by one", console=console, transient=True)):
        answer, milliseconds = _ask(system, "POST", "/predict", {"text": review.text})
        answers.predictions.append((review, answer))
        if number == 0:  # the cold start, which is measured on its own
            system.check_health()
        else:
            answers.latencies_ms.append(milliseconds)
    answer, answers.batch_ms = _ask(
        system, "POST", "/predict/batch", {"texts": [review.text for review in batch]}
    )
    if refused := [result["error"] for result in answer["results"] if "error" in result]:
        raise DemoError(f"{len(refused)} of the batch were refused, the first with {refused[0]}")
    answers.predictions += zip(batch, answer["results"], strict=True)
    answer, answers.explain_ms = _ask(system, "POST", "/explain", {"text": EXPLAINED})
    answers.words = answer["words"]
    for review, answer in answers.predictions[:FEEDBACK]:
        _ask(system, "POST", f"/predictions/{answer['prediction_id']}/feedback", {"label": review.label})
        answers.feedback += 1
    return answers


def stored_rows(system: System, ids: Sequence[UUID]) -> list[PredictionLog]:
    """Wait until these predictions and the feedback are stored, at most a minute; return what is there."""

    def read() -> list[PredictionLog]:
        with transaction(system.engine) as session:
            rows = session.scalars(select(PredictionLog).where(PredictionLog.id.in_(ids))).all()
            session.expunge_all()
            return list(rows)

    wait_until(lambda: len(read()) == len(ids), seconds=STORE_SECONDS, pause_seconds=0.1)
    system.source.drain(STORE_SECONDS)
    return read()


def make_report(
    system: System, answers: Answers, stored: Iterable[PredictionLog], *, reused: bool
) -> dict[str, Any]:
    """Put together what was measured; the keys are documented in docs/demo-report.md."""
    rows = {str(row.id): row for row in stored}
    served = {answer["prediction_id"]: (review, answer) for review, answer in answers.predictions}
    same = sum(
        (row.characters, row.sentiment, row.confidence, row.deployment_id)
        == (len(review.text.strip()), answer["sentiment"], answer["confidence"], system.deployment_id)
        for identifier, (review, answer) in served.items()
        if (row := rows.get(identifier))
    )
    right = sum(answer["sentiment"] == review.label for review, answer in served.values())
    feedback = sum(row.feedback_label is not None for row in rows.values())
    waiting = count_messages(system.aws.client("sqs"), system.aws.queue_url)
    card = system.card
    return {
        "model": {
            "version": card["model_version"],
            "reused": reused,
            "training_seconds": card["training"]["seconds"],
            "train_rows": card["data"]["rows"]["train"],
            "max_length": card["max_length"],
            "truncation": card["truncation"],
            "data": card["data"]["name"],
        },
        "accuracy": {
            "rows": card["metrics"]["rows"],
            "fp32": card["metrics"]["fp32"]["accuracy"],
            "int8": card["metrics"]["int8"]["accuracy"],
            "int8_ci95": card["metrics"]["int8"].get("accuracy_ci95"),
            "flipped": card["metrics"]["flipped"],
            "live": right / len(served),
            "live_rows": len(served),
        },
        "latency_ms": {
            **percentiles(answers.latencies_ms),
            "single_requests": len(answers.latencies_ms),
            "batch_of_64": round(answers.batch_ms, 1),
            "explain": round(answers.explain_ms, 1),
        },
        "lambda": {
            "runtime": "emulator" if isinstance(system.api, EmulatedFunction) else "in process",
            "cold_start_ms": _rounded(system.api.cold_start_ms),
            "peak_memory_mb": _rounded(system.api.peak_memory_mb()),
            "log_writer_peak_memory_mb": _rounded(system.log_writer.peak_memory_mb()),
        },
        "stored": {
            "served": len(served),
            "predictions": len(rows),
            "feedback_given": answers.feedback,
            "feedback": feedback,
            "still_queued": waiting,
            "sample": [
                _sample(row, served[identifier][0]) for identifier, row in list(rows.items())[:SAMPLE_ROWS]
            ],
        },
        "explained": {"text": EXPLAINED, "words": [dict(word) for word in answers.words]},
        "checks": {
            "every served prediction is stored": rows.keys() == served.keys(),
            "what is stored is what was answered": same == len(served),
            "all feedback is stored": feedback == answers.feedback,
            "no message is left in the queue": waiting == 0,
            "live accuracy fits the held-out accuracy": right / len(served)
            > _least_accuracy(card, len(served)),
        },
        "state_folder": str(system.folder),
    }


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {f"p{percent}": round(cuts[percent - 1], 1) for percent in (50, 95, 99)}


def _train(artifacts: Path, steps: Steps) -> bool:
    """Train the quick model unless the artefact is what training would make again; return whether it was."""
    from training.config import configure
    from training.pipeline import current_artifact, run
    from training.progress import RichProgress

    config = configure(quick=True, artifacts=artifacts)
    with steps.step("look for an up-to-date model"):
        if current_artifact(config):
            return True
    with steps.step("train, export and register", spinner=False), RichProgress(steps.console) as progress:
        run(config, progress)
    return False


def _ask(system: System, method: str, path: str, payload: Mapping[str, Any]) -> tuple[Any, float]:
    status, answer, milliseconds = invoke_api(system.api, method, path, payload)
    if status not in (200, 202):
        raise DemoError(f"{method} {path} answered {status}: {answer}")
    return answer, milliseconds


def _least_accuracy(card: Mapping[str, Any], rows: int) -> float:
    """Return four standard errors below the held-out accuracy: less is no accident but a broken path."""
    accuracy = float(card["metrics"]["int8"]["accuracy"])
    return accuracy - 4 * math.sqrt(max(accuracy * (1 - accuracy), 0.01) / rows)


def _sample(row: PredictionLog, review: Review) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "text": " ".join((row.text or "").split())[:60],
        "sentiment": row.sentiment,
        "confidence": round(row.confidence, 3),
        "label": review.label,
        "feedback": row.feedback_label,
        "inference_time_ms": round(row.inference_time_ms, 1),
        "predicted_at": row.predicted_at.isoformat(timespec="seconds"),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
