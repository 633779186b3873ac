"""Novelty is above 1.5 for 1% of familiar texts, and grows with the distance from the validation rows."""

import json

import numpy as np
import pytest

from training.export.novelty import DIRECTIONS, FAR, SMALLEST_SPREAD, NoveltyMeasure, fit_novelty

LABELS = ["negative", "positive"]
WIDTH = 200


def clouds(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two labels, 6 apart in every dimension, with a different spread in each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(rows) % 2)
    spread = np.linspace(0.1, 3, WIDTH)
    rows_of = rng.normal(size=(rows, WIDTH)) * spread + 6.0 * truth[:, None]
    return rows_of.astype(np.float32), truth


def fitted(rows: int = 400) -> NoveltyMeasure:
    measure = fit_novelty(*clouds(rows), LABELS)
    assert measure is not None
    return measure


@pytest.mark.parametrize("rows", [2000, 300])
@pytest.mark.parametrize("tails", [3, 30], ids=["heavy tails", "light tails"])
def test_one_percent_of_familiar_texts_is_far(rows: int, tails: int) -> None:
    """For any shape of the encoder's space, and few rows."""
    rng = np.random.default_rng(1)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        pooled, truth = clouds(count, seed=count)
        return pooled * np.sqrt(tails / rng.chisquare(tails, size=(count, 1))), truth

    measure = fit_novelty(*drawn(rows), LABELS)
    assert measure is not None
    unseen = measure.of(drawn(5000)[0])
    assert 0.002 < (unseen > FAR).mean() < 0.03


def test_texts_between_the_labels_and_beyond_them_are_novel() -> None:
    familiar, truth = clouds(500, seed=1)
    shifted = familiar + np.where(truth[:, None] == 1, 3, -3)
    assert fitted().of(shifted).min() > fitted().of(familiar).max()
    assert fitted().of(np.full((1, WIDTH), 3.0))[0] > fitted().of(familiar).max()


def test_it_is_the_mahalanobis_distance_when_few_directions_vary_together() -> None:
    """Compared with the textbook formula, with the covariance that the data were drawn from."""
    rng = np.random.default_rng(0)
    shared = rng.choice([-0.7, 0.7], size=(DIRECTIONS, WIDTH))  # so that all dimensions spread alike
    covariance = np.eye(WIDTH) + shared.T @ shared
    drawn = rng.multivariate_normal(np.zeros(WIDTH), covariance, size=20_000)
    truth = rng.integers(2, size=len(drawn))
    measure = fit_novelty((drawn + 50 * truth[:, None]).astype(np.float32), truth, LABELS)
    assert measure is not None
    assert len(measure.common) == DIRECTIONS
    texts = rng.normal(size=(100, WIDTH)) * 3
    expected = np.sqrt(np.einsum("td,de,te->t", texts, np.linalg.inv(covariance), texts) / WIDTH)
    measured = measure.of(texts)
    assert measured / expected == pytest.approx(measured.mean() / expected.mean(), rel=0.03)  # up to a factor


def test_common_variation_is_less_novel_than_other_variation() -> None:
    pooled, truth = clouds(400)
    together = np.resize([1.0, -1.0], WIDTH)
    pooled += 5 * np.random.default_rng(2).normal(size=(len(pooled), 1)) * together
    measure = fit_novelty(pooled.astype(np.float32), truth, LABELS)
    assert measure is not None
    alone = np.roll(
        np.repeat([1.0, -1.0], WIDTH // 2), 1
    )  # as far, but in a direction without common variation
    at = measure.centroids[0]
    assert measure.of((at + 5 * together)[None])[0] < measure.of((at + 5 * alone)[None])[0] / 3


def test_few_rows_give_few_directions_or_none() -> None:
    assert [len(fitted(rows).common) for rows in (400, 62, 12, 10)] == [DIRECTIONS, 6, 1, 0]


def test_a_constant_dimension_does_not_dominate() -> None:
    pooled, truth = clouds(400)
    pooled[:, 0] = 1.0
    measure = fit_novelty(pooled, truth, LABELS)
    assert measure is not None
    assert measure.spread[0] == pytest.approx(SMALLEST_SPREAD * np.median(measure.spread), rel=1e-3)
    assert np.isfinite(measure.of(pooled)).all()


def test_the_card_holds_the_measure_that_was_applied_to_the_reference() -> None:
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
        (None, [0, 1] * 6),  # no pooled output
        (np.random.default_rng(0).normal(size=(9, 3)), [0, 1] * 4 + [0]),  # four rows of a label
        (np.random.default_rng(0).normal(size=(12, 3)), [1] * 12),  # no row of a label
        (np.ones((12, 3)), [0, 1] * 6),  # all equal
        (np.full((12, 3), np.nan), [0, 1] * 6),
    ],
    ids=["no output", "too few rows", "label missing", "no spread", "not finite"],
)
def test_without_a_spread_or_pooled_output_there_is_no_novelty(
    pooled: np.ndarray | None, truth: list[int]
) -> None:
    assert fit_novelty(pooled, np.array(truth), LABELS) is None
