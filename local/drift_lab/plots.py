"""Plots of `local.drift_lab.experiment`: false alarms by window size, power by size and strength."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.drift_lab.experiment import FalseAlarms, Power


def plot_false_alarms(results: Sequence[FalseAlarms], rate: float, path: Path) -> None:
    """Plot the share of false alarms with its interval, and the configured rate."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for offset, (label, shares) in enumerate(
        (
            ("a feature over its threshold", [result.moved for result in results]),
            ("a verdict of drift", [result.drifted for result in results]),
        )
    ):
        intervals = [share.interval for share in shares]
        values = [share.value for share in shares]
        errors = [
            [value - low for value, (low, _) in zip(values, intervals, strict=True)],
            [high - value for value, (_, high) in zip(values, intervals, strict=True)],
        ]
        positions = [number + 0.15 * offset for number in range(len(results))]
        axes.errorbar(positions, values, yerr=errors, fmt="o", capsize=4, label=label)
    axes.axhline(rate, color="tab:red", linestyle="--", linewidth=1, label="configured rate")
    axes.set_xticks(range(len(results)), [f"{result.size:,}" for result in results])
    axes.set(xlabel="rows per window", ylabel="share of windows without a shift", ylim=(0, None))
    axes.legend()
    _save(figure, path)


def plot_power(results: Sequence[Power], path: Path) -> None:
    """Plot the share of windows judged drift over strength, a panel per shift and a line per size."""
    pyplot = _pyplot()
    shifts = list(dict.fromkeys(result.shift for result in results))
    sizes = sorted({result.size for result in results})
    figure, panels = pyplot.subplots(1, len(shifts), figsize=(3.2 * len(shifts), 3.6), sharey=True)
    for axes, shift in zip(panels, shifts, strict=True):
        for number, size in enumerate(sizes):
            of_size = [result for result in results if (result.shift, result.size) == (shift, size)]
            axes.plot(
                [result.strength for result in of_size],
                [result.detected.value for result in of_size],
                marker="o",
                color=pyplot.get_cmap("viridis")(number / max(1, len(sizes) - 1)),
                label=f"{size:,} rows",
            )
        axes.set(title=shift.replace("_", " "), xlabel="share of rows shifted", ylim=(-0.03, 1.03))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share of windows judged drift")
    panels[-1].legend()
    _save(figure, path)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
