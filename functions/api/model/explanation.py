"""Which words led to a prediction: attribution by running the same int8 session on pieces of the text.

The method is C-Shapley (Chen, Song, Wainwright and Jordan 2019, "L-Shapley and C-Shapley: Efficient Model
Interpretation for Structured Data"): the model reads every run of 1, 2, … adjacent words alone, and a run's
contribution beyond those of its parts is shared equally by its words. Runs are short, so an explanation costs
less than ten predictions, while leaving out each of 64 words costs 64. For texts short enough for runs of all
lengths, the weights sum to the log-odds. docs/decisions compares it with exact occlusion.

That is for the deep part. The wide part of a model is a sum over tokens and pairs of neighbors, so the share
of each word is known exactly, including that of words that the deep part does not read.

Runs of equal length share a forward pass, unpadded. Dynamic int8 uses one scale for such a batch, so weights
have a little noise that predictions, which run alone, do not have. Nothing is stored.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from functions.api.model.classifier import Classifier, Prediction
from functions.api.model.tokenization import TokenizedText, clean

# Words, and symbols with sentiment (exclamation marks, emoji); other punctuation belongs to adjacent words.
WORD = re.compile(r"\w+(?:['\N{RIGHT SINGLE QUOTATION MARK}-]\w+)*|[^\w\s.,;:()\[\]\"'`\u2010-\u2026/-]+")
PREDICTIONS_PER_EXPLANATION = 8  # in tokens; batching makes the time slightly different
SMALLEST_PREDICTION_TOKENS = 80  # shorter texts may cost as much as one of 64 words
TOKENS_PER_CALL = 256  # larger batches exceed the processor's cache


class WordWeight(NamedTuple):
    """One word, its position, and its contribution to the log-odds of the predicted label."""

    text: str
    start: int
    end: int
    weight: float


def explain(classifier: Classifier, text: str) -> tuple[Prediction, list[WordWeight]]:
    """Classify a text and weight its words; positive weights support the predicted label.

    Offsets count code points of `text`. Words that the model does not read have weight 0.
    """
    prediction = classifier.predict(text.strip())
    encoded = classifier.tokenize(text)
    cleaned = clean(text, classifier.card.text_cleaning)
    spans = [match.span() for match in WORD.finditer(cleaned)] or [(0, len(text))]
    places = locate_words([encoded.offsets[position] for position in encoded.kept], spans)
    visible = [index for index, place in enumerate(places) if place]
    weights = np.zeros(len(spans))
    label = classifier.card.labels.index(prediction.sentiment)
    if visible:
        weights[visible] = weigh_words(classifier, encoded.ids, [places[index] for index in visible], label)
    if classifier.has_wide_part:
        probabilities = np.array(list(prediction.probabilities.values()))
        weights += share_wide_part(
            classifier, encoded, locate_words(encoded.offsets, spans), label, probabilities
        )
    return prediction, [
        WordWeight(text[start:end], start, end, float(weight))
        for (start, end), weight in zip(spans, weights, strict=True)
    ]


def locate_words(tokens: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[range]:
    """Return the positions of each word's tokens, from the character spans of tokens and words."""
    places = []
    position = 0
    for start, end in spans:
        while position < len(tokens) and tokens[position][1] <= start:
            position += 1
        first = position
        while position < len(tokens) and start < tokens[position][1] and tokens[position][0] < end:
            position += 1
        places.append(range(first, position))
    return places


def weigh_words(
    classifier: Classifier, ids: Sequence[int], words: Sequence[range], label: int
) -> NDArray[np.float64]:
    """Return one weight per word, in log-odds of the label; `words` are positions in `ids`."""
    runs = read_runs(ids, words)
    nothing = (ids[0], ids[-1])
    scores = score_runs(classifier, {nothing, *(run for length in runs for run in length)}, label)
    weights = np.zeros(len(words))
    shorter, shortest = np.zeros(len(words) + 1), np.zeros(len(words) + 2)
    for length, same_length in enumerate(runs, start=1):
        values = np.array([scores[run] for run in same_length]) - scores[nothing]
        beyond_parts = values - shorter[1:] - shorter[:-1] + shortest[1:-1]
        for place in range(length):
            weights[place : place + len(values)] += beyond_parts / length
        shorter, shortest = values, shorter
    return weights


def share_wide_part(
    classifier: Classifier,
    encoded: TokenizedText,
    words: Sequence[range],
    label: int,
    probabilities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each word adds to the log-odds of the label through the wide part.

    `words` are the positions of each word's tokens in the whole text. A pair of tokens counts half for the
    word of each. Tokens outside words count for the word before them, or for the first. What the special
    tokens add to an empty text is left out. Exact for two labels; with more, the other labels count by their
    probabilities, as in the derivative.
    """
    others = np.maximum(np.delete(probabilities, label), np.finfo(np.float64).tiny)
    direction = np.insert(-others / others.sum(), label, 1.0)
    features = classifier.wide_logits(encoded.text_ids).astype(np.float64) @ direction
    ends = [encoded.text_ids[0], encoded.text_ids[-1]]
    empty = classifier.wide_logits(ends).astype(np.float64) @ direction
    tokens = len(encoded.text_ids)
    owner = np.full(tokens, -1)
    for word, place in enumerate(words):
        owner[place.start : place.stop] = word
    owner = np.maximum(np.maximum.accumulate(owner), 0)
    shares = np.zeros(len(words))
    np.add.at(shares, owner[1:-1], features[1 : tokens - 1])
    pairs = features[tokens:] / 2
    np.add.at(shares, owner[:-1], pairs)
    np.add.at(shares, owner[1:], pairs)
    np.add.at(shares, owner[[0, -1]], -empty[-1] / 2)
    return shares


def read_runs(ids: Sequence[int], words: Sequence[range]) -> list[list[tuple[int, ...]]]:
    """List every run of adjacent words as ids, by length in words: up to 2, or more within the budget."""
    budget = PREDICTIONS_PER_EXPLANATION * max(len(ids), SMALLEST_PREDICTION_TOKENS)
    runs: list[list[tuple[int, ...]]] = []
    for length in range(1, len(words) + 1):
        edges = zip(words, words[length - 1 :], strict=False)
        same_length = [(ids[0], *ids[first.start : last.stop], ids[-1]) for first, last in edges]
        budget -= sum(len(run) for run in set(same_length))
        if length > 2 and budget < 0:
            break
        runs.append(same_length)
    return runs


def score_runs(
    classifier: Classifier, runs: set[tuple[int, ...]], label: int
) -> dict[tuple[int, ...], float]:
    """Return each run's log-odds of the label; runs of equal length share a forward pass."""
    by_length = defaultdict(list)
    for run in sorted(runs):  # a set has no fixed order, and the batch affects the last digits
        by_length[len(run)].append(run)
    scores: dict[tuple[int, ...], float] = {}
    for tokens, same_length in by_length.items():
        size = max(1, TOKENS_PER_CALL // tokens)
        for start in range(0, len(same_length), size):
            batch = same_length[start : start + size]
            logits = classifier.deep_logits(batch).astype(np.float64)
            others = np.logaddexp.reduce(np.delete(logits, label, axis=1), axis=1)
            scores.update(zip(batch, (logits[:, label] - others).tolist(), strict=True))
    return scores
