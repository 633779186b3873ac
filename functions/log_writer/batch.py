"""Stores a batch of messages: one invalid row fails alone, and after an outage the whole batch is retried."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.session import describe, sqlstate
from sentiment.database.traffic import store_traffic
from sentiment.exceptions import InvalidInputError, PredictionNotFoundError, SentimentError
from sentiment.messages import Fact, FeedbackGiven, PredictionMade, TrafficCounted
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

# SQLSTATE classes caused by the row: data exception, integrity constraint violation. All others are caused by
# the database or the network, and the whole batch is retried.
ROW_ERRORS = ("22", "23")

Facts = dict[str, Fact]  # by SQS message id
FactT = TypeVar("FactT", PredictionMade, FeedbackGiven, TrafficCounted)


def store(session: Session, facts: Facts) -> dict[str, SentimentError]:
    """Store the facts, predictions first, and return the errors of those that failed by message id.

    Safe to repeat. Raises DBAPIError if Postgres rather than a row is the cause.
    """
    predictions = {key: fact for key, fact in facts.items() if isinstance(fact, PredictionMade)}
    feedback = {key: fact for key, fact in facts.items() if isinstance(fact, FeedbackGiven)}
    errors = _store_rows(session, predictions, lambda rows: store_predictions(session, rows))
    counts = {key: fact for key, fact in facts.items() if isinstance(fact, TrafficCounted)}
    errors |= _store_rows(session, counts, lambda rows: store_traffic(session, rows))
    unknown = set()

    def write(rows: Sequence[FeedbackGiven]) -> None:
        unknown.update(store_feedback(session, rows))

    errors |= _store_rows(session, feedback, write)
    for key, fact in feedback.items():
        if fact.prediction_id in unknown and key not in errors:
            errors[key] = PredictionNotFoundError(f"prediction {fact.prediction_id} is not stored yet")
    return errors


def _store_rows(
    session: Session, facts: dict[str, FactT], write: Callable[[Sequence[FactT]], None]
) -> dict[str, SentimentError]:
    """Write the rows in one statement; if one is rejected, split in halves to isolate the invalid rows."""
    try:
        with session.begin_nested():
            write(list(facts.values()))
    except DBAPIError as error:
        if not sqlstate(error).startswith(ROW_ERRORS):
            raise
        if len(facts) == 1:
            return dict.fromkeys(facts, InvalidInputError(f"Postgres rejected the row: {describe(error)}"))
        items = list(facts.items())
        middle = len(items) // 2
        halves = (dict(items[:middle]), dict(items[middle:]))
        return {key: cause for half in halves for key, cause in _store_rows(session, half, write).items()}
    return {}
