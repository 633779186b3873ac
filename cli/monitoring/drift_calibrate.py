"""`sentiment drift calibrate`: the drift monitor's false alarm rate and power with this model."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sentiment.exceptions import ConfigurationError

from cli.monitoring import drift_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.drift_lab.experiment import ExperimentPlan, FalseAlarms, Power

MINIMUM_POOL_ROWS = 400  # with fewer, windows share most of their rows


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    drift = typer.Typer(name="drift", no_args_is_help=True, help="Check for drift, calibrate the monitor.")
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
        typer.Option(help="Labeled texts like the traffic. Default: embedded ones not used in training."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer windows; takes minutes.")] = False,
    to: Annotated[Path, typer.Option(help="Folder for results and plots.")] = Path("artifacts/drift"),
) -> None:
    """Judge windows with and without shifts; show, plot and write false alarm rate and detection power.

    Reads DRIFT_THRESHOLD and FALSE_ALARM_RATE as the drift monitor does.
    """
    from sentiment.settings import read_settings

    from functions.drift_monitor.detection.reference import read_reference
    from functions.drift_monitor.settings import DetectionSettings
    from local.drift_lab.experiment import QUICK, Experiment, ExperimentPlan, report
    from local.drift_lab.plots import plot_false_alarms, plot_power
    from local.drift_lab.predictions import PredictionCache, unseen_reviews
    from local.drift_lab.shifts import SHIFTS

    plan, settings = QUICK if quick else ExperimentPlan(), read_settings(DetectionSettings)
    console = Console()
    reference = read_reference(model)
    predictions = PredictionCache(model, to)
    pool = unseen_reviews(model, data)[: plan.pool_rows]
    if len(pool) < MINIMUM_POOL_ROWS:
        raise ConfigurationError(f"{len(pool)} texts are too few; {MINIMUM_POOL_ROWS} are needed")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        shifted_reviews = {
            name: shift.make(pool, plan.shifted_rows, random.Random(0))  # noqa: S311
            for name, shift in SHIFTS.items()
        }
        texts = len(pool) + sum(map(len, shifted_reviews.values()))
        predicting = progress.add_task("predict texts", total=texts)

        def predicted(count: int) -> None:
            progress.advance(predicting, count)

        unshifted = predictions.features([review.text for review in pool], predicted)
        shifted = {
            name: predictions.features([review.text for review in reviews], predicted)
            for name, reviews in shifted_reviews.items()
        }
        experiment = Experiment(reference.table, unshifted, plan, settings)
        judging = progress.add_task("judge windows", total=plan.windows(len(SHIFTS)))

        def judged() -> None:
            progress.advance(judging)

        false_alarms = list(experiment.false_alarms(judged))
        power = [
            result
            for name, shift in SHIFTS.items()
            for result in experiment.power(shift, shifted[name], judged)
        ]
    console.print(_false_alarm_table(false_alarms, settings.false_alarm_rate))
    console.print(_power_table(power, plan))
    to.mkdir(parents=True, exist_ok=True)
    results = report(
        false_alarms,
        power,
        settings,
        model_version=predictions.card.model_version,
        reference_rows=len(reference.table),
        pool_rows=len(unshifted),
    )
    (to / "calibration.json").write_text(json.dumps(results, indent=2) + "\n")
    plot_false_alarms(false_alarms, settings.false_alarm_rate, to / "false_alarms.png")
    plot_power(power, to / "power.png")
    console.print(
        f"written to {to}: calibration.json, false_alarms.png, power.png", highlight=False, soft_wrap=True
    )


def _false_alarm_table(results: "Sequence[FalseAlarms]", rate: float) -> Table:
    rows = Table(title=f"Windows without a shift (configured rate {rate:.1%} for any feature)")
    for name in ("rows", "windows", "over threshold", "95% interval", "judged drift", "95% interval"):
        rows.add_column(name, justify="right")
    for result in results:
        cells = []
        for share in (result.moved, result.drifted):
            low, high = share.interval
            cells += [f"{share.count}", f"{low:.1%} to {high:.1%}"]
        rows.add_row(f"{result.size:,}", f"{result.moved.windows}", *cells)
    return rows


def _power_table(results: "Sequence[Power]", plan: "ExperimentPlan") -> Table:
    rows = Table(title=f"Share of {plan.shifted_windows} windows judged drift, by share of rows shifted")
    rows.add_column("shift")
    rows.add_column("rows", justify="right")
    for strength in plan.strengths:
        rows.add_column(f"{strength:.0%}", justify="right")
    rows.add_column("top feature")
    for shift in dict.fromkeys(result.shift for result in results):
        for size in plan.sizes:
            cells = [result for result in results if (result.shift, result.size) == (shift, size)]
            shares = [f"{result.detected.value:.0%}" for result in cells]
            rows.add_row(shift, f"{size:,}", *shares, cells[-1].top_feature)
        rows.add_section()
    return rows
