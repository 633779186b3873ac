"""Which predictions to label next, and why: uncertain, novel, or contradicted by labels.

The three reasons alternate, the strongest of each first, so that none of them fills the queue. Of
near-duplicate texts, only one is listed. The same rows always give the same queue. A text with one label is
listed again only if the prediction disagrees, because a single label can be a mistake.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import log
from typing import Any

from sentiment.database.feedback import (
    Candidate,
    LabeledText,
    find_candidates,
    look_back_id,
    newest_labeled,
)
from sentiment.database.windows import Window
from sentiment.messages import uuid7_time
from sqlalchemy.orm import Session

from functions.reports.shingles import ShingleIndex, Shingles, shingles_of

LOOK_BACK_DAYS = 30
UNCERTAIN_MARGIN = 0.2  # between the two most probable labels; with two labels, 60% confidence
NOVEL = 1.5  # one familiar text in a hundred is above this (docs/decisions/0014-novelty.md)
NEAR_DUPLICATE = 0.7  # Jaccard similarity
LABELED_TEXTS = 300  # to compare candidates with
SPARE_CANDIDATES = 100  # per reason, besides twice the limit: many are near-duplicates

Reason = dict[str, Any]


@dataclass(frozen=True)
class QueueItem:
    """A prediction to label, with at least one reason."""

    candidate: Candidate
    shingles: Shingles
    reasons: dict[str, Reason]


def find_review_queue(
    session: Session, window: Window, *, limit: int, model_version: str | None
) -> dict[str, Any]:
    """Return up to `limit` predictions with their reasons, and the time range searched, ready for JSON."""
    oldest = look_back_id(session, window)
    if oldest is not None:
        window = Window(uuid7_time(oldest), window.until)
    labeled = newest_labeled(session, window, limit=LABELED_TEXTS)
    candidates = find_candidates(
        session,
        window,
        model_version=model_version,
        minimum_novelty=NOVEL,
        labeled=[labeled_text.text for labeled_text in labeled],
        each=SPARE_CANDIDATES + 2 * limit,
    )
    items = select_items(find_reasons(candidates, labeled), limit)
    return {"since": window.since, "until": window.until, "items": [_as_dict(item) for item in items]}


def find_reasons(candidates: Sequence[Candidate], labeled: Sequence[LabeledText]) -> list[QueueItem]:
    """Return the candidates that have a reason to be labeled."""
    index = ShingleIndex()
    for labeled_text in labeled:
        index.add(shingles_of(labeled_text.text))
    items = []
    for candidate in candidates:
        shingles = shingles_of(candidate.row.text or "")
        reasons = _reasons(candidate, shingles, index, labeled)
        if reasons:
            items.append(QueueItem(candidate, shingles, reasons))
    return items


def select_items(items: Sequence[QueueItem], limit: int) -> list[QueueItem]:
    """Alternate between the reasons, and skip near-duplicates of texts that are already selected."""
    selected: list[QueueItem] = []
    index = ShingleIndex()
    for item in chain.from_iterable(zip_longest(*_by_strength(items))):
        if item is None or any(index.similar(item.shingles, NEAR_DUPLICATE)):
            continue
        index.add(item.shingles)
        selected.append(item)
        if len(selected) == limit:
            break
    return selected


def uncertainty(probabilities: dict[str, float]) -> tuple[float, float]:
    """Return the margin between the two most probable labels, and the normalized entropy (0 to 1)."""
    first, second, *_ = sorted(probabilities.values(), reverse=True)
    entropy = -sum(share * log(share) for share in probabilities.values() if share > 0)
    return first - second, entropy / log(len(probabilities))


def _reasons(
    candidate: Candidate, shingles: Shingles, index: ShingleIndex, labeled: Sequence[LabeledText]
) -> dict[str, Reason]:
    row, reasons = candidate.row, dict[str, Reason]()
    if candidate.labels:
        if candidate.label != row.sentiment:
            reasons["disagrees"] = {"label": candidate.label, "similarity": 1.0, "with": None}
        return reasons
    others = [
        (similarity, labeled[number])
        for number, similarity in index.similar(shingles, NEAR_DUPLICATE)
        if labeled[number].label != row.sentiment
    ]
    if others:
        similarity, other = max(others, key=lambda found: (found[0], found[1].id))
        reasons["disagrees"] = {"label": other.label, "similarity": round(similarity, 4), "with": other.id}
    if len(row.probabilities) > 1:
        margin, entropy = uncertainty(row.probabilities)
        if margin <= UNCERTAIN_MARGIN:
            reasons["uncertain"] = {"margin": round(margin, 4), "entropy": round(entropy, 4)}
    if row.novelty is not None and row.novelty >= NOVEL:
        reasons["novel"] = {"novelty": round(row.novelty, 4)}
    return reasons


def _by_strength(items: Sequence[QueueItem]) -> Iterator[list[QueueItem]]:
    """Yield the items of each reason, the strongest first; of equals, the newest."""
    strengths = (("disagrees", "similarity", 1), ("uncertain", "margin", -1), ("novel", "novelty", 1))
    newest_first = sorted(items, key=lambda item: item.candidate.row.id, reverse=True)
    for reason, measure, sign in strengths:
        items_with_it = [item for item in newest_first if reason in item.reasons]
        yield sorted(items_with_it, key=lambda item: sign * item.reasons[reason][measure], reverse=True)


def _as_dict(item: QueueItem) -> dict[str, Any]:
    row = item.candidate.row
    shown = ("id", "text", "sentiment", "confidence", "probabilities", "novelty", "model_version")
    return {
        **{name: getattr(row, name) for name in (*shown, "predicted_at")},
        "copies": item.candidate.copies,
        "reasons": [{"reason": reason, **measures} for reason, measures in item.reasons.items()],
    }
