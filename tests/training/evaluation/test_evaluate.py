"""The evaluation of a published model, and the page about it."""

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from training.__main__ import main
from training.evaluation.evaluate import Evaluation, Slice, evaluate, macro_auc, macro_f1
from training.evaluation.page import write_page
from training.evaluation.robustness import INVARIANCES, add_emoji, negations, swap_letters
from training.evaluation.served import ServedModel, read_artifact

TEXT = "There was nothing wonderful about this long picture, really."


@pytest.fixture(scope="module")
def model(tiny_artifact: Path) -> ServedModel:
    return ServedModel(read_artifact(tiny_artifact))


@pytest.fixture(scope="module")
def found(model: ServedModel) -> Evaluation:
    return evaluate(model)


def slices(found: Evaluation, kind: str) -> dict[str, Slice]:
    return {one.name: one for one in found.slices if one.kind == kind}


def test_the_metrics_are_those_of_the_card_with_intervals_around_them(
    model: ServedModel, found: Evaluation
) -> None:
    metrics = {one.name: one for one in found.metrics}
    card = model.card["metrics"]["int8"]
    assert metrics["accuracy"].value == pytest.approx(card["accuracy"])
    assert metrics["F1, macro"].value == pytest.approx(card["f1"])
    assert metrics["ROC AUC"].value == pytest.approx(card["roc_auc"])
    assert metrics["calibration error (ECE)"].value == pytest.approx(card["ece"])
    for one in found.metrics:
        assert one.interval[0] <= one.interval[1]
    low, high = metrics["accuracy"].interval
    assert low <= metrics["accuracy"].value <= high


def test_every_row_is_in_one_slice_of_each_kind(model: ServedModel, found: Evaluation) -> None:
    rows = model.reference.num_rows
    for kind in ("tokens", "read", "label", "negation words"):
        parts = slices(found, kind).values()
        assert sum(one.rows for one in parts) == rows
        right = sum(one.rows * one.accuracy for one in parts)
        assert right / rows == pytest.approx(model.card["metrics"]["int8"]["accuracy"])


def test_the_confusion_matrix_counts_every_prediction(model: ServedModel, found: Evaluation) -> None:
    labels = model.card["labels"]
    truth, predicted = (model.reference[name].to_pylist() for name in ("label", "sentiment"))
    for row, label in enumerate(labels):
        for column, other in enumerate(labels):
            count = sum(one == label and two == other for one, two in zip(truth, predicted, strict=True))
            assert found.confusion[row, column] == count
    assert model.card["metrics"]["confusion"] == found.confusion.tolist()


def test_the_card_holds_the_accuracy_of_each_confidence_bin(model: ServedModel) -> None:
    bins, metrics = model.card["metrics"]["reliability"], model.card["metrics"]
    assert sum(one["rows"] for one in bins) == metrics["rows"]
    right = sum(one["rows"] * one["accuracy"] for one in bins)
    assert right / metrics["rows"] == pytest.approx(metrics["int8"]["accuracy"])


def test_mistakes_are_sorted_by_confidence(model: ServedModel) -> None:
    labels = pa.array(
        [
            {"negative": "positive", "positive": "negative"}[one]
            for one in model.reference["label"].to_pylist()
        ]
    )
    wrong = object.__new__(ServedModel)
    wrong.__dict__ = model.__dict__ | {
        "reference": model.reference.set_column(model.reference.column_names.index("label"), "label", labels)
    }
    mistakes = evaluate(wrong).mistakes
    assert mistakes and all(one.predicted != one.label for one in mistakes)
    confidences = [one.confidence for one in mistakes]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_metrics_of_a_resample_equal_those_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(classes)
    for rows in (7, 60, 400):
        truth = np.resize(np.arange(classes), rows)
        scores = rng.integers(1, 6, size=(rows, classes)).astype(float)  # with many ties
        scores /= scores.sum(axis=1, keepdims=True)
        predicted = scores.argmax(axis=1)
        expected = f1_score(truth, predicted, labels=range(classes), average="macro", zero_division=0.0)
        assert macro_f1(truth, scores) == pytest.approx(expected)
        shown = scores[:, 1] if classes == 2 else scores
        assert macro_auc(truth, scores) == pytest.approx(roc_auc_score(truth, shown, multi_class="ovr"))
    never_predicted = np.array([[0.9, 0.1, 0.0]] * 3)
    assert macro_f1(np.array([0, 0, 1]), never_predicted) == pytest.approx(0.8 / 3)


# Robustness


def test_perturbations_keep_the_words_and_are_deterministic() -> None:
    for perturb in INVARIANCES.values():
        assert perturb(TEXT, random.Random(1)) == perturb(TEXT, random.Random(1))
    assert (
        add_emoji(TEXT, random.Random(1)).replace("\N{CLAPPER BOARD} ", "").replace(" \N{CLAPPER BOARD}", "")
        == TEXT
    )


def test_swapped_letters_stay_inside_their_words() -> None:
    text = " ".join(["wonderful"] * 500)
    words = swap_letters(text, random.Random(0)).split()
    changed = [word for word in words if word != "wonderful"]
    assert 0.06 < len(changed) / 500 < 0.14, "one of ten, except for swaps of two equal letters"
    assert {word[0] + word[-1] for word in changed} == {"wl"}
    assert all(sorted(word) == sorted("wonderful") for word in changed)
    assert swap_letters("a cat sat", random.Random(0)) == "a cat sat", "short words stay"


def test_each_plain_sentence_has_a_negation() -> None:
    pairs = list(negations())
    assert len(pairs) == 48
    for plain, negated, label in pairs:
        assert label in ("negative", "positive")
        assert "not" in negated.split() and "not" not in plain.split()
        assert plain.rstrip(".").split()[-1] in negated


def test_an_ineffective_perturbation_changes_no_prediction(found: Evaluation) -> None:
    lower = next(one for one in found.robustness if one.name == "all in lower case")
    # The tiny model's tokenizer lowercases texts itself.
    assert (lower.changed, lower.accuracy) == (0, lower.before)
    assert [one.name for one in found.robustness][-1] == "a plain sentence negated"


# The page


def test_the_page_is_self_contained_and_shows_all_sections(found: Evaluation, tmp_path: Path) -> None:
    page = write_page(found, tmp_path / "page.html").read_text()
    assert not re.search(r"<script|https?://|<link|@import", page)
    for title in (
        "Calibration",
        "Confusion matrix",
        "Accuracy by slice",
        "Robustness",
        "Most confident mistakes",
    ):
        assert f"<h2>{title}" in page
    assert f"{found.metrics[0].value:.1%}" in page
    assert page.count("<circle") == len(found.reliability)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_texts_are_escaped(found: Evaluation, tmp_path: Path) -> None:
    from dataclasses import replace

    from training.evaluation.evaluate import Mistake

    nasty = Mistake("<img src=x onerror=alert(1)>" + "y" * 5_000, "<b>", "<i>", 0.9)
    page = write_page(replace(found, mistakes=[nasty]), tmp_path / "page.html").read_text()
    assert "<img" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "y" * 2_000 not in page, "a long text is cut"


def test_the_command_evaluates_a_published_model(tiny_artifact: Path, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "evaluation.html"
    assert main(["evaluate", "--model", str(tiny_artifact), "--page", str(page)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert page.exists()
    assert main(["evaluate", "--model", str(tmp_path / "gone"), "--page", str(page)]) == 4
    assert "model.json is missing" in capsys.readouterr().err


def test_labels_other_than_positive_and_negative_are_not_negated(model: ServedModel) -> None:
    other = object.__new__(ServedModel)
    card = model.card | {"labels": ["bad", "good"]}
    names = {"negative": "bad", "positive": "good"}
    reference = model.reference
    for column in ("label", "sentiment"):
        values = pa.array([names[one] for one in reference[column].to_pylist()])
        reference = reference.set_column(reference.column_names.index(column), column, values)
    other.__dict__ = model.__dict__ | {"card": card, "reference": reference, "_predictions": {}}
    assert "negated" not in " ".join(one.name for one in evaluate(other).robustness)
    assert np.isfinite([one.value for one in evaluate(other).metrics]).all()
