"""Novelty is about 1 for texts like the validation rows, and grows as texts leave them."""

import json

import numpy as np
import pytest

from training.novelty import SMALLEST_SPREAD, NoveltyMeasure, fit

LABELS = ["negative", "positive"]
WIDTH = 200


def clouds(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two labels, 6 apart in every dimension, each dimension with a spread of its own."""
    chance = np.random.default_rng(seed)
    truth = chance.permutation(np.arange(rows) % 2)
    spread = np.linspace(0.1, 3, WIDTH)
    rows_of = chance.normal(size=(rows, WIDTH)) * spread + 6.0 * truth[:, None]
    return rows_of.astype(np.float32), truth


def fitted(rows: int = 400) -> NoveltyMeasure:
    measure = fit(*clouds(rows), LABELS)
    assert measure is not None
    return measure


def test_familiar_texts_measure_about_one_whatever_their_label() -> None:
    measured = fitted().of(clouds(500, seed=1)[0])
    assert measured.mean() == pytest.approx(1, abs=0.02)
    assert measured.max() < 1.3


def test_texts_between_the_labels_and_beyond_them_are_novel() -> None:
    familiar, truth = clouds(500, seed=1)
    shifted = familiar + np.where(truth[:, None] == 1, 3, -3)
    assert fitted().of(shifted).min() > fitted().of(familiar).max()
    assert fitted().of(np.full((1, WIDTH), 3.0))[0] > fitted().of(familiar).max()


def test_every_dimension_counts_in_units_of_its_own_spread() -> None:
    measure = fitted()
    one_spread_off = measure.centroids[0] + measure.spread * np.resize([1, -1], WIDTH)
    assert measure.of(one_spread_off[None])[0] == pytest.approx(1)


def test_a_dimension_that_never_moves_does_not_decide_alone() -> None:
    pooled, truth = clouds(400)
    pooled[:, 0] = 1.0
    measure = fit(pooled, truth, LABELS)
    assert measure is not None
    assert measure.spread[0] == pytest.approx(SMALLEST_SPREAD * np.median(measure.spread), rel=1e-4)
    assert np.isfinite(measure.of(pooled)).all()


def test_the_card_holds_the_very_numbers_that_measured_the_reference() -> None:
    measure = fitted()
    field = json.loads(json.dumps(measure.card_field()))
    assert (field["output"], field["rows"], field["split"]) == ("pooled", 400, "validation")
    assert list(field["centroids"]) == LABELS
    assert [field["centroids"][label] for label in LABELS] == measure.centroids.tolist()
    assert field["spread"] == measure.spread.tolist()
    assert len(json.dumps(field)) < 12 * 3 * WIDTH


@pytest.mark.parametrize(
    ("pooled", "truth"),
    [
        (None, [0, 1, 0, 1]),  # the graph gives none
        (np.ones((2, 3)), [0, 1]),  # one row a label says nothing of their spread
        (np.random.default_rng(0).normal(size=(4, 3)), [1, 1, 1, 1]),  # a label without rows
        (np.ones((4, 3)), [0, 1, 0, 1]),  # all alike
        (np.full((4, 3), np.nan), [0, 1, 0, 1]),
    ],
    ids=["no output", "too few rows", "label missing", "no spread", "not finite"],
)
def test_where_nothing_can_be_measured_there_is_no_novelty(
    pooled: np.ndarray | None, truth: list[int]
) -> None:
    assert fit(pooled, np.array(truth), LABELS) is None
