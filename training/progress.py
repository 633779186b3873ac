"""Show the progress of a run: one line per stage, and a bar where the total is known."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Progress(Protocol):
    """A callable that reports progress."""

    def __call__(self, message: str, done: int = 0, total: int | None = None) -> None:
        """Report that the stage `message` has done `done` of `total` steps (None: unknown)."""


def silent(message: str, done: int = 0, total: int | None = None) -> None:
    """Report nothing."""


def _print_now(line: str) -> None:
    print(line, flush=True)


class RichProgress:
    """Progress on a terminal: the current stage with a bar and its time, below the finished ones.

    Without a terminal it prints log lines.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._lines = None if console.is_terminal else LineProgress(self._print)
        self._stage = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._bars.stop()

    def __call__(self, message: str, done: int = 0, total: int | None = None) -> None:
        """Show the stage `message`; the stage before it is then finished."""
        if self._lines is not None:
            self._lines(message, done, total)
            return
        if message != self._stage:
            self._finish()
            self._stage = message
            self._bars.add_task(message, total=total)
        self._bars.update(self._bars.task_ids[-1], completed=done, total=total)

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _finish(self) -> None:
        for task in self._bars.task_ids[-1:]:
            total = self._bars.tasks[-1].total or 1
            self._bars.update(task, total=total, completed=total)


class LineProgress:
    """Progress as log lines: each stage when it begins, then every half minute."""

    every_seconds = 30.0

    def __init__(self, write: Callable[[str], None] = _print_now) -> None:
        self._write = write
        self._stage = ""
        self._written_at = 0.0

    def __call__(self, message: str, done: int = 0, total: int | None = None) -> None:
        """Print the stage `message` if it is new or its last line is old."""
        begins, now = message != self._stage, time.monotonic()
        if begins or (total and now - self._written_at >= self.every_seconds):
            self._stage, self._written_at = message, now
            self._write(message if not total else f"{message}: {done:,} of {total:,}")


def print_metrics(metrics: Mapping[str, Any], step: int) -> None:
    """Print the numbers of a step as `name=value`, for the metric definitions of SageMaker."""
    shown = (f"{name}={value:.6g}" for name, value in metrics.items() if isinstance(value, int | float))
    if line := " ".join(shown):
        print(f"step={step} {line}", flush=True)
