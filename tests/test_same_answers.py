"""Training and serving share no code and compute the same confidence, novelty and unknown tokens."""

import itertools
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from training.data.rows import Rows
from training.export.candidates import Gate
from training.export.export import build_artifact

FAMILIAR = [
    f"A {word} {subject}. {remark}"
    for word, subject, remark in itertools.product(
        ("great", "awful"), ("film", "story", "cast"), ("I saw it twice.", "It was<br />raining.")
    )
]
STRANGE = [
    "Ein wunderbarer Film<br />mit Untertiteln",
    "\N{BLACK SPADE SUIT} 映画 \U0001f9ff \U0001f9ff and \U00012031",
    "<div class=x></div>" * 60,
    "dull " * 300,
    "x" * 200,
    "...",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("wide_rows", [None, Rows(FAMILIAR, [0, 1] * 6)], ids=["deep", "wide and deep"])
def test_the_reference_has_the_same_predictions_as_the_api(
    tiny_model: Path, tmp_path: Path, wide_rows: Rows | None
) -> None:
    validation = Rows(FAMILIAR, [0, 1] * 6)
    test = Rows(STRANGE, [0, 1] * 3)
    artifact = build_artifact(
        tiny_model,
        validation,
        test,
        max_length=64,
        truncation="head_tail",
        labels=["negative", "positive"],
        artifacts=tmp_path,
        card_fields={},
        wide_rows=wide_rows,
        gate=Gate(max_accuracy_loss=1, max_flipped=1),
    )
    classifier = Classifier(load_artifact(artifact.folder), threads=1, cache_entries=0)
    assert classifier.has_wide_part == (wide_rows is not None)
    rows = pq.read_table(artifact.folder / "reference.parquet").to_pylist()
    assert [row["unknown_tokens"] for row in rows] == [0, 5, 0, 0, 1, 0]
    assert len({row["novelty"] for row in rows}) == len(rows)
    assert artifact.card["calibration"]["temperature"] != 1
    for row in rows:
        served = classifier.predict(row["text"])
        assert served.novelty == pytest.approx(row["novelty"], rel=1e-9)
        assert list(served.probabilities.values()) == pytest.approx(row["probabilities"], rel=1e-9)
        assert served.confidence == pytest.approx(row["confidence"], rel=1e-9)
        assert (served.unknown_tokens, served.tokens) == (row["unknown_tokens"], row["tokens"])
