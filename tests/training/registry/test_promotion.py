"""A candidate passes if it is not worse on rows that neither model was trained on."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.fixtures.artifacts import edit_reference, fp32_decisions, publish
from training.errors import DataError, GateError, ModelError
from training.evaluation.served import ServedModel, read_artifact
from training.registry.promotion import Comparison, Feedback, check_gate, compare, paired

MADE = datetime(2026, 11, 1, tzinfo=UTC)
LATER = MADE + timedelta(hours=1)
EXTRA: dict[str, Any] = {"data": {"train_sources": {"reviews": 90, "feedback": 6}}}


@pytest.fixture
def champion(tmp_path: Path, tiny_artifact: Path) -> ServedModel:
    return contender(publish(tmp_path, tiny_artifact, "champion", created_at=MADE.isoformat()))


@pytest.fixture
def candidate_folder(tmp_path: Path, tiny_artifact: Path) -> Path:
    return publish(tmp_path, tiny_artifact, "candidate", created_at=MADE.isoformat())


def contender(folder: Path) -> ServedModel:
    return ServedModel(read_artifact(folder))


def right(rows: int, share: float) -> np.ndarray:
    return np.arange(rows) < rows * share


def compare_rows(champion: np.ndarray, candidate: np.ndarray) -> Comparison:
    predictions = ([str(one) for one in champion], [str(one) for one in candidate])
    return paired(champion, candidate, held_out=len(champion), predictions=predictions)


# The comparison


def test_equal_models_pass_and_the_interval_is_of_the_paired_difference() -> None:
    comparison = compare_rows(right(1000, 0.9), right(1000, 0.9))
    assert (comparison.difference, comparison.low, comparison.high) == (0, 0, 0)
    assert comparison.allows(0)


def test_the_interval_depends_on_the_rows_on_which_they_differ() -> None:
    rows = 2_000
    champion = np.ones(rows, dtype=bool)
    candidate = champion.copy()
    champion[:100], candidate[100:200] = False, False  # each is right where the other is wrong
    comparison = compare_rows(champion, candidate)
    assert comparison.difference == 0
    half = 1.96 * np.sqrt(200) / rows
    assert comparison.low == pytest.approx(-half, rel=0.1)
    assert comparison.high == pytest.approx(half, rel=0.1)
    assert comparison.decided_differently == 0.1
    assert comparison.allows(0.02) and not comparison.allows(0.005)


def test_a_slightly_worse_candidate_is_rejected_on_few_rows_and_passes_on_many() -> None:
    assert not compare_rows(right(200, 0.90), right(200, 0.89)).allows(0.02)
    assert compare_rows(right(20_000, 0.90), right(20_000, 0.89)).allows(0.02)
    assert not compare_rows(right(20_000, 0.90), right(20_000, 0.87)).allows(0.02)


# Which rows count


def test_rows_that_both_hold_out_are_compared(champion: ServedModel, candidate_folder: Path) -> None:
    comparison = compare(champion, contender(candidate_folder), [])
    assert comparison.held_out == champion.reference.num_rows > 0
    assert comparison.candidate_accuracy == comparison.champion_accuracy
    assert comparison.decided_differently == 0


def test_rows_that_one_may_have_been_trained_on_are_not_compared(
    champion: ServedModel, candidate_folder: Path
) -> None:
    path = candidate_folder / "reference.parquet"
    card = json.loads((candidate_folder / "model.json").read_text())
    texts = pq.read_table(path)["text"].to_pylist()
    edit_reference(candidate_folder, card, "text", ["something else", *texts[1:]])
    (candidate_folder / "model.json").write_text(json.dumps(card))
    assert compare(champion, contender(candidate_folder), []).held_out == len(texts) - 1


def test_feedback_counts_once_per_text_with_its_last_label(
    champion: ServedModel, candidate_folder: Path
) -> None:
    known = champion.reference["text"][0].as_py()
    given = [
        Feedback("A film about rain.", "negative", LATER),
        Feedback("a film  about rain.", "positive", LATER + timedelta(hours=1)),
        Feedback("Another film.", "unheard of", LATER),
        Feedback(known, "positive", LATER),  # it counts already
    ]
    assert compare(champion, contender(candidate_folder), given).feedback == 1


@pytest.mark.parametrize(("given_at", "counted"), [(MADE - timedelta(hours=1), 0), (LATER, 1)])
def test_feedback_that_a_model_may_have_been_trained_on_does_not_count(
    champion: ServedModel, tmp_path: Path, tiny_artifact: Path, given_at: datetime, counted: int
) -> None:
    folder = publish(tmp_path, tiny_artifact, "with_extra", created_at=MADE.isoformat(), **EXTRA)
    given = [Feedback("A film about rain.", "negative", given_at)]
    assert compare(champion, contender(folder), given).feedback == counted


def test_a_worse_candidate_is_rejected(champion: ServedModel, tmp_path: Path, tiny_artifact: Path) -> None:
    wrong = contender(publish(tmp_path, tiny_artifact, "wrong", wrong=True))
    comparison = compare(champion, wrong, [])
    assert comparison.difference < -0.5
    assert comparison.decided_differently == 1
    assert not comparison.allows(0.02)


def test_models_with_different_labels_cannot_be_compared(
    champion: ServedModel, tmp_path: Path, tiny_artifact: Path
) -> None:
    other = contender(publish(tmp_path, tiny_artifact, "other", labels=["bad", "good"]))
    with pytest.raises(ModelError, match="champion has the labels negative, positive, other bad, good"):
        compare(champion, other, [])


def test_without_a_common_row_they_cannot_be_compared(champion: ServedModel, candidate_folder: Path) -> None:
    card = json.loads((candidate_folder / "model.json").read_text())
    edit_reference(candidate_folder, card, "text", [f"new {n}" for n in fp32_decisions(candidate_folder)])
    (candidate_folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match="hold out no row in common"):
        compare(champion, contender(candidate_folder), [])


# The gate on this machine


def test_the_gate_is_repeated_here(candidate_folder: Path) -> None:
    found = check_gate(contender(candidate_folder))
    assert found["rows"] == len(fp32_decisions(candidate_folder))
    assert found["flipped"] <= 0.02 and found["accuracy_loss"] <= 0.005


def test_the_gate_fails_on_a_processor_where_int8_decides_differently(candidate_folder: Path) -> None:
    card = json.loads((candidate_folder / "model.json").read_text())
    decided = fp32_decisions(candidate_folder)
    edit_reference(candidate_folder, card, "fp32_sentiment", [*decided[1:], "neither"])
    (candidate_folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(GateError, match=r"on this machine candidate loses .* points .* flips .*%"):
        check_gate(contender(candidate_folder))


def test_a_damaged_artifact_is_named(candidate_folder: Path) -> None:
    with (candidate_folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"candidate/model\.onnx does not match the hash in its model card"):
        read_artifact(candidate_folder)
    (candidate_folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match=r"model\.json is not a valid model card"):
        read_artifact(candidate_folder)
    with pytest.raises(ModelError, match=r"gone/model\.json is missing"):
        read_artifact(candidate_folder.parent / "gone")
