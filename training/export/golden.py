"""Choose the golden reviews: held-out texts whose decisions a release must reproduce before it takes traffic.

The artifact holds them as `golden.json`, with the decisions of fp32 and of the served int8 graph on the
exporting machine. The functions check a release against them. They do not measure accuracy, which is in the
card.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.rows import Rows

GOLDEN_FILE = "golden.json"
GOLDEN_REVIEWS = 32
# Another processor may round int8 sums differently (VNNI, saturating AVX2, NEON), and a release must not fail
# for that. The difference is unknown at export, so the effect of quantization stands in for it: this
# percentile of the change in log-odds on the test rows, and at least the floor, because a few rows can agree
# by chance.
NOISE_PERCENTILE = 99
NOISE_FLOOR = 0.1  # log-odds


def write_golden(
    path: Path,
    rows: Rows,
    labels: list[str],
    fp32: NDArray[np.float64],
    int8: NDArray[np.float64],
    chosen: list[int],
) -> None:
    """Write the chosen rows with both decisions, from (rows, labels) tables of probabilities as served.

    Writes no file when no row was chosen, as with few rows and a barely trained model.
    """
    if not chosen:
        return
    reviews = [
        {
            "text": rows.texts[row],
            "label": labels[rows.labels[row]],
            "fp32": _decision(labels, fp32[row]),
            "int8": _decision(labels, int8[row]),
        }
        for row in chosen
    ]
    path.write_text(json.dumps({"reviews": reviews}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def choose_golden(
    fp32: NDArray[np.float64], int8: NDArray[np.float64], count: int = GOLDEN_REVIEWS
) -> list[int]:
    """Return the indexes of at most `count` rows; deterministic for the same tables of probabilities.

    The tables are those before calibration: a temperature changes margins, but no decision.

    Only rows qualify on which both graphs agree, with a margin above int8's noise. Each predicted label gets
    an equal share, spread evenly over the ranks of the margins, from the hardest row to the easiest.
    """
    decided = int8.argmax(axis=1)
    margins = np.stack([_margins(fp32, decided), _margins(int8, decided)])
    noise = max(NOISE_FLOOR, float(np.percentile(np.abs(margins[0] - margins[1]), NOISE_PERCENTILE)))
    qualified = margins.min(axis=0) > noise
    kinds = [np.flatnonzero(qualified & (decided == kind)) for kind in np.unique(decided)]
    chosen: list[int] = []
    for position, kind in enumerate(
        sorted(kinds, key=len)
    ):  # the unused share of a rare label goes to the others
        share = min(len(kind), (count - len(chosen)) // (len(kinds) - position))
        hardest_first = kind[np.argsort(margins[1][kind], kind="stable")]
        ranks = np.linspace(0, len(kind) - 1, share).round().astype(int)
        chosen += hardest_first[ranks].tolist()
    return sorted(chosen)


def _margins(probabilities: NDArray[np.float64], decided: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return each row's margin of the predicted label over the next best, in log-odds."""
    scores = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    rows = np.arange(len(scores))
    own = scores[rows, decided]
    others = scores.copy()
    others[rows, decided] = -np.inf
    margins: NDArray[np.float64] = own - others.max(axis=1)
    return margins


def _decision(labels: list[str], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    best = int(probabilities.argmax())
    return {"sentiment": labels[best], "confidence": round(float(probabilities[best]), 6)}
