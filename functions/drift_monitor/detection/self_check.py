"""The monitor's test of itself, on every run: would it see a shift that nobody could miss, and only that.

A monitor that detects nothing looks exactly like calm traffic, whatever the reason: thresholds that a tiny
reference drove up, a library that changed its mind, a setting.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from functions.drift_monitor.detection.domain_classifier import add_domain_scores
from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.verdicts import Verdict, compare
from functions.drift_monitor.errors import MonitorError

KEPT = 0.25  # of the lengths, and of the distance to certainty or to ignorance, whichever is farther


def check_detection(
    reference: pd.DataFrame, thresholds: Mapping[Feature, float], *, rows: int, drift_threshold: float
) -> None:
    """Raise MonitorError unless a shifted sample is drift by each verdict and the reference by none."""
    drawn = reference.sample(n=min(rows, len(reference)), random_state=1)
    missed, imagined = (
        _wrong(
            compare(*add_domain_scores(reference, current), thresholds, drift_threshold=drift_threshold),
            expected,
        )
        for current, expected in ((shifted(drawn), True), (reference, False))
    )
    if missed or imagined:
        raise MonitorError(
            "self_check",
            "the monitor cannot be trusted: "
            + (f"it sees no {missed} where every feature was moved far" if missed else "")
            + (" and " if missed and imagined else "")
            + (f"it sees {imagined} in the reference itself" if imagined else "")
            + f" (at {rows} rows, a threshold is {max(thresholds.values()):.2f}); nothing it says of traffic "
            "counts until this is mended",
        )


def _wrong(verdicts: tuple[Verdict, ...], expected: bool) -> str:
    names = (verdict.name.replace("_", " ") for verdict in verdicts if verdict.drifted is not expected)
    return " and no ".join(names) if expected else " and ".join(names)


def shifted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it would look if every feature had moved."""
    moved = table.copy()
    for length in {"characters", "words", "tokens"} & set(table.columns):
        moved[length] = np.maximum(1, table[length] * KEPT)
    moved["truncated"] = not table["truncated"].mean() > 0.5
    counts = table["sentiment"].value_counts()
    moved["sentiment"] = counts.index[-1] if len(counts) > 1 else "another label"
    if "language" in table:
        moved["language"] = "another"
    if "text" in table:
        moved["text"] = [" ".join(word[::-1] for word in text.split()) for text in table["text"]]
    if "unknown_pieces" in table:
        moved["unknown_pieces"] = 1.0 if table["unknown_pieces"].mean() < 0.5 else 0.0
    if "novelty" in table:
        moved["novelty"] = table["novelty"] + max(1.0, float(table["novelty"].std()))
    for number in ("confidence", "entropy"):
        farther = 0.0 if table[number].mean() > 0.5 else 1.0
        moved[number] = farther + KEPT * (table[number] - farther)
    return moved
