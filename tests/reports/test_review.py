"""The review queue: predictions that are uncertain, novel, or contradicted by labels."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sentiment.database.feedback import store_feedback
from sentiment.messages import PredictionMade
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from functions.reports.handler import engine
from tests.fixtures.messages import feedback, prediction
from tests.reports.client import NOW, get, store

CERTAIN = {"confidence": 0.97, "probabilities": {"negative": 0.03, "positive": 0.97}, "novelty": 1.0}
LINE = "the second half of the film loses the thread that the first had spun with so much patience"
NEAR = LINE.replace("patience", "care")  # of 17 different three-word shingles they share 15


def made(text: str | None, minutes_ago: float = 0, **changes: Any) -> PredictionMade:
    digest = hashlib.sha256((text or "").encode()).hexdigest()
    at = NOW - timedelta(minutes=minutes_ago)
    return prediction(at, **{"text": text, "input_hash": digest, **CERTAIN, **changes})


def uncertain(confidence: float) -> dict[str, Any]:
    return {
        "confidence": confidence,
        "probabilities": {"negative": round(1 - confidence, 6), "positive": confidence},
    }


def label(database: Engine, prediction_id: UUID | str, given: str) -> None:
    with Session(database) as session, session.begin():
        store_feedback(session, [feedback(UUID(str(prediction_id)), label=given)])


def queue(**query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = get("/reports/review", **query)["items"]
    return items


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["text"] for item in items]


def test_a_certain_and_familiar_prediction_is_not_listed(database: Engine) -> None:
    store(database, made("plainly good"), made("plain", **uncertain(0.61)), made("usual", novelty=1.49))
    assert queue() == []


def test_an_uncertain_prediction_has_margin_and_entropy(database: Engine) -> None:
    (stored,) = store(database, made("good and bad", **uncertain(0.55)))
    (item,) = queue()
    assert item["reasons"] == [
        {"reason": "uncertain", "margin": pytest.approx(0.1), "entropy": pytest.approx(0.9928, abs=1e-4)}
    ]
    assert (item["id"], item["text"], item["copies"]) == (stored, "good and bad", 1)
    assert set(item) == {
        "id", "text", "sentiment", "confidence", "probabilities", "novelty", "model_version", "predicted_at",
        "copies", "reasons",
    }  # fmt: skip


def test_uncertainty_is_between_the_two_most_probable_of_many_labels(database: Engine) -> None:
    several = {"a": 0.45, "b": 0.41, "c": 0.08, "d": 0.06}
    store(database, made("one of four", sentiment="a", confidence=0.45, probabilities=several))
    (item,) = queue()
    assert item["reasons"][0]["margin"] == pytest.approx(0.04)
    assert item["reasons"][0]["entropy"] == pytest.approx(0.7904, abs=1e-4)


def test_a_novel_text_has_its_novelty(database: Engine) -> None:
    store(database, made("Der Film ist ein Fest.", novelty=2.5), made("no number", novelty=None))
    (item,) = queue()
    assert item["reasons"] == [{"reason": "novel", "novelty": 2.5}]


def test_a_prediction_contradicted_by_a_near_duplicate_s_label_names_it(database: Engine) -> None:
    labeled, _ = store(database, made(LINE, 9), made(NEAR, 8))
    label(database, labeled, "negative")
    (item,) = queue()
    assert (item["text"], item["sentiment"]) == (NEAR, "positive")
    assert item["reasons"] == [
        {
            "reason": "disagrees",
            "label": "negative",
            "similarity": pytest.approx(15 / 17, abs=1e-4),
            "with": labeled,
        }
    ]


def test_an_agreeing_near_duplicate_or_a_less_similar_text_is_not_a_reason(database: Engine) -> None:
    agreed, far, *_ = store(
        database,
        made(LINE, 9),
        made("the second half of the film is the better one and by a long way at that", 8),
        made(NEAR, 7),
        made("the second half of the film was shot in Iceland, a fact that nobody needs to know", 6),
    )
    label(database, agreed, "positive")
    label(database, far, "negative")
    assert queue() == []


def test_a_text_with_one_contradicting_label_is_listed_again_but_not_with_two(database: Engine) -> None:
    first, second, third = store(database, *(made(LINE, minutes) for minutes in (9, 8, 7)))
    label(database, first, "negative")
    (item,) = queue()
    assert (item["id"], item["copies"]) == (third, 2)
    assert item["reasons"] == [{"reason": "disagrees", "label": "negative", "similarity": 1.0, "with": None}]
    label(database, second, "negative")
    assert queue() == []


def test_a_text_with_an_agreeing_label_is_done_even_if_its_copies_are_uncertain(
    database: Engine,
) -> None:
    first, _ = store(
        database, made("so so", 9, **uncertain(0.5)), made("so so", 8, **uncertain(0.5), novelty=3.0)
    )
    label(database, first, "positive")
    assert queue() == []


def test_a_repeated_text_is_one_item_the_newest(database: Engine) -> None:
    stored = store(database, *(made("ping", minutes, **uncertain(0.51)) for minutes in range(100, 0, -1)))
    store(database, made("another", 200, **uncertain(0.58)))
    items = queue()
    assert texts(items) == ["ping", "another"]
    assert (items[0]["id"], items[0]["copies"]) == (stored[-1], 100)


def test_of_near_duplicates_only_the_strongest_is_listed(database: Engine) -> None:
    store(
        database,
        *(
            made(f"{LINE} number {number}", number, **uncertain(0.5 + number / 1000))
            for number in range(1, 30)
        ),
        made("something else entirely", 99, **uncertain(0.59)),
    )
    assert texts(queue()) == [f"{LINE} number 1", "something else entirely"]


def test_reasons_alternate_with_the_strongest_of_each_first(database: Engine) -> None:
    wrong, *_ = store(
        database,
        made(LINE, 50),
        made(NEAR, 40),
        made("torn", 30, **uncertain(0.501)),
        made("nearly torn", 20, **uncertain(0.55)),
        made("very strange", 15, novelty=4.0),
        made("strange", 10, novelty=2.0),
        made("strange and torn", 5, novelty=3.0, **uncertain(0.51)),
    )
    label(database, wrong, "negative")
    items = queue()
    assert texts(items) == [NEAR, "torn", "very strange", "strange and torn", "nearly torn", "strange"]
    assert [reason["reason"] for reason in items[3]["reasons"]] == ["uncertain", "novel"]
    assert texts(queue(limit="2")) == [NEAR, "torn"]


def test_the_same_rows_give_the_same_queue(database: Engine) -> None:
    store(database, *(made(f"as likely as number {number}", 1, **uncertain(0.5)) for number in range(40)))
    assert queue(limit="30") == queue(limit="30")


def test_the_queue_is_filtered_by_version_but_labels_count_for_all(database: Engine) -> None:
    old, _, _ = store(
        database,
        made("seen before", 9, model_version="v1", **uncertain(0.5)),
        made("seen before", 8, model_version="v2", **uncertain(0.5)),
        made("new to both", 7, model_version="v2", **uncertain(0.5)),
    )
    assert texts(queue(model_version="v1")) == ["seen before"]
    label(database, old, "positive")
    assert queue(model_version="v1") == []
    assert texts(queue(model_version="v2")) == ["new to both"]


def test_predictions_without_a_stored_text_are_not_listed(database: Engine) -> None:
    store(database, made(None, **uncertain(0.5)))
    assert queue() == []


def test_old_predictions_are_not_listed(database: Engine) -> None:
    month, hour = 60 * 24 * 30, 60  # more than a slow run of all tests takes
    store(
        database,
        made("old", month + 5, **uncertain(0.5)),
        made("just in time", month - hour, **uncertain(0.5)),
    )
    assert texts(queue()) == ["just in time"]


def test_texts_of_any_script_without_words_or_very_long_are_compared(database: Engine) -> None:
    strange = ("☂☂☂", "…", "这部电影很好看", "\u202eevil", "x" * 5000, "a b")
    store(database, *(made(text, novelty=9.0) for text in strange))
    assert sorted(texts(queue())) == sorted(strange)


def test_look_back_and_labels_are_found_by_an_index(database: Engine) -> None:
    stored = store(database, *(made(f"text {number}", number / 10) for number in range(3000)))
    for prediction_id in stored[::500]:
        label(database, prediction_id, "positive")
    with database.begin() as connection:
        connection.exec_driver_sql("ANALYZE prediction_logs")
    statements: list[tuple[str, Any]] = []

    @event.listens_for(engine(), "before_cursor_execute")
    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    queue()
    get("/reports/performance")
    event.remove(engine(), "before_cursor_execute", remember)

    with database.connect() as connection:
        plans = {
            statement: "\n".join(
                row[0] for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters)
            )
            for statement, parameters in statements
            if "OFFSET" in statement or "feedback_at IS NOT NULL" in statement
        }
    month = f"prediction_logs_{NOW:%Y_%m}"
    look_back, labels, agreement = plans.values()
    assert f"{month}_pkey" in look_back
    assert all(f"{month}_id_idx" in plan for plan in (labels, agreement)), "the index of rows with feedback"
    assert f"Seq Scan on {month}" not in look_back + labels + agreement
