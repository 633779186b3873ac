"""`sentiment drift calibrate`: how often the monitor cries wolf with this model, what it sees of shifts."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sentiment.exceptions import ConfigurationError
from sentiment.settings import read_settings

from cli import drift_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.drift_lab.detection import FalseAlarms, Plan, Power

LEAST_POOL = 400  # rows; from fewer, windows would be much the same


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    drift = typer.Typer(name="drift", no_args_is_help=True, help="Look for drift now; measure the monitor.")
    drift_run.add_to(drift)
    drift.command(
        epilog="Examples: [bold]sentiment drift calibrate --quick[/] | "
        "[bold]sentiment drift calibrate --data reviews.csv[/]"
    )(calibrate)
    app.add_typer(drift)


def calibrate(
    model: Annotated[Path, typer.Option(help="Folder of the artifact.")] = Path("artifacts/model"),
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled texts like the traffic; default: those the training left over."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer windows, in minutes.")] = False,
    to: Annotated[Path, typer.Option(help="Folder for figures and plots.")] = Path("artifacts/drift"),
) -> None:
    """Judge windows with and without shifts; show false alarms and detection power, draw and write them.

    Reads DRIFT_THRESHOLD and FALSE_ALARM_RATE as the drift monitor does.
    """
    from functions.drift_monitor.detection.reference import read_reference
    from functions.drift_monitor.settings import DetectionSettings
    from local.drift_lab.answers import Answers, unseen_reviews
    from local.drift_lab.detection import QUICK, Detection, Plan, report
    from local.drift_lab.plots import draw_false_alarms, draw_power
    from local.drift_lab.shifts import SHIFTS

    plan, settings = QUICK if quick else Plan(), read_settings(DetectionSettings)
    console = Console()
    reference = read_reference(model)
    answers = Answers(model, to)
    pool = unseen_reviews(model, data)[: plan.pool_rows]
    if len(pool) < LEAST_POOL:
        raise ConfigurationError(f"there are {len(pool)} texts to draw from; it takes {LEAST_POOL}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        made = {
            name: shift.make(pool, plan.shifted_rows, random.Random(0))  # noqa: S311
            for name, shift in SHIFTS.items()
        }
        texts = len(pool) + sum(map(len, made.values()))
        answering = progress.add_task("answer texts", total=texts)

        def answered(count: int) -> None:
            progress.advance(answering, count)

        ordinary = answers.table([review.text for review in pool], answered)
        shifted = {
            name: answers.table([review.text for review in reviews], answered)
            for name, reviews in made.items()
        }
        detection = Detection(reference.table, ordinary, plan, settings)
        judging = progress.add_task("judge windows", total=plan.windows(len(SHIFTS)))

        def judged() -> None:
            progress.advance(judging)

        false_alarms = list(detection.false_alarms(judged))
        power = [
            found for name, shift in SHIFTS.items() for found in detection.power(shift, shifted[name], judged)
        ]
    console.print(_false_alarm_table(false_alarms, settings.false_alarm_rate))
    console.print(_power_table(power, plan))
    to.mkdir(parents=True, exist_ok=True)
    figures = report(
        false_alarms,
        power,
        settings,
        model_version=answers.card.model_version,
        reference_rows=len(reference.table),
        pool_rows=len(ordinary),
    )
    (to / "calibration.json").write_text(json.dumps(figures, indent=2) + "\n")
    draw_false_alarms(false_alarms, settings.false_alarm_rate, to / "false_alarms.png")
    draw_power(power, to / "power.png")
    console.print(
        f"written to {to}: calibration.json, false_alarms.png, power.png", highlight=False, soft_wrap=True
    )


def _false_alarm_table(found: "Sequence[FalseAlarms]", rate: float) -> Table:
    rows = Table(title=f"Windows without a shift (stated rate {rate:.1%} of any feature)")
    for name in ("rows", "windows", "a feature moved", "95% interval", "judged drift", "95% interval"):
        rows.add_column(name, justify="right")
    for each in found:
        cells = []
        for share in (each.moved, each.drifted):
            figures = share.figures()
            cells += [f"{share.seen}", f"{figures['low']:.1%} to {figures['high']:.1%}"]
        rows.add_row(f"{each.size:,}", f"{each.moved.windows}", *cells)
    return rows


def _power_table(found: "Sequence[Power]", plan: "Plan") -> Table:
    rows = Table(title=f"Share of {plan.shifted_windows} windows judged drift, by share of rows shifted")
    rows.add_column("shift")
    rows.add_column("rows", justify="right")
    for strength in plan.strengths:
        rows.add_column(f"{strength:.0%}", justify="right")
    rows.add_column("named first")
    for shift in dict.fromkeys(each.shift for each in found):
        for size in plan.sizes:
            cells = [each for each in found if (each.shift, each.size) == (shift, size)]
            shares = [f"{each.detected.value:.0%}" for each in cells]
            rows.add_row(shift, f"{size:,}", *shares, cells[-1].top_feature)
        rows.add_section()
    return rows
