"""What a person sees while something takes longer than a moment: each step with a spinner, then its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """The steps of one run, in order, with their seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, *, spinner: bool = True) -> Iterator[None]:
        """Time the block under this name; `spinner=False` when the block draws its own progress."""
        started = time.perf_counter()
        if spinner:
            with self.console.status(f"{name} …"):
                yield
        else:
            yield
        self.seconds[name] = time.perf_counter() - started
        self.console.print(f"[green]✓[/] {name} [dim]{self.seconds[name]:.1f} s[/]", highlight=False)
