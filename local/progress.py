"""Progress in the terminal: a spinner for the current step, and the time of each completed one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """The steps of one run, in order, with their duration in seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, *, spinner: bool = True) -> Iterator[None]:
        """Show and time the block under this name; `spinner=False` if the block shows its own progress."""
        started = time.perf_counter()
        if spinner:
            with self.console.status(f"{name} …"):
                yield
        else:
            yield
        self.seconds[name] = time.perf_counter() - started
        self.console.print(f"[green]✓[/] {name} [dim]{self.seconds[name]:.1f} s[/]", highlight=False)
