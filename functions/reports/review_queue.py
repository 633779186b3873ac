"""Which predictions a person should label next, and why: uncertain, novel, or at odds with people's labels.

The three kinds take turns, the strongest of each first, so that none of them fills the queue, and of texts
that are nearly the same only one is asked about. The same rows always give the same queue. A text that was
labelled once is asked about again only while its prediction disagrees, because one label can be a slip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import log
from typing import Any

from sentiment.database.candidates import Candidate, find_candidates, oldest_of
from sentiment.database.labels import LabelledText, newest_labelled
from sentiment.database.windows import Window
from sentiment.messages import uuid7_time
from sqlalchemy.orm import Session

from functions.reports.shingles import Runs, Texts, runs_of

LOOK_BACK_DAYS = 30
UNCERTAIN_MARGIN = 0.2  # between the two most probable labels; with two labels a confidence of 60%
NOVEL = 1.5  # what one familiar text in a hundred is beyond (docs/decisions/0014-novelty.md)
NEARLY_THE_SAME = 0.7
LABELLED_TEXTS = 300  # that candidates are compared with
SPARE_CANDIDATES = 100  # of each kind, beside twice what is asked for: many are near copies of one another

Reason = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """A prediction to label, with at least one reason."""

    candidate: Candidate
    runs: Runs
    reasons: dict[str, Reason]


def find_queue(session: Session, window: Window, *, limit: int, model_version: str | None) -> dict[str, Any]:
    """Return up to `limit` predictions with their reasons, ready for JSON, and since when was looked."""
    oldest = oldest_of(session, window)
    if oldest is not None:
        window = Window(uuid7_time(oldest), window.until)
    labelled = newest_labelled(session, window, limit=LABELLED_TEXTS)
    candidates = find_candidates(
        session,
        window,
        model_version=model_version,
        minimum_novelty=NOVEL,
        labelled=[one.text for one in labelled],
        each=SPARE_CANDIDATES + 2 * limit,
    )
    items = choose(judge(candidates, labelled), limit)
    return {"since": window.since, "until": window.until, "items": [_described(item) for item in items]}


def judge(candidates: Sequence[Candidate], labelled: Sequence[LabelledText]) -> list[Item]:
    """Return the candidates for which there is a reason."""
    texts = Texts()
    for one in labelled:
        texts.add(runs_of(one.text))
    items = []
    for candidate in candidates:
        runs = runs_of(candidate.row.text or "")
        reasons = _reasons(candidate, runs, texts, labelled)
        if reasons:
            items.append(Item(candidate, runs, reasons))
    return items


def choose(items: Sequence[Item], limit: int) -> list[Item]:
    """Take turns between the kinds of reason, and skip what is nearly the same as a text already chosen."""
    chosen: list[Item] = []
    texts = Texts()
    for item in chain.from_iterable(zip_longest(*_by_strength(items))):
        if item is None or any(texts.similar(item.runs, NEARLY_THE_SAME)):
            continue
        texts.add(item.runs)
        chosen.append(item)
        if len(chosen) == limit:
            break
    return chosen


def uncertainty(probabilities: dict[str, float]) -> tuple[float, float]:
    """Return the margin between the two most probable labels, and the entropy as a share of the greatest."""
    first, second, *_ = sorted(probabilities.values(), reverse=True)
    entropy = -sum(share * log(share) for share in probabilities.values() if share > 0)
    return first - second, entropy / log(len(probabilities))


def _reasons(
    candidate: Candidate, runs: Runs, texts: Texts, labelled: Sequence[LabelledText]
) -> dict[str, Reason]:
    row, reasons = candidate.row, dict[str, Reason]()
    if candidate.labels:
        if candidate.label != row.sentiment:
            reasons["disagrees"] = {"label": candidate.label, "similarity": 1.0, "with": None}
        return reasons
    others = [
        (similarity, labelled[number])
        for number, similarity in texts.similar(runs, NEARLY_THE_SAME)
        if labelled[number].label != row.sentiment
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


def _by_strength(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the items of each kind, the strongest first and of equals the newest."""
    strengths = (("disagrees", "similarity", 1), ("uncertain", "margin", -1), ("novel", "novelty", 1))
    newest_first = sorted(items, key=lambda item: item.candidate.row.id, reverse=True)
    for kind, figure, sign in strengths:
        of_kind = [item for item in newest_first if kind in item.reasons]
        yield sorted(of_kind, key=lambda item: sign * item.reasons[kind][figure], reverse=True)


def _described(item: Item) -> dict[str, Any]:
    row = item.candidate.row
    shown = ("id", "text", "sentiment", "confidence", "probabilities", "novelty", "model_version")
    return {
        **{name: getattr(row, name) for name in (*shown, "predicted_at")},
        "copies": item.candidate.copies,
        "reasons": [{"reason": kind, **figures} for kind, figures in item.reasons.items()],
    }
