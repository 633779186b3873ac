from datetime import UTC, datetime, timedelta

import pytest
from sentiment.database.predictions import store_predictions
from sentiment.database.windows import (
    Window,
    choose_window,
    count_by_version,
    least_id,
    sample_predictions,
)
from sentiment.messages import uuid7_time
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import prediction

NOW = datetime.now(UTC)
VERSION = prediction().model_version


def store(database: Engine, count: int) -> Window:
    made = [prediction(NOW - timedelta(seconds=n), tokens=n + 1) for n in range(count)]
    with Session(database) as session, session.begin():
        store_predictions(session, made)
    return Window(NOW - timedelta(hours=1), NOW + timedelta(seconds=1))


def test_the_smallest_id_of_an_instant_has_that_millisecond() -> None:
    assert abs(uuid7_time(least_id(NOW)) - NOW) < timedelta(milliseconds=1)


def test_a_window_includes_its_start_and_excludes_its_end(database: Engine) -> None:
    made = prediction(NOW)
    with Session(database) as session, session.begin():
        store_predictions(session, [made])
        hour = timedelta(hours=1)
        assert count_by_version(session, Window(NOW, NOW + hour)) == {VERSION: 1}
        assert count_by_version(session, Window(NOW - hour, NOW)) == {}
        assert count_by_version(session, Window.ending(NOW + hour, hours=1)) == {VERSION: 1}


def test_a_sample_is_reproducible_and_spread_over_the_window(database: Engine) -> None:
    window = store(database, 1000)
    with Session(database) as session:
        one, other = (
            {row.tokens for row in sample_predictions(session, window, model_version=VERSION, limit=200)}
            for _ in range(2)
        )
    assert one == other
    assert len(one) == 200
    assert 60 < sum(tokens > 500 for tokens in one) < 140


def test_a_small_window_is_read_completely_without_other_models(database: Engine) -> None:
    window = store(database, 30)
    with Session(database) as session, session.begin():
        store_predictions(session, [prediction(NOW, model_version="other")])
        rows = sample_predictions(session, window, model_version=VERSION, limit=200)
        assert sorted(row.tokens for row in rows) == list(range(1, 31))
        assert sample_predictions(session, window, model_version="unknown", limit=200) == []


@pytest.mark.parametrize(
    ("sufficient_rows", "hours"),
    [(1, 1), (12, 1), (13, 2), (24, 2), (25, 4), (60, 8), (150, 16), (200, 24), (10_000, 24)],
)
def test_the_window_is_the_shortest_power_of_two_hours_with_enough_rows(
    database: Engine, sufficient_rows: int, hours: int
) -> None:
    every_five_minutes = [prediction(NOW - timedelta(minutes=5 * n + 1)) for n in range(12 * 23)]
    another_model = [prediction(NOW - timedelta(minutes=1), model_version="canary") for _ in range(100)]
    with Session(database) as session, session.begin():
        store_predictions(session, every_five_minutes + another_model)
        chosen = choose_window(
            session, NOW, model_version=VERSION, sufficient_rows=sufficient_rows, longest_hours=24
        )
    assert chosen == Window.ending(NOW, hours=hours)
