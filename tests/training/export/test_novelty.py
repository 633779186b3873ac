"""Novelty is beyond 1.5 for one in a hundred familiar texts, and grows as texts leave the validation rows."""

import json

import numpy as np
import pytest

from training.export.novelty import DIRECTIONS, FAR, SMALLEST_SPREAD, NoveltyMeasure, fit

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


@pytest.mark.parametrize("rows", [2000, 300])
@pytest.mark.parametrize("tails", [3, 30], ids=["heavy tails", "light tails"])
def test_of_a_hundred_familiar_texts_one_is_far(rows: int, tails: int) -> None:
    """Whatever the encoder's space looks like, and however few rows there are to learn it from."""
    chance = np.random.default_rng(1)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        pooled, truth = clouds(count, seed=count)
        return pooled * np.sqrt(tails / chance.chisquare(tails, size=(count, 1))), truth

    measure = fit(*drawn(rows), LABELS)
    assert measure is not None
    unseen = measure.of(drawn(5000)[0])
    assert 0.002 < (unseen > FAR).mean() < 0.03


def test_texts_between_the_labels_and_beyond_them_are_novel() -> None:
    familiar, truth = clouds(500, seed=1)
    shifted = familiar + np.where(truth[:, None] == 1, 3, -3)
    assert fitted().of(shifted).min() > fitted().of(familiar).max()
    assert fitted().of(np.full((1, WIDTH), 3.0))[0] > fitted().of(familiar).max()


def test_it_is_mahalanobis_distance_when_few_directions_hold_what_is_common() -> None:
    """Held to the textbook's formula, with the covariance that the data were drawn from."""
    chance = np.random.default_rng(0)
    shared = chance.choice([-0.7, 0.7], size=(DIRECTIONS, WIDTH))  # so that all dimensions spread alike
    covariance = np.eye(WIDTH) + shared.T @ shared
    drawn = chance.multivariate_normal(np.zeros(WIDTH), covariance, size=20_000)
    truth = chance.integers(2, size=len(drawn))
    measure = fit((drawn + 50 * truth[:, None]).astype(np.float32), truth, LABELS)
    assert measure is not None
    assert len(measure.common) == DIRECTIONS
    texts = chance.normal(size=(100, WIDTH)) * 3
    expected = np.sqrt(np.einsum("td,de,te->t", texts, np.linalg.inv(covariance), texts) / WIDTH)
    measured = measure.of(texts)
    assert measured / expected == pytest.approx(measured.mean() / expected.mean(), rel=0.03)  # up to its unit


def test_moving_as_familiar_texts_move_together_is_less_novel_than_moving_otherwise() -> None:
    pooled, truth = clouds(400)
    together = np.resize([1.0, -1.0], WIDTH)
    pooled += 5 * np.random.default_rng(2).normal(size=(len(pooled), 1)) * together
    measure = fit(pooled.astype(np.float32), truth, LABELS)
    assert measure is not None
    alone = np.roll(np.repeat([1.0, -1.0], WIDTH // 2), 1)  # as far, but as no familiar text moves
    at = measure.centroids[0]
    assert measure.of((at + 5 * together)[None])[0] < measure.of((at + 5 * alone)[None])[0] / 3


def test_few_rows_give_few_directions_or_none() -> None:
    assert [len(fitted(rows).common) for rows in (400, 62, 12, 10)] == [DIRECTIONS, 6, 1, 0]


def test_a_dimension_that_never_moves_does_not_decide_alone() -> None:
    pooled, truth = clouds(400)
    pooled[:, 0] = 1.0
    measure = fit(pooled, truth, LABELS)
    assert measure is not None
    assert measure.spread[0] == pytest.approx(SMALLEST_SPREAD * np.median(measure.spread), rel=1e-3)
    assert np.isfinite(measure.of(pooled)).all()


def test_the_card_holds_the_very_numbers_that_measured_the_reference() -> None:
    measure = fitted()
    field = json.loads(json.dumps(measure.card_field()))
    assert (field["output"], field["rows"], field["split"]) == ("pooled", 400, "validation")
    assert list(field["centroids"]) == LABELS
    assert [field["centroids"][label] for label in LABELS] == measure.centroids.tolist()
    assert field["spread"] == measure.spread.tolist()
    assert field["common"] == measure.common.tolist()
    assert len(json.dumps(field)) < 12 * (3 + DIRECTIONS) * WIDTH


@pytest.mark.parametrize(
    ("pooled", "truth"),
    [
        (None, [0, 1] * 6),  # the graph gives none
        (np.random.default_rng(0).normal(size=(9, 3)), [0, 1] * 4 + [0]),  # four rows of a label
        (np.random.default_rng(0).normal(size=(12, 3)), [1] * 12),  # none of a label
        (np.ones((12, 3)), [0, 1] * 6),  # all alike
        (np.full((12, 3), np.nan), [0, 1] * 6),
    ],
    ids=["no output", "too few rows", "label missing", "no spread", "not finite"],
)
def test_where_nothing_can_be_measured_there_is_no_novelty(
    pooled: np.ndarray | None, truth: list[int]
) -> None:
    assert fit(pooled, np.array(truth), LABELS) is None
