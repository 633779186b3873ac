"""Both truncations are measured as if scored separately, and the more accurate one wins."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.rows import Rows
from training.finetune.model import backend_tokenizer, load_classifier
from training.finetune.truncation import compare_truncations, more_accurate
from training.metrics import classification_metrics
from training.text import TRUNCATIONS, encode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_padding_and_sharing_change_no_metric(tiny_model: Path) -> None:
    torch.manual_seed(1)
    classifier = load_classifier(str(tiny_model), ["negative", "positive"])
    texts = [f"{'good ' * (n % 23)} {'bad ' * (n % 31)} {n}" for n in range(50)]
    rows = Rows(texts, [n % 2 for n in range(50)])
    reported: list[tuple[int, int | None]] = []
    measured = compare_truncations(
        classifier, rows, 24, progress=lambda message, done=0, total=None: reported.append((done, total))
    )
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
    classifier = load_classifier(str(tiny_model), ["negative", "positive"])
    measured = compare_truncations(classifier, Rows(["good", "bad"], [1, 0]), 64)
    assert measured["head"] == measured["head_tail"]


def test_the_more_accurate_truncation_wins_and_log_loss_breaks_ties() -> None:
    one, other = {"accuracy": 0.8, "log_loss": 0.5}, {"accuracy": 0.9, "log_loss": 0.6}
    assert more_accurate({"head": one, "head_tail": other}) == "head_tail"
    assert more_accurate({"head": other, "head_tail": one}) == "head"
    assert more_accurate({"head": one, "head_tail": one | {"log_loss": 0.4}}) == "head_tail"
