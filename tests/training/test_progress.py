"""Stages are lines where nobody watches and live bars where somebody does."""

from io import StringIO

from rich.console import Console

from training.progress import RichProgress


def show(*, terminal: bool) -> str:
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    with RichProgress(console) as progress:
        progress("Reading")
        for done in range(3):
            progress("Training", done, 3)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_without_a_terminal_each_stage_is_one_line() -> None:
    assert show(terminal=False).split() == ["Reading", "Training"]


def test_on_a_terminal_the_bar_ends_full() -> None:
    last_frame = show(terminal=True).rpartition("Training")[2]
    assert "3/3" in last_frame
