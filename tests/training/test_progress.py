"""Stages are log lines without a terminal and live bars on one."""

from io import StringIO

import pytest
from rich.console import Console

from training.progress import LineProgress, RichProgress, print_metrics


def show(*, terminal: bool) -> str:
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    with RichProgress(console) as progress:
        progress("Reading")
        for done in range(3):
            progress("Training", done, 3)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_without_a_terminal_progress_is_log_lines() -> None:
    assert show(terminal=False).splitlines() == ["Reading", "Training: 0 of 3"]


def test_on_a_terminal_the_bar_ends_full() -> None:
    last_frame = show(terminal=True).rpartition("Training")[2]
    assert "3/3" in last_frame


def test_a_log_gets_each_stage_once_and_its_steps_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LineProgress()
    progress("Reading the data")
    for step in range(1000):
        progress("Fine-tuning", step, 1000)
    progress.every_seconds = 0.0
    progress("Fine-tuning", 1000, 1000)
    print_metrics({"eval_accuracy": 0.875, "note": "left out"}, 1000)
    assert capsys.readouterr().out.splitlines() == [
        "Reading the data",
        "Fine-tuning: 0 of 1,000",
        "Fine-tuning: 1,000 of 1,000",
        "step=1000 eval_accuracy=0.875",
    ]
