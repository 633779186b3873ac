"""Compare a candidate with the champion on the same labeled texts, on this machine.

Only rows count that neither model can have been trained on: rows that both artifacts hold out, and feedback
given after both were created, or before if neither was trained on feedback. The candidate passes unless it
may be worse by more than a margin (a non-inferiority test on the paired difference; Walker and Nowacki 2011,
"Understanding Equivalence and Noninferiority Testing"). Nothing is promoted here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.near_duplicates import HeldOutTexts, normalized
from training.errors import DataError, GateError, ModelError
from training.evaluation.served import ServedModel
from training.export.candidates import Gate
from training.metrics import paired_interval

MARGIN = 0.02  # two points: what 1,000 rows can show for models that differ on a tenth of them

Labeled = tuple[str, str]  # a text and its label


@dataclass(frozen=True)
class Feedback:
    """A text that a person labeled."""

    text: str
    label: str
    given_at: datetime


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows; the interval is of the candidate's accuracy minus the champion's."""

    held_out: int
    feedback: int
    champion_accuracy: float
    candidate_accuracy: float
    difference: float
    low: float
    high: float
    decided_differently: float  # share of the rows

    def allows(self, margin: float) -> bool:
        """Return whether the candidate is at most `margin` worse, with 97.5% confidence."""
        return self.low >= -margin - 1e-9  # differences are multiples of 1/rows

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-serializable values."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def check_gate(candidate: ServedModel, gate: Gate | None = None) -> dict[str, float]:
    """Repeat the gate of the export on this processor, on the held-out rows; return the losses.

    Raises GateError when int8 loses more than the gate allows, DataError for an artifact without the
    decisions of fp32.
    """
    gate = gate or Gate()
    table = candidate.reference
    if "fp32_sentiment" not in table.column_names:
        raise DataError(
            f"{candidate.version} is from an older export without the decisions of fp32; train it again"
        )
    texts, truth, fp32 = (table[name].to_pylist() for name in ("text", "label", "fp32_sentiment"))
    int8 = candidate.predict(texts)
    loss = float(np.mean(_right(fp32, truth)) - np.mean(_right(int8, truth)))
    flipped = float(np.mean([one != other for one, other in zip(int8, fp32, strict=True)]))
    if loss > gate.max_accuracy_loss + 1e-9 or flipped > gate.max_flipped + 1e-9:
        raise GateError(
            f"on this machine {candidate.version} loses {100 * loss:.2f} points against fp32 and flips "
            f"{100 * flipped:.2f}% of {len(texts):,} decisions; {100 * gate.max_accuracy_loss:g} points and "
            f"{100 * gate.max_flipped:g}% are allowed, so it was not promoted"
        )
    return {"rows": len(texts), "accuracy_loss": loss, "flipped": flipped}


def compare(champion: ServedModel, candidate: ServedModel, feedback: Sequence[Feedback]) -> Comparison:
    """Compare both on the rows that neither can have been trained on.

    Raises ModelError when their labels differ, DataError when there is no such row.
    """
    if set(champion.card["labels"]) != set(candidate.card["labels"]):
        raise ModelError(
            f"{champion.version} has the labels {', '.join(champion.card['labels'])}, {candidate.version} "
            f"{', '.join(candidate.card['labels'])}: models with different labels cannot be compared"
        )
    held_out = _held_out_of_both(champion, candidate)
    labeled = _unseen(feedback, (champion.card, candidate.card), [text for text, _ in held_out])
    rows = held_out + labeled
    if not rows:
        raise DataError(
            f"{champion.version} and {candidate.version} hold out no row in common, and no labeled "
            "prediction is new to both, so they cannot be compared; label some predictions, or train on the "
            "same data"
        )
    texts, truth = [text for text, _ in rows], [label for _, label in rows]
    before, after = champion.predict(texts), candidate.predict(texts)
    return paired(
        _right(before, truth), _right(after, truth), held_out=len(held_out), predictions=(before, after)
    )


def paired(
    champion: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    *,
    held_out: int,
    predictions: tuple[Sequence[str], Sequence[str]],
    seed: int = 0,
) -> Comparison:
    """Compare which rows are correct, with a percentile bootstrap of the paired difference (95%)."""
    rows = len(champion)
    low, high = paired_interval(champion, candidate, seed)
    return Comparison(
        held_out=held_out,
        feedback=rows - held_out,
        champion_accuracy=float(champion.mean()),
        candidate_accuracy=float(candidate.mean()),
        difference=(int(candidate.sum()) - int(champion.sum())) / rows,
        low=low,
        high=high,
        decided_differently=float(np.mean([a != b for a, b in zip(*predictions, strict=True)])),
    )


def _held_out_of_both(champion: ServedModel, candidate: ServedModel) -> list[Labeled]:
    also_held_out = {normalized(text) for text in champion.reference["text"].to_pylist()}
    table = candidate.reference
    rows = zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True)
    return [(text, label) for text, label in rows if normalized(text) in also_held_out]


def _unseen(
    feedback: Sequence[Feedback], cards: Sequence[Mapping[str, Any]], held_out: Sequence[str]
) -> list[Labeled]:
    """Return labeled texts that neither model was trained on, each once with its last label."""
    made = max(datetime.fromisoformat(card["created_at"]) for card in cards)
    # More than one source of training rows means extra rows, such as feedback.
    with_extra = any(len(card.get("data", {}).get("train_sources", {})) > 1 for card in cards)
    index = HeldOutTexts(held_out)
    latest: dict[str, Labeled] = {}
    for one in sorted(feedback, key=lambda one: one.given_at):
        if with_extra and one.given_at <= made:
            continue
        if one.label in cards[0]["labels"] and not index.has_near_duplicate(one.text):
            latest[normalized(one.text)] = (one.text, one.label)
    return list(latest.values())


def _right(decided: Sequence[str], truth: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([one == label for one, label in zip(decided, truth, strict=True)], dtype=bool)
