"""Plots of `local.drift_lab.detection`: false alarms by window, and power by window and strength."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentiment.intervals import wilson

from local.drift_lab.detection import FalseAlarms, Power


def draw_false_alarms(found: Sequence[FalseAlarms], rate: float, path: Path) -> None:
    """Draw the share of calm windows in which something moved, with its interval, beside the stated rate."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for offset, (label, shares) in enumerate(
        (
            ("a feature over its threshold", [each.moved for each in found]),
            ("a verdict of drift", [each.drifted for each in found]),
        )
    ):
        intervals = [wilson(share.seen, share.windows) for share in shares]
        values = [share.value for share in shares]
        errors = [
            [value - low for value, (low, _) in zip(values, intervals, strict=True)],
            [high - value for value, (_, high) in zip(values, intervals, strict=True)],
        ]
        places = [number + 0.15 * offset for number in range(len(found))]
        axes.errorbar(places, values, yerr=errors, fmt="o", capsize=4, label=label)
    axes.axhline(rate, color="tab:red", linestyle="--", linewidth=1, label="stated rate")
    axes.set_xticks(range(len(found)), [f"{each.size:,}" for each in found])
    axes.set(xlabel="rows of the window", ylabel="share of windows without a shift", ylim=(0, None))
    axes.legend()
    _save(figure, path)


def draw_power(found: Sequence[Power], path: Path) -> None:
    """Draw, a panel for each shift, the share of windows judged drift over strength, a line for each size."""
    pyplot = _pyplot()
    shifts = list(dict.fromkeys(each.shift for each in found))
    sizes = sorted({each.size for each in found})
    figure, panels = pyplot.subplots(1, len(shifts), figsize=(3.2 * len(shifts), 3.6), sharey=True)
    for axes, shift in zip(panels, shifts, strict=True):
        for number, size in enumerate(sizes):
            of_size = [each for each in found if (each.shift, each.size) == (shift, size)]
            axes.plot(
                [each.strength for each in of_size],
                [each.detected.value for each in of_size],
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
