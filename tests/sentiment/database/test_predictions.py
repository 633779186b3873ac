from datetime import UTC, datetime, timedelta

from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import find_predictions, store_predictions, stored_ids
from sentiment.database.session import transaction
from sentiment.database.windows import Window, summarize_predictions
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from tests.fixtures.messages import prediction, uuid7


def test_storing_nothing_sends_no_statement(database: Engine) -> None:
    with Session(database) as session:
        store_predictions(session, [])
        assert store_feedback(session, []) == set()
        assert not session.in_transaction()


def test_a_batch_is_one_statement(database: Engine) -> None:
    statements: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with transaction(database) as session:
        store_predictions(session, [prediction() for _ in range(500)])
    assert len(statements) == 1
    assert "ON CONFLICT (id) DO NOTHING" in statements[0]


def test_the_newest_predictions_are_read_in_pages(database: Engine) -> None:
    start = datetime.now(UTC) - timedelta(seconds=10)
    made = [
        prediction(start + timedelta(seconds=number), model_version=f"v{number % 2}") for number in range(7)
    ]
    newest_first = [one.prediction_id for one in reversed(made)]
    with transaction(database) as session:
        store_predictions(session, made)

        page = find_predictions(session, limit=4)
        rest = find_predictions(session, limit=20, before=page[-1].id)
        of_one_model = find_predictions(session, limit=20, model_version="v1")

        assert [row.id for row in [*page, *rest]] == newest_first
        assert [row.model_version for row in of_one_model] == ["v1"] * 3


def test_predictions_are_counted_by_sentiment_and_since(database: Engine) -> None:
    with transaction(database) as session:
        now = datetime.now(UTC)
        old = prediction(now - timedelta(seconds=5))
        new = [prediction(now), prediction(now), prediction(now, sentiment="negative")]
        store_predictions(session, [old, *new])

        until = now + timedelta(seconds=1)
        counted = [
            summarize_predictions(session, Window(since, until))["by_sentiment"]
            for since in (now - timedelta(hours=1), now - timedelta(seconds=1))
        ]
        assert counted == [{"positive": 3, "negative": 1}, {"positive": 2, "negative": 1}]


def test_stored_ids_returns_the_existing_ones(database: Engine) -> None:
    made, missing = prediction(), uuid7()
    with transaction(database) as session:
        store_predictions(session, [made])
        assert stored_ids(session, [made.prediction_id, missing]) == {made.prediction_id}
