"""Whether the domain classifier can separate texts."""

import numpy as np
import pandas as pd
import pytest

from functions.drift_monitor.detection.domain_classifier import MIN_TEXTS, add_domain_scores
from functions.drift_monitor.detection.features import FEATURES, TEXT_SCORE
from functions.drift_monitor.detection.thresholds import null_auc_quantile
from functions.drift_monitor.detection.verdicts import compare
from tests.drift_monitor.sample_data import Row

TEXT = next(feature for feature in FEATURES if feature.name == "text")


def auc(reference: list[str], current: list[str]) -> float:
    tables = add_domain_scores(pd.DataFrame({"text": reference}), pd.DataFrame({"text": current}))
    ((drift,),) = (verdict.features for verdict in compare(*tables, {TEXT: 0.6}, drift_threshold=0.5))
    return drift.effect


@pytest.fixture(scope="module")
def texts(reviews: list[Row]) -> list[str]:
    return [row["text"] for row in reviews]


def test_texts_of_one_kind_cannot_be_separated(texts: list[str]) -> None:
    random = np.random.default_rng(5)
    bound = null_auc_quantile(1000, 300, rate=0.001)
    for _ in range(10):
        chosen = random.permutation(len(texts))[:1300]
        assert auc([texts[i] for i in chosen[:1000]], [texts[i] for i in chosen[1000:]]) < bound


def test_texts_without_their_usual_words_are_separated(texts: list[str]) -> None:
    assert auc(texts[:1000], [text.replace("movie", "toaster") for text in texts[1000:1500]]) > 0.65


def test_the_auc_grows_with_the_share_of_foreign_texts(texts: list[str]) -> None:
    foreign = [" ".join(word[::-1] for word in text.split()) for text in texts[1000:1500]]
    mixed = [
        *(auc(texts[:1000], foreign[:count] + texts[1500 + count : 2000]) for count in (0, 50, 100, 500)),
    ]
    assert mixed == sorted(mixed)
    assert mixed[0] < 0.53 and mixed[2] == pytest.approx(0.6, abs=0.03) and mixed[3] > 0.99


def test_repeated_texts_are_not_drift(texts: list[str]) -> None:
    assert auc(texts[:1000], 5 * texts[1000:1100]) < null_auc_quantile(1000, 100, rate=0.001)


def test_texts_of_the_reference_itself_are_not_drift(texts: list[str]) -> None:
    assert auc(texts[:1000], texts[:500]) < 0.5


def test_the_order_of_texts_makes_no_difference(texts: list[str]) -> None:
    assert auc(texts[:200], texts[200:400]) == auc(texts[:200], texts[399:199:-1])


def test_too_few_distinct_texts_get_no_score(texts: list[str]) -> None:
    few = pd.DataFrame({"text": 10 * texts[: MIN_TEXTS - 1]})
    for table in add_domain_scores(pd.DataFrame({"text": texts[:500]}), few):
        assert TEXT_SCORE not in table


def test_tables_without_texts_are_unchanged(reference: pd.DataFrame) -> None:
    without = reference.drop(columns="text")
    assert all(TEXT_SCORE not in table for table in add_domain_scores(reference, without))
