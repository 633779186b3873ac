from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sentiment.messages import parse_message, uuid7_time

from tests.fixtures.messages import feedback, prediction, uuid7

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, st.floats(0, 1), st.dictionaries(texts, st.floats(0, 1)))
def test_a_prediction_survives_serialization(
    text: str, confidence: float, probabilities: dict[str, float]
) -> None:
    made = prediction(text=text, confidence=confidence, probabilities=probabilities)
    assert parse_message(made.model_dump_json()) == made


@given(texts, st.none() | texts)
def test_feedback_survives_serialization(label: str, comment: str | None) -> None:
    given_ = feedback(uuid7(), label=label, comment=comment)
    assert parse_message(given_.model_dump_json().encode()) == given_


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_id": "7"},
        {"input_hash": "A" * 64},
        {"characters": 0},
        {"tokens": 0},
        {"confidence": 1.01},
        {"inference_time_ms": -1},
        {"predicted_at": datetime(2026, 11, 23)},
    ],
)
def test_an_invalid_fact_is_rejected(changes: dict[str, object]) -> None:
    (field,) = changes
    with pytest.raises(ValidationError, match=field):
        prediction(**changes)


def test_messages_of_a_newer_version_are_valid() -> None:
    made = prediction()
    newer = made.model_dump_json()[:-1] + ',"entropy":0.5}'
    assert parse_message(newer) == made


def test_the_time_of_a_prediction_is_in_its_id() -> None:
    at = datetime(2026, 11, 23, 9, 0, 0, 123000, tzinfo=UTC)
    assert uuid7_time(uuid7(at)) == at

    from uuid import UUID

    made = UUID(str(uuid_utils.uuid7()))
    assert abs(uuid7_time(made) - datetime.now(UTC)) < timedelta(seconds=5)
