"""What is measured of a published model, and the page that shows it."""

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


def test_the_figures_are_those_of_the_card_with_intervals_around_them(
    model: ServedModel, found: Evaluation
) -> None:
    figures = {one.name: one for one in found.figures}
    card = model.card["metrics"]["int8"]
    assert figures["accuracy"].value == pytest.approx(card["accuracy"])
    assert figures["F1, macro"].value == pytest.approx(card["f1"])
    assert figures["ROC AUC"].value == pytest.approx(card["roc_auc"])
    assert figures["calibration error (ECE)"].value == pytest.approx(card["ece"])
    for one in found.figures:
        assert one.interval[0] <= one.interval[1]
    low, high = figures["accuracy"].interval
    assert low <= figures["accuracy"].value <= high


def test_every_row_is_in_one_slice_of_each_kind(model: ServedModel, found: Evaluation) -> None:
    rows = model.reference.num_rows
    for kind in ("tokens", "read", "label", "negation words"):
        parts = slices(found, kind).values()
        assert sum(one.rows for one in parts) == rows
        right = sum(one.rows * one.accuracy for one in parts)
        assert right / rows == pytest.approx(model.card["metrics"]["int8"]["accuracy"])


def test_the_confusion_matrix_counts_every_answer(model: ServedModel, found: Evaluation) -> None:
    labels = model.card["labels"]
    truth, said = (model.reference[name].to_pylist() for name in ("label", "sentiment"))
    for row, label in enumerate(labels):
        for column, other in enumerate(labels):
            count = sum(one == label and two == other for one, two in zip(truth, said, strict=True))
            assert found.confusion[row, column] == count
    assert model.card["metrics"]["confusion"] == found.confusion.tolist()


def test_the_card_tells_how_often_each_confidence_is_right(model: ServedModel) -> None:
    bins, metrics = model.card["metrics"]["reliability"], model.card["metrics"]
    assert sum(one["rows"] for one in bins) == metrics["rows"]
    right = sum(one["rows"] * one["accuracy"] for one in bins)
    assert right / metrics["rows"] == pytest.approx(metrics["int8"]["accuracy"])


def test_the_worst_are_wrong_and_the_surest_come_first(model: ServedModel) -> None:
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
    worst = evaluate(wrong).worst
    assert worst and all(one.said != one.label for one in worst)
    sure = [one.confidence for one in worst]
    assert sure == sorted(sure, reverse=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_figures_of_a_resample_are_scikit_learns(classes: int) -> None:
    chance = np.random.default_rng(classes)
    for rows in (7, 60, 400):
        truth = np.resize(np.arange(classes), rows)
        scores = chance.integers(1, 6, size=(rows, classes)).astype(float)  # with many ties
        scores /= scores.sum(axis=1, keepdims=True)
        decided = scores.argmax(axis=1)
        expected = f1_score(truth, decided, labels=range(classes), average="macro", zero_division=0.0)
        assert macro_f1(truth, scores) == pytest.approx(expected)
        shown = scores[:, 1] if classes == 2 else scores
        assert macro_auc(truth, scores) == pytest.approx(roc_auc_score(truth, shown, multi_class="ovr"))
    never_named = np.array([[0.9, 0.1, 0.0]] * 3)
    assert macro_f1(np.array([0, 0, 1]), never_named) == pytest.approx(0.8 / 3)


# Asked in other words


def test_changes_keep_the_words_and_are_the_same_for_the_same_seed() -> None:
    for change in INVARIANCES.values():
        assert change(TEXT, random.Random(1)) == change(TEXT, random.Random(1))
    assert (
        add_emoji(TEXT, random.Random(1)).replace("\N{CLAPPER BOARD} ", "").replace(" \N{CLAPPER BOARD}", "")
        == TEXT
    )


def test_swapped_letters_stay_inside_their_words() -> None:
    text = " ".join(["wonderful"] * 500)
    words = swap_letters(text, random.Random(0)).split()
    changed = [word for word in words if word != "wonderful"]
    assert 0.06 < len(changed) / 500 < 0.14, "one of ten, but for the swaps of two equal letters"
    assert {word[0] + word[-1] for word in changed} == {"wl"}
    assert all(sorted(word) == sorted("wonderful") for word in changed)
    assert swap_letters("a cat sat", random.Random(0)) == "a cat sat", "short words stay"


def test_a_negation_turns_each_plain_sentence() -> None:
    pairs = list(negations())
    assert len(pairs) == 48
    for plain, negated, label in pairs:
        assert label in ("negative", "positive")
        assert "not" in negated.split() and "not" not in plain.split()
        assert plain.rstrip(".").split()[-1] in negated


def test_a_change_that_is_none_changes_no_answer(found: Evaluation) -> None:
    lower = next(one for one in found.changes if one.name == "all in lower case")
    # The tiny model's tokenizer lowers the case itself.
    assert (lower.changed, lower.accuracy) == (0, lower.before)
    assert [one.name for one in found.changes][-1] == "a plain sentence negated"


# The page


def test_the_page_needs_nothing_else_and_shows_all_sections(found: Evaluation, tmp_path: Path) -> None:
    page = write_page(found, tmp_path / "page.html").read_text()
    assert not re.search(r"<script|https?://|<link|@import", page)
    for title in ("Is it as sure", "What it takes for what", "Where it is right", "What changes its mind"):
        assert f"<h2>{title}" in page
    assert f"{found.figures[0].value:.1%}" in page
    assert page.count("<circle") == len(found.reliability)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_texts_are_shown_as_texts(found: Evaluation, tmp_path: Path) -> None:
    from dataclasses import replace

    from training.evaluation.evaluate import WrongAnswer

    nasty = WrongAnswer("<img src=x onerror=alert(1)>" + "y" * 5_000, "<b>", "<i>", 0.9)
    page = write_page(replace(found, worst=[nasty]), tmp_path / "page.html").read_text()
    assert "<img" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "y" * 2_000 not in page, "a long text is cut"


def test_the_command_measures_what_is_published(tiny_artifact: Path, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "evaluation.html"
    assert main(["evaluate", "--model", str(tiny_artifact), "--page", str(page)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert page.exists()
    assert main(["evaluate", "--model", str(tmp_path / "gone"), "--page", str(page)]) == 4
    assert "model.json is missing" in capsys.readouterr().err


def test_labels_without_poles_are_not_negated(model: ServedModel) -> None:
    other = object.__new__(ServedModel)
    card = model.card | {"labels": ["bad", "good"]}
    names = {"negative": "bad", "positive": "good"}
    reference = model.reference
    for column in ("label", "sentiment"):
        values = pa.array([names[one] for one in reference[column].to_pylist()])
        reference = reference.set_column(reference.column_names.index(column), column, values)
    other.__dict__ = model.__dict__ | {"card": card, "reference": reference, "_answers": {}}
    assert "negated" not in " ".join(one.name for one in evaluate(other).changes)
    assert np.isfinite([one.value for one in evaluate(other).figures]).all()
