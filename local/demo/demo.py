"""The demo: train on real reviews, serve held-out ones, check that all are stored, and detect drift.

Every metric of the report is measured in this run, except those of training if the model was reused. A failed
check fails the demo.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from rich.console import Console
from rich.progress import track
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sentiment.exceptions import SentimentError
from sentiment.limits import MAX_CHARACTERS, MAX_TEXTS
from sqlalchemy import select

from local.demo.drift import MONITOR_SETTINGS, delete_alerts, demonstrate_drift
from local.demo.quick_model import train_quick
from local.demo.report import Measurements, make_report
from local.demo.view import print_report
from local.drift_lab.shifts import SHIFTS
from local.processes import HOST, free_port, wait_until
from local.progress import Steps
from local.reviews import Review
from local.settings import LocalSettings
from local.stand_ins.gateway import invoke_api
from local.stand_ins.slack import running_slack
from local.system import System, running_system

SINGLES, BATCH, FEEDBACK = 200, MAX_TEXTS, 20
HOURS, HOUR_TEXTS = 2, 250  # of shifted traffic; an alert needs drift in two runs
STORE_SECONDS = 60.0
EXPLAINED = "The plot is thin, but the acting is superb and I loved every minute of it."


class DemoError(SentimentError):
    """A check of the demo failed."""

    code: ClassVar[str] = "demo_failed"


def run_demo(settings: LocalSettings, console: Console, *, artifacts: Path, singles: int) -> dict[str, Any]:
    """Train unless the model is up to date, then run the demo; raises DemoError and training errors."""
    steps = Steps(console)
    reused = train_quick(artifacts, steps)
    return demonstrate(settings, steps, artifacts=artifacts, reused=reused, singles=singles)


def demonstrate(
    settings: LocalSettings,
    steps: Steps,
    *,
    artifacts: Path,
    reused: bool,
    singles: int = SINGLES,
    batch: int = BATCH,
    monitor_settings: Mapping[str, str] = MONITOR_SETTINGS,
) -> dict[str, Any]:
    """Serve held-out reviews and shifted traffic; print, write (to `artifacts/demo`) and return the report.

    Raises DemoError that names the failed checks, after the report is written.
    """
    reviews = held_out_reviews(artifacts / "model", singles + batch)
    hours = shifted_hours(HOURS, HOUR_TEXTS)
    port = free_port()  # of the gateway, for the links in alerts
    folder = artifacts / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        running_slack() as slack,
        running_system(
            settings.demo_folder,
            steps,
            model_dir=artifacts / "model",
            slack_webhook_url=slack.url,
            monitor_settings={**monitor_settings, "REPORTS_URL": f"http://{HOST}:{port}"},
        ) as system,
    ):
        delete_alerts(system)
        began = datetime.now(UTC)
        with steps.step(f"send {len(reviews)} held-out reviews", spinner=False):
            measurements = send(system, reviews[:-batch], reviews[-batch:], steps.console)
        with steps.step("wait until all are stored"):
            counted = system.traffic_counter.count()
            measurements.counted = counted.predictions if counted else 0
            stored = stored_rows(
                system, [UUID(response["prediction_id"]) for _, response in measurements.predictions]
            )
        report = make_report(system, measurements, stored, reused=reused)
        report["drift"] = demonstrate_drift(
            system,
            slack,
            steps,
            unshifted_since=began,
            hours=hours,
            page=folder / "drift-report.html",
            port=port,
        )
    report["checks"] |= report["drift"].pop("checks")
    report["seconds"] = {name: round(seconds, 2) for name, seconds in steps.seconds.items()}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print_report(report, steps.console, svg=folder / "report.svg", json_path=folder / "report.json")
    raise_failed_checks(report, folder / "report.json")
    return report


def raise_failed_checks(report: Mapping[str, Any], path: Path) -> None:
    """Raise DemoError that names the failed checks of a report, if any."""
    if failed := [name for name, passed in report["checks"].items() if not passed]:
        raise DemoError(f"the demo failed: {'; '.join(failed)} (see {path})")


def held_out_reviews(model_dir: Path, count: int) -> list[Review]:
    """Return reviews that the model was not trained on, the same ones for the same artifact."""
    import pyarrow.parquet as parquet

    rows = parquet.read_table(model_dir / "reference.parquet", columns=["text", "label"]).to_pylist()
    usable = [
        Review(row["text"], row["label"]) for row in rows if 0 < len(row["text"].strip()) <= MAX_CHARACTERS
    ]
    random.Random(0).shuffle(usable)  # noqa: S311
    return usable[:count]


def shifted_hours(hours: int, texts: int) -> list[list[str]]:
    """Return hours of shifted traffic: one-line reviews from another site, all different."""
    lines = SHIFTS["rotten_tomatoes"].window([], hours * texts, random.Random(0))  # noqa: S311
    return [[line.text for line in lines[start : start + texts]] for start in range(0, len(lines), texts)]


def send(
    system: System, singles: Sequence[Review], batch: Sequence[Review], console: Console
) -> Measurements:
    """Send single reviews and a batch, request an explanation, and give feedback.

    Raises DemoError when the API returns an error.
    """
    measurements = Measurements([], [])
    for number, review in enumerate(track(singles, "reviews one by one", console=console, transient=True)):
        response, milliseconds = _request(system, "POST", "/predict", {"text": review.text})
        measurements.predictions.append((review, response))
        if number == 0:  # the cold start, which is measured separately
            system.check_health()
        else:
            measurements.latencies_ms.append(milliseconds)
    response, measurements.batch_ms = _request(
        system, "POST", "/predict/batch", {"texts": [review.text for review in batch]}
    )
    if errors := [result["error"] for result in response["results"] if "error" in result]:
        raise DemoError(f"{len(errors)} texts of the batch failed, the first with {errors[0]}")
    measurements.batch_texts = len(batch)
    measurements.predictions += zip(batch, response["results"], strict=True)
    response, measurements.explain_ms = _request(system, "POST", "/explain", {"text": EXPLAINED})
    measurements.explained = {
        "text": EXPLAINED,
        "sentiment": response["sentiment"],
        "words": response["words"],
    }
    for review, response in measurements.predictions[:FEEDBACK]:
        path = f"/predictions/{response['prediction_id']}/feedback"
        _request(system, "POST", path, {"label": review.label})
        measurements.feedback += 1
    return measurements


def stored_rows(system: System, ids: Sequence[UUID]) -> list[PredictionLog]:
    """Wait at most a minute until these predictions and the feedback are stored; return the stored rows."""

    def read() -> list[PredictionLog]:
        with transaction(system.engine) as session:
            rows = session.scalars(select(PredictionLog).where(PredictionLog.id.in_(ids))).all()
            session.expunge_all()
            return list(rows)

    wait_until(lambda: len(read()) == len(ids), seconds=STORE_SECONDS, pause_seconds=0.1)
    system.event_source.drain(STORE_SECONDS)
    return read()


def _request(system: System, method: str, path: str, payload: Mapping[str, Any]) -> tuple[Any, float]:
    status, response, milliseconds = invoke_api(system.api, method, path, payload)
    if status not in (200, 202):
        raise DemoError(f"{method} {path} returned {status}: {response}")
    return response, milliseconds
