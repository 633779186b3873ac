"""Measure the drift monitor's false alarm rate and its power by window size and strength of a shift.

Windows are drawn from real texts with predictions of the served model. Each is judged as in a run, with the
monitor's settings and thresholds calibrated for its size. Persistence over several runs and labels are not
covered, and windows below the minimum size of a run are judged too.
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
class ExperimentPlan:
    """The sizes and numbers of windows with and without a shift."""

    sizes: tuple[int, ...] = (100, 200, 500, 1000, 5000)
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 1.0)
    unshifted_windows: int = 200
    shifted_windows: int = 10
    pool_rows: int = 6000
    shifted_rows: int = 1000  # distinct texts per shift

    def windows(self, shifts: int) -> int:
        """Return the total number of windows."""
        return len(self.sizes) * (
            self.unshifted_windows + shifts * len(self.strengths) * self.shifted_windows
        )


QUICK = ExperimentPlan(
    sizes=(200, 500),
    strengths=(0.1, 0.3, 1.0),
    unshifted_windows=50,
    shifted_windows=4,
    pool_rows=1000,
    shifted_rows=200,
)


@dataclass(frozen=True)
class Share:
    """A number of windows out of all, with its 95% interval (Wilson 1927)."""

    count: int
    windows: int

    @property
    def value(self) -> float:
        """Return the share."""
        return self.count / self.windows

    @property
    def interval(self) -> tuple[float, float]:
        """Return the bounds of the interval."""
        return wilson(self.count, self.windows)

    def as_dict(self) -> dict[str, float]:
        """Return the share for JSON."""
        low, high = self.interval
        return {"windows": self.windows, "share": self.value, "low": round(low, 4), "high": round(high, 4)}


@dataclass(frozen=True)
class FalseAlarms:
    """Windows without a shift: the share with a feature over its threshold, and with a verdict of drift."""

    size: int
    moved: Share
    drifted: Share

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {"rows": self.size, "moved": self.moved.as_dict(), "drifted": self.drifted.as_dict()}


@dataclass(frozen=True)
class Power:
    """Windows with a shift of that strength: the share in which the expected verdict is drift."""

    shift: str
    size: int
    strength: float
    detected: Share
    top_feature: str  # most often the feature with the largest effect

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {**asdict(self), "detected": self.detected.as_dict()}


class Experiment:
    """Judges windows drawn from a pool of texts with predictions against a reference."""

    def __init__(
        self, reference: pd.DataFrame, pool: pd.DataFrame, plan: ExperimentPlan, settings: DetectionSettings
    ) -> None:
        self._reference, self._pool, self._plan, self._settings = reference, pool, plan, settings
        self._random = np.random.default_rng(0)
        self._chance_effects: dict[tuple[int, tuple[Feature, ...]], Mapping[Feature, float]] = {}

    def false_alarms(self, advance: Callable[[], None]) -> Iterator[FalseAlarms]:
        """Judge windows without a shift, for each size."""
        for size in self._plan.sizes:
            verdicts = []
            for _ in range(self._plan.unshifted_windows):
                verdicts.append(self.judge(self._draw(self._pool, size)))
                advance()
            moved = sum(any(verdict.drifted_features for verdict in window.values()) for window in verdicts)
            drifted = sum(any(verdict.drifted for verdict in window.values()) for window in verdicts)
            yield FalseAlarms(size, Share(moved, len(verdicts)), Share(drifted, len(verdicts)))

    def power(self, shift: Shift, shifted: pd.DataFrame, advance: Callable[[], None]) -> Iterator[Power]:
        """Judge windows with a share of rows from `shifted`, for each size and strength."""
        for size in self._plan.sizes:
            for strength in self._plan.strengths:
                verdicts = []
                for _ in range(self._plan.shifted_windows):
                    count = round(strength * size)
                    parts = [self._draw(self._pool, size - count), self._draw(shifted, count)]
                    window = pd.concat([part for part in parts if len(part)], ignore_index=True)
                    verdicts.append(self.judge(window)[shift.verdict])
                    advance()
                detected = sum(verdict.drifted for verdict in verdicts)
                tops = [verdict.features[0].feature.name for verdict in verdicts]
                share = Share(detected, len(verdicts))
                yield Power(shift.name, size, strength, share, max(sorted(set(tops)), key=tops.count))

    def judge(self, window: pd.DataFrame) -> dict[str, Verdict]:
        """Return the verdicts of a run on the window, by name."""
        tables = add_domain_scores(self._reference, window)
        thresholds = self._calibrate(
            tuple(shared_features(*tables)), len(window), count_scored_texts(tables[1]) or len(window)
        )
        verdicts = compare(*tables, thresholds, drift_threshold=self._settings.drift_threshold)
        return {verdict.name: verdict for verdict in verdicts}

    def _draw(self, table: pd.DataFrame, count: int) -> pd.DataFrame:
        """Draw rows, without replacement if there are enough."""
        chosen = self._random.choice(len(table), count, replace=count > len(table))
        return table.iloc[chosen].reset_index(drop=True)

    def _calibrate(self, features: tuple[Feature, ...], rows: int, texts: int) -> dict[Feature, float]:
        """Return the thresholds of `thresholds.calibrate`; windows of one size share its slow part."""
        rate = self._settings.false_alarm_rate
        if (rows, features) not in self._chance_effects:
            self._chance_effects[rows, features] = bootstrap_thresholds(
                self._reference, features, rows=rows, false_alarm_rate=rate
            )
        return with_text_threshold(
            self._chance_effects[rows, features], len(self._reference), texts, false_alarm_rate=rate
        )


def report(
    false_alarms: Sequence[FalseAlarms], power: Sequence[Power], settings: DetectionSettings, **context: Any
) -> dict[str, Any]:
    """Return the results for JSON, with the settings and the given context."""
    return {
        **context,
        "drift_threshold": settings.drift_threshold,
        "false_alarm_rate": settings.false_alarm_rate,
        "false_alarms": [result.as_dict() for result in false_alarms],
        "power": [result.as_dict() for result in power],
    }
