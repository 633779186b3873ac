"""Choose the golden reviews: held-out texts whose decisions a release must repeat before it takes traffic.

They travel in the artifact as `golden.json`, with what fp32 and the served int8 graph decided where it was
exported. Checking a release against them is the functions' job; how accurate the model is, its card says.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.rows import Rows

GOLDEN_FILE = "golden.json"
GOLDEN_REVIEWS = 32
# Another processor may round int8 sums otherwise (VNNI, saturating AVX2, NEON), and a release must not fail
# for that. How far is not known where the model is exported, so what quantizing did to the test rows stands
# for it: this percentile of how far int8 moved the log-odds, and no less than the floor, because a handful of
# rows can agree by luck.
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
    """Write the chosen rows with both decisions; (rows, labels) tables hold the probabilities as served.

    Writes nothing when every row is too close to call, as on a handful of rows with a barely trained model.
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
    """Return the positions of at most `count` rows, the same for the same tables of probabilities.

    They are those before calibration: a temperature moves every margin, and no decision.

    Only rows that both graphs decide alike and further from the boundary than int8's noise qualify. Of each
    decided label an equal share is taken, evenly over the ranks of its margins: from the hardest that
    qualifies to the easiest.
    """
    decided = int8.argmax(axis=1)
    margins = np.stack([_margins(fp32, decided), _margins(int8, decided)])
    noise = max(NOISE_FLOOR, float(np.percentile(np.abs(margins[0] - margins[1]), NOISE_PERCENTILE)))
    qualified = margins.min(axis=0) > noise
    kinds = [np.flatnonzero(qualified & (decided == kind)) for kind in np.unique(decided)]
    chosen: list[int] = []
    for position, kind in enumerate(sorted(kinds, key=len)):  # what a rare label leaves goes to the others
        share = min(len(kind), (count - len(chosen)) // (len(kinds) - position))
        hardest_first = kind[np.argsort(margins[1][kind], kind="stable")]
        ranks = np.linspace(0, len(kind) - 1, share).round().astype(int)
        chosen += hardest_first[ranks].tolist()
    return sorted(chosen)


def _margins(probabilities: NDArray[np.float64], decided: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far each row's decided label lies above the best other one, in log-odds."""
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
