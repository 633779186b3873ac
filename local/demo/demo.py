"""The demonstration: train on real reviews, serve held-out ones, prove them kept, and see traffic change.

Every figure of the report is measured in this run, except those of training when its artifact was still up
to date; nothing is passed over: a check that fails fails the demonstration.
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

from local.demo.drift import JUDGEMENT, demonstrate_drift, forget_alerts
from local.demo.page import print_report
from local.demo.report import Answers, make_report
from local.drift_lab.shifts import SHIFTS
from local.processes import HOST, free_port, wait_until
from local.reviews import Review
from local.settings import LocalSettings
from local.stand_ins.gateway import invoke_api
from local.stand_ins.slack import running_slack
from local.steps import Steps
from local.system import System, running_system

SINGLES, BATCH, FEEDBACK = 200, MAX_TEXTS, 20
HOURS, HOUR_TEXTS = 2, 250  # of changed traffic; two runs must see it before people are told
STORE_SECONDS = 60.0
EXPLAINED = "The plot is thin, but the acting is superb and I loved every minute of it."


class DemoError(SentimentError):
    """A check of the demonstration failed."""

    code: ClassVar[str] = "demo_failed"


def run_demo(settings: LocalSettings, console: Console, *, artifacts: Path, singles: int) -> dict[str, Any]:
    """Train unless the model is up to date, then `demonstrate` it; raises what that and training raise."""
    steps = Steps(console)
    reused = train_quick(artifacts, steps)
    return demonstrate(settings, steps, artifacts=artifacts, reused=reused, singles=singles)


def train_quick(artifacts: Path, steps: Steps) -> bool:
    """Train the quick model unless training would make again what is there; return whether it was reused."""
    from local.deployment import person
    from training.config import configure
    from training.evaluation import served
    from training.export.artifact import champion_of
    from training.pipeline import current_artifact, run
    from training.progress import RichProgress
    from training.registry import promotion, registry

    config = configure(quick=True, artifacts=artifacts)
    with steps.step("look for an up-to-date model"):
        found = current_artifact(config)
    if found is not None:
        version, champion = found.card["model_version"], champion_of(artifacts)
        if champion is None:  # its run may have failed after it was published
            promotion.check_gate(served.ServedModel(served.read_artifact(found.folder)))
            registry.promote(artifacts, version, "promoted", by=person(), why="make demo")
        elif champion != version:
            steps.console.print(
                f"{champion} serves; {version} is up to date and was not promoted, which "
                f"`sentiment promote {version}` would do",
                highlight=False,
                soft_wrap=True,
            )
        return True
    with steps.step("train, export and register", spinner=False), RichProgress(steps.console) as progress:
        artifact = run(config, progress)
        refused = promote_unless_worse(artifacts, artifact.card["model_version"], progress)
    if refused:
        steps.console.print(refused, highlight=False, soft_wrap=True)
    return refused is not None


def promote_unless_worse(artifacts: Path, model_version: str, progress: Any) -> str | None:
    """Let the model that was just trained serve; return why not, when it may be worse than the one before."""
    from local.deployment import person
    from training.errors import TrainingError
    from training.evaluation import served
    from training.export.artifact import champion_of
    from training.registry import promotion, registry

    champion = champion_of(artifacts)
    if champion == model_version:
        return None
    try:
        before, after = (
            served.ServedModel(served.read_artifact(artifacts / "models" / version), progress)
            for version in (str(champion), model_version)
        )
        comparison = promotion.compare(before, after, [])
    except TrainingError as error:  # somebody's own model serves: of other labels, of other data, or damaged
        return f"{champion} goes on serving: {error}"
    if not comparison.allows(promotion.MARGIN):
        return (
            f"{model_version} may be {-100 * comparison.low:.1f} points worse than {champion}, which goes on "
            "serving"
        )
    registry.promote(
        artifacts,
        model_version,
        "promoted",
        by=person(),
        why="make demo",
        comparison=comparison.figures(),
    )
    return None


def demonstrate(
    settings: LocalSettings,
    steps: Steps,
    *,
    artifacts: Path,
    reused: bool,
    singles: int = SINGLES,
    batch: int = BATCH,
    judgement: Mapping[str, str] = JUDGEMENT,
) -> dict[str, Any]:
    """Serve held-out reviews and other texts, print the report and write it to `artifacts/demo`; return it.

    Raises DemoError naming the checks that failed; the report is written all the same.
    """
    reviews = held_out_reviews(artifacts / "model", singles + batch)
    hours = other_texts(HOURS, HOUR_TEXTS)
    port = free_port()  # of the gateway that the links in messages lead to
    folder = artifacts / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        running_slack() as slack,
        running_system(
            settings.demo_folder,
            steps,
            model_dir=artifacts / "model",
            slack_webhook_url=slack.url,
            judgement={**judgement, "REPORTS_URL": f"http://{HOST}:{port}"},
        ) as system,
    ):
        forget_alerts(system)
        began = datetime.now(UTC)
        with steps.step(f"send {len(reviews)} held-out reviews", spinner=False):
            answers = send(system, reviews[:-batch], reviews[-batch:], steps.console)
        with steps.step("wait until all are stored"):
            counted = system.traffic.count()
            answers.counted = counted.predictions if counted else 0
            stored = stored_rows(system, [UUID(answer["prediction_id"]) for _, answer in answers.predictions])
        report = make_report(system, answers, stored, reused=reused)
        report["drift"] = demonstrate_drift(
            system,
            slack,
            steps,
            calm_since=began,
            hours=hours,
            page=folder / "drift-report.html",
            port=port,
        )
    report["checks"] |= report["drift"].pop("checks")
    report["seconds"] = {name: round(seconds, 2) for name, seconds in steps.seconds.items()}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print_report(report, steps.console, svg=folder / "report.svg", json_path=folder / "report.json")
    fail_unless_all_hold(report, folder / "report.json")
    return report


def fail_unless_all_hold(report: Mapping[str, Any], path: Path) -> None:
    """Raise DemoError naming the report's checks that do not hold."""
    if failed := [name for name, held in report["checks"].items() if not held]:
        raise DemoError(f"the demonstration failed: {'; '.join(failed)} (see {path})")


def held_out_reviews(model_dir: Path, count: int) -> list[Review]:
    """Return that many reviews the model was not trained on, always the same ones for the same artifact."""
    import pyarrow.parquet as parquet

    rows = parquet.read_table(model_dir / "reference.parquet", columns=["text", "label"]).to_pylist()
    usable = [
        Review(row["text"], row["label"]) for row in rows if 0 < len(row["text"].strip()) <= MAX_CHARACTERS
    ]
    random.Random(0).shuffle(usable)  # noqa: S311
    return usable[:count]


def other_texts(hours: int, texts: int) -> list[list[str]]:
    """Return hours of traffic unlike the reviews of IMDB: one line each, from another site, none twice."""
    lines = SHIFTS["rotten_tomatoes"].window([], hours * texts, random.Random(0))  # noqa: S311
    return [[line.text for line in lines[start : start + texts]] for start in range(0, len(lines), texts)]


def send(system: System, singles: Sequence[Review], batch: Sequence[Review], console: Console) -> Answers:
    """Send reviews one by one, then others as a batch, then ask for an explanation and give feedback.

    Raises DemoError when the API refuses any of them.
    """
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
    answers.batch_texts = len(batch)
    answers.predictions += zip(batch, answer["results"], strict=True)
    answer, answers.explain_ms = _ask(system, "POST", "/explain", {"text": EXPLAINED})
    answers.explained = {"text": EXPLAINED, "sentiment": answer["sentiment"], "words": answer["words"]}
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


def _ask(system: System, method: str, path: str, payload: Mapping[str, Any]) -> tuple[Any, float]:
    status, answer, milliseconds = invoke_api(system.api, method, path, payload)
    if status not in (200, 202):
        raise DemoError(f"{method} {path} answered {status}: {answer}")
    return answer, milliseconds
