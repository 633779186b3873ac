"""Both truncations are measured as if scored separately, and the more accurate one wins."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.data.rows import Rows
from training.export.truncation import more_accurate, score_truncations, truncation_metrics
from training.finetune.model import backend_tokenizer, load_classifier
from training.finetune.scoring import score_padded
from training.metrics import classification_metrics
from training.text import TRUNCATIONS, encode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_padding_and_sharing_change_no_metric(tiny_model: Path) -> None:
    torch.manual_seed(1)
    classifier = load_classifier(str(tiny_model), ["negative", "positive"])
    texts = [f"{'good ' * (n % 23)} {'bad ' * (n % 31)} {n}" for n in range(50)]
    rows = Rows(texts, [n % 2 for n in range(50)])
    reported: list[tuple[int, int | None]] = []
    scored = score_truncations(
        partial(score_padded, classifier),
        backend_tokenizer(classifier.tokenizer),
        rows,
        24,
        progress=lambda message, done=0, total=None: reported.append((done, total)),
    )
    measured = truncation_metrics(scored, rows.labels)
    for way in TRUNCATIONS:
        alone = []
        for text in texts:
            ids = torch.tensor([encode(backend_tokenizer(classifier.tokenizer), text, 24, way)])
            with torch.inference_mode():
                alone.append(torch.softmax(classifier.model(ids).logits.double(), dim=1)[0].numpy())
        expected = classification_metrics(np.array(rows.labels), np.array(alone))
        assert measured[way]["log_loss"] == pytest.approx(expected["log_loss"], abs=1e-6)
        assert measured[way]["accuracy"] == expected["accuracy"]
    assert measured["head"]["log_loss"] != measured["head_tail"]["log_loss"]
    assert reported[-1][0] == reported[-1][1]


def test_texts_that_all_fit_are_scored_once_for_both(tiny_model: Path) -> None:
    tokenizer = backend_tokenizer(load_classifier(str(tiny_model), ["negative", "positive"]).tokenizer)
    calls: list[int] = []

    def score(encoded: Sequence[Sequence[int]], report: Callable[[int], None]) -> NDArray[np.float64]:
        calls.append(len(encoded))
        return np.array([[len(ids), 0.5] for ids in encoded])

    scored = score_truncations(score, tokenizer, Rows(["good", "bad and worse"], [1, 0]), 64)
    assert calls == [2]
    assert np.array_equal(scored["head"], scored["head_tail"])


def test_the_more_accurate_truncation_wins_and_log_loss_breaks_ties() -> None:
    one, other = {"accuracy": 0.8, "log_loss": 0.5}, {"accuracy": 0.9, "log_loss": 0.6}
    assert more_accurate({"head": one, "head_tail": other}) == "head_tail"
    assert more_accurate({"head": other, "head_tail": one}) == "head"
    assert more_accurate({"head": one, "head_tail": one | {"log_loss": 0.4}}) == "head_tail"
