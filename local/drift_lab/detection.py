"""Measures how often the drift monitor cries wolf and how much of each shift it sees, by window and strength.

Windows are drawn from real texts that the served model has answered; each is judged as a run judges it, by
the monitor's settings and with thresholds calibrated for its size. Persistence over several runs and labels
are not part of it, and windows that a run would find too small are judged as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sentiment.intervals import wilson

from functions.drift_monitor.detection.domain_classifier import add_domain_scores, count_scored_texts
from functions.drift_monitor.detection.features import Feature, shared_features
from functions.drift_monitor.detection.thresholds import bootstrap_thresholds, with_text_threshold
from functions.drift_monitor.detection.verdicts import Verdict, compare
from functions.drift_monitor.settings import DetectionSettings
from local.drift_lab.shifts import Shift


@dataclass(frozen=True)
class Plan:
    """What is measured: windows of these sizes, so many of each without a shift and with one."""

    sizes: tuple[int, ...] = (100, 200, 500, 1000, 5000)
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 1.0)
    calm_windows: int = 200
    shifted_windows: int = 10
    pool_rows: int = 6000
    shifted_rows: int = 1000  # different texts of each shift

    def windows(self, shifts: int) -> int:
        """Return how many windows are judged."""
        return len(self.sizes) * (self.calm_windows + shifts * len(self.strengths) * self.shifted_windows)


QUICK = Plan(
    sizes=(200, 500),
    strengths=(0.1, 0.3, 1.0),
    calm_windows=50,
    shifted_windows=4,
    pool_rows=1000,
    shifted_rows=200,
)


@dataclass(frozen=True)
class Share:
    """In how many of so many windows something was seen, with its 95% interval (Wilson 1927)."""

    seen: int
    windows: int

    @property
    def value(self) -> float:
        """Return the share."""
        return self.seen / self.windows

    def figures(self) -> dict[str, float]:
        """Return it for JSON."""
        low, high = wilson(self.seen, self.windows)
        return {"windows": self.windows, "share": self.value, "low": round(low, 4), "high": round(high, 4)}


@dataclass(frozen=True)
class FalseAlarms:
    """Of windows without a shift: how many saw a feature over its threshold, and how many a verdict."""

    size: int
    moved: Share
    drifted: Share

    def figures(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"rows": self.size, "moved": self.moved.figures(), "drifted": self.drifted.figures()}


@dataclass(frozen=True)
class Power:
    """Of windows with a shift of that strength: how many were judged drift by the verdict it deserves."""

    shift: str
    size: int
    strength: float
    detected: Share
    top_feature: str  # named first most often

    def figures(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "detected": self.detected.figures()}


class Detection:
    """The monitor set up with a reference, judging windows drawn from answered texts."""

    def __init__(
        self, reference: pd.DataFrame, pool: pd.DataFrame, plan: Plan, settings: DetectionSettings
    ) -> None:
        self._reference, self._pool, self._plan, self._settings = reference, pool, plan, settings
        self._random = np.random.default_rng(0)
        self._chance: dict[tuple[int, tuple[Feature, ...]], Mapping[Feature, float]] = {}

    def false_alarms(self, advance: Callable[[], None]) -> Iterator[FalseAlarms]:
        """Judge windows without a shift, size by size."""
        for size in self._plan.sizes:
            verdicts = []
            for _ in range(self._plan.calm_windows):
                verdicts.append(self.judge(self._drawn(self._pool, size)))
                advance()
            moved = sum(any(verdict.drifted_features for verdict in found.values()) for found in verdicts)
            drifted = sum(any(verdict.drifted for verdict in found.values()) for found in verdicts)
            yield FalseAlarms(size, Share(moved, len(verdicts)), Share(drifted, len(verdicts)))

    def power(self, shift: Shift, shifted: pd.DataFrame, advance: Callable[[], None]) -> Iterator[Power]:
        """Judge windows of which a share is drawn from `shifted`, size by size and strength by strength."""
        for size in self._plan.sizes:
            for strength in self._plan.strengths:
                verdicts = []
                for _ in range(self._plan.shifted_windows):
                    count = round(strength * size)
                    parts = [self._drawn(self._pool, size - count), self._drawn(shifted, count)]
                    window = pd.concat([part for part in parts if len(part)], ignore_index=True)
                    verdicts.append(self.judge(window)[shift.verdict])
                    advance()
                detected = sum(verdict.drifted for verdict in verdicts)
                tops = [verdict.features[0].feature.name for verdict in verdicts]
                share = Share(detected, len(verdicts))
                yield Power(shift.name, size, strength, share, max(sorted(set(tops)), key=tops.count))

    def judge(self, window: pd.DataFrame) -> dict[str, Verdict]:
        """Return what a run would say of the window, by the name of the verdict."""
        tables = add_domain_scores(self._reference, window)
        thresholds = self._calibrate(
            tuple(shared_features(*tables)), len(window), count_scored_texts(tables[1]) or len(window)
        )
        verdicts = compare(*tables, thresholds, drift_threshold=self._settings.drift_threshold)
        return {verdict.name: verdict for verdict in verdicts}

    def _drawn(self, table: pd.DataFrame, count: int) -> pd.DataFrame:
        """Draw rows, none twice unless there are too few."""
        chosen = self._random.choice(len(table), count, replace=count > len(table))
        return table.iloc[chosen].reset_index(drop=True)

    def _calibrate(self, features: tuple[Feature, ...], rows: int, texts: int) -> dict[Feature, float]:
        """Return what `thresholds.calibrate` does; windows of one size share the slow part of it."""
        rate = self._settings.false_alarm_rate
        if (rows, features) not in self._chance:
            self._chance[rows, features] = bootstrap_thresholds(
                self._reference, features, rows=rows, false_alarm_rate=rate
            )
        return with_text_threshold(
            self._chance[rows, features], len(self._reference), texts, false_alarm_rate=rate
        )


def report(
    false_alarms: Sequence[FalseAlarms], power: Sequence[Power], settings: DetectionSettings, **about: Any
) -> dict[str, Any]:
    """Return all of it for JSON."""
    return {
        **about,
        "drift_threshold": settings.drift_threshold,
        "false_alarm_rate": settings.false_alarm_rate,
        "false_alarms": [found.figures() for found in false_alarms],
        "power": [found.figures() for found in power],
    }
