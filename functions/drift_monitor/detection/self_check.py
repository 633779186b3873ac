"""The monitor's self-check, on every run: does it detect an obvious shift, and none in the reference itself.

A monitor that detects nothing looks exactly like traffic without drift, whatever the cause: thresholds raised
by a tiny reference, a changed library, a setting.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from functions.drift_monitor.detection.domain_classifier import add_domain_scores
from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.verdicts import Verdict, compare
from functions.drift_monitor.errors import MonitorError

SHIFT_FACTOR = 0.25  # of lengths, and of the distance of confidence and entropy to the farther of 0 and 1


def check_detection(
    reference: pd.DataFrame, thresholds: Mapping[Feature, float], *, rows: int, drift_threshold: float
) -> None:
    """Raise MonitorError unless every verdict says drift for a shifted sample and none for the reference."""
    sample = reference.sample(n=min(rows, len(reference)), random_state=1)
    missed, false_alarms = (
        _wrong_verdicts(
            compare(*add_domain_scores(reference, current), thresholds, drift_threshold=drift_threshold),
            expected,
        )
        for current, expected in ((shifted(sample), True), (reference, False))
    )
    if missed or false_alarms:
        problems = [
            f"no {missed} was detected in a sample with every feature shifted" if missed else "",
            f"{false_alarms} was detected in the reference itself" if false_alarms else "",
        ]
        raise MonitorError(
            "self_check",
            f"the self-check failed: {' and '.join(filter(None, problems))} (largest threshold at {rows} "
            f"rows: {max(thresholds.values()):.2f}); do not rely on its verdicts until this is fixed",
        )


def _wrong_verdicts(verdicts: tuple[Verdict, ...], expected: bool) -> str:
    names = (verdict.name.replace("_", " ") for verdict in verdicts if verdict.drifted is not expected)
    return " and no ".join(names) if expected else " and ".join(names)


def shifted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the table with every feature shifted."""
    changed = table.copy()
    for length in {"characters", "words", "tokens"} & set(table.columns):
        changed[length] = np.maximum(1, table[length] * SHIFT_FACTOR)
    changed["truncated"] = not table["truncated"].mean() > 0.5
    counts = table["sentiment"].value_counts()
    changed["sentiment"] = counts.index[-1] if len(counts) > 1 else "another label"
    if "language" in table:
        changed["language"] = "another"
    if "text" in table:
        changed["text"] = [" ".join(word[::-1] for word in text.split()) for text in table["text"]]
    if "unknown_pieces" in table:
        changed["unknown_pieces"] = 1.0 if table["unknown_pieces"].mean() < 0.5 else 0.0
    if "novelty" in table:
        changed["novelty"] = table["novelty"] + max(1.0, float(table["novelty"].std()))
    for number in ("confidence", "entropy"):
        farther = 0.0 if table[number].mean() > 0.5 else 1.0
        changed[number] = farther + SHIFT_FACTOR * (table[number] - farther)
    return changed
