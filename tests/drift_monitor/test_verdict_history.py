"""Whether drift persists over the recorded runs, or has ended."""

from datetime import UTC, datetime, timedelta

import pytest
from sentiment.database.runs import WINDOW_DATASET, WINDOW_SPLIT, record_dataset_metrics
from sentiment.database.session import transaction
from sqlalchemy import Engine

from functions.drift_monitor.verdict_history import (
    Persistence,
    last_run_ended,
    read_verdict_history,
    verdict_history_of,
)
from tests.drift_monitor.sample_data import VERSION

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


def record(database: Engine, hour: int, drifted: bool, version: str = VERSION) -> None:
    """Record the verdict of a run."""
    until = (START + timedelta(hours=hour)).isoformat()
    metrics = {"model_version": version, "until": until, "data_drift": {"drifted": drifted}}
    with transaction(database) as session:
        record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{version} {until}",
            split=WINDOW_SPLIT,
            rows=500,
            metrics=metrics,
        )


def verdict_history(database: Engine, hour: int) -> list[bool]:
    with transaction(database) as session:
        runs = read_verdict_history(session, VERSION, before=START + timedelta(hours=hour), limit=3)
        return verdict_history_of("data_drift", runs)


def test_the_verdict_history_is_read_from_recorded_runs_newest_first(database: Engine) -> None:
    for hour, drifted in enumerate([True, True, False, False]):
        record(database, hour, drifted)
    record(database, 3, True, version="another-model")
    assert verdict_history(database, 4) == [False, False, True]
    assert verdict_history(database, 2) == [True, True], "neither its own nor later windows"
    with transaction(database) as session:
        end = START + timedelta(hours=3)
        assert last_run_ended(session, VERSION, by=end) == end
        assert last_run_ended(session, VERSION, by=end - timedelta(minutes=1)) == START + timedelta(hours=2)
        assert last_run_ended(session, "a model that never ran", by=end) is None
        assert last_run_ended(session, by=end) == end
    assert verdict_history_of("performance", [{"data_drift": {"drifted": True}}]) == [False]


def test_a_repeated_run_counts_once(database: Engine) -> None:
    for _ in range(3):
        record(database, 0, True)
    assert verdict_history(database, 1) == [True]


@pytest.mark.parametrize(
    ("verdicts", "holds", "recovered"),
    [
        ("D", False, False),
        ("DD", True, False),
        ("DC", False, False),
        ("DCD", True, False),  # one window without drift changes nothing
        ("DDC", True, False),
        ("DCC", False, True),
        ("CDCD", True, False),
        ("DCDC", False, False),  # would not be sent if it were new, but is not resolved either
        ("C", False, False),
        ("CC", False, True),
    ],
)
def test_drift_in_two_of_three_windows_persists_and_two_without_drift_end_it(
    verdicts: str, holds: bool, recovered: bool
) -> None:
    newest_first = [verdict == "D" for verdict in reversed(verdicts)]
    persistence = Persistence(2, 3)
    assert (persistence.holds(newest_first), persistence.recovered(newest_first)) == (holds, recovered)
