"""The wide part learns unigrams and bigrams of the whole text, for any number of labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.wide.features import buckets, count_matrix
from training.wide.fit import MIN_BUCKETS, TABLE_BYTES, WidePart, bucket_count, fit_wide

START, END = 101, 102
SIZE = 65_521


def texts(rows: int, words: dict[int, list[int]], seed: int = 0) -> tuple[list[list[int]], list[int]]:
    """Texts of 20 to 60 random tokens with one of their label's words somewhere inside."""
    rng = np.random.default_rng(seed)
    encoded, labels = [], []
    for row in range(rows):
        label = row % len(words)
        ids = rng.integers(2_000, 2_400, rng.integers(20, 60)).tolist()
        ids[rng.integers(len(ids))] = int(rng.choice(words[label]))
        encoded.append([START, *ids, END])
        labels.append(label)
    return encoded, labels


def accuracy(part: WidePart, encoded: list[list[int]], labels: list[int]) -> float:
    return float((part.logits(encoded).argmax(axis=1) == np.array(labels)).mean())


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_it_generalizes_to_texts_that_it_has_not_seen(labels: int) -> None:
    words = {label: [3_000 + 10 * label, 3_001 + 10 * label] for label in range(labels)}
    part = fit_wide(*texts(800, words), labels, size=SIZE)
    assert accuracy(part, *texts(400, words, seed=1)) > 0.95


def test_pairs_of_neighbors_tell_what_single_tokens_cannot() -> None:
    """The label is whether two tokens, both in every text, are neighbors."""
    rng = np.random.default_rng(0)
    encoded, labels = [], []
    for row in range(1_500):
        ids = rng.integers(2_000, 2_200, 12).tolist()
        ids[3], ids[4 if row % 2 else 8] = 7, 8
        encoded.append([START, *ids, END])
        labels.append(row % 2)
    part = fit_wide(encoded[:1_000], labels[:1_000], 2, size=SIZE)
    assert accuracy(part, encoded[1_000:], labels[1_000:]) > 0.9


def test_a_row_without_weight_teaches_nothing() -> None:
    encoded, labels = texts(300, {0: [3_000], 1: [3_010]})
    wrong = [1 - label for label in labels]
    weights = [2.0] * 300 + [0.0] * 300
    with_wrong = fit_wide(encoded * 2, labels + wrong, 2, weights=weights, size=SIZE)
    assert accuracy(with_wrong, encoded, labels) > 0.95


def test_rows_of_which_nothing_repeats_give_no_weights() -> None:
    part = fit_wide([[1, 2, 3], [4, 5, 6]], [0, 1], 2, size=SIZE)
    assert not part.table.any()
    assert part.logits([[1, 2, 3]]).tolist() == [[0, 0]]


def test_two_labels_need_one_column_and_their_logits_are_opposite() -> None:
    encoded, labels = texts(200, {0: [3_000], 1: [3_010]})
    part = fit_wide(encoded, labels, 2)
    assert part.table.shape == (bucket_count(2), 1)
    assert part.table.dtype == np.int8
    logits = part.logits(encoded)
    assert np.allclose(logits[:, 0], -logits[:, 1])


@pytest.mark.parametrize(("labels", "columns"), [(2, 1), (3, 3), (20, 20), (151, 151)])
def test_the_table_takes_a_megabyte_unless_buckets_would_collide_too_often(labels: int, columns: int) -> None:
    size = bucket_count(labels)
    assert size * columns <= max(TABLE_BYTES, MIN_BUCKETS * columns)
    assert all(size % divisor for divisor in range(2, 2_000))


@given(st.lists(st.integers(0, 2**20), min_size=2, max_size=50))
def test_every_token_and_every_pair_is_counted(ids: list[int]) -> None:
    found = buckets(ids, SIZE)
    assert len(found) == 2 * len(ids) - 1
    assert found.min() >= 0 and found.max() < SIZE
    assert count_matrix([ids], SIZE).sum() == len(found)


def test_progress_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    fit_wide(*texts(100, {0: [3_000], 1: [3_010]}), 2, size=SIZE, report=lambda *one: seen.append(one))
    assert seen[0][0] == 1
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
