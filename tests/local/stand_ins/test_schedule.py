"""When the drift monitor runs on the laptop, and what people read of it."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.processes import wait_until
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.schedule import Schedule, describe_reconciliation, describe_run, next_run

DUE = datetime(2026, 11, 25, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECONCILED = {"reconciled": True, "day": "2026-11-24", "served": 120, "stored": 118, "missing": 2}
JUDGED = {
    "judged": True,
    "score": 0.5,
    "rows": 1250,
    "data_drift": {"drifted": True},
    "prediction_drift": {"drifted": False},
    "performance": {"drifted": True},
}


class DriftMonitor:
    """Answers as told, and remembers what was asked and how often it was let go."""

    name, cold_start_ms = "drift_monitor", None

    def __init__(self, answer: Any = JUDGED) -> None:
        self.answer, self.events, self.retired = answer, list[dict[str, Any]](), 0

    def invoke(self, event: Mapping[str, Any]) -> Any:
        self.events.append(dict(event))
        if isinstance(self.answer, Exception):
            raise self.answer
        return RECONCILED if event.get("action") else self.answer

    def retire(self) -> None:
        self.retired += 1

    def peak_memory_mb(self) -> None: ...
    def close(self) -> None: ...


def scheduled(monitor: DriftMonitor, every: timedelta = HOUR) -> tuple[Schedule, list[str]]:
    told: list[str] = []
    return Schedule(monitor, every=every, tell=told.append), told


@pytest.mark.parametrize(
    ("now", "minutes", "due"),
    [
        ("14:00:00", 60, "15:00:00"),
        ("14:59:59", 60, "15:00:00"),
        ("14:01:00", 15, "14:15:00"),
        ("23:30:00", 1440, "00:00:00"),
    ],
)
def test_runs_are_due_on_the_clock_however_often_the_system_starts(now: str, minutes: int, due: str) -> None:
    start = datetime.fromisoformat(f"2026-11-25T{now}+00:00")
    found = next_run(start, timedelta(minutes=minutes))
    assert f"{found:%H:%M:%S}" == due
    assert found > start


def test_each_run_judges_what_it_was_due_for_and_the_first_of_a_day_reconciles() -> None:
    monitor = DriftMonitor()
    schedule, told = scheduled(monitor)
    for due in (DUE, DUE + HOUR, DUE + 10 * HOUR):
        schedule.run(due)
    assert monitor.events == [
        {"scheduled_at": "2026-11-25T14:00:00+00:00"},
        {"action": "reconcile", "scheduled_at": "2026-11-25T14:00:00+00:00"},
        {"scheduled_at": "2026-11-25T15:00:00+00:00"},
        {"scheduled_at": "2026-11-26T00:00:00+00:00"},
        {"action": "reconcile", "scheduled_at": "2026-11-26T00:00:00+00:00"},
    ]
    assert monitor.retired == 3, "its memory is given back between runs"
    assert told[0] == "drift run: data drift, lower accuracy (score 0.50, 1,250 predictions)"
    assert told[1].endswith("of 120 answered predictions 118 are stored, 2 are missing")


def test_a_run_that_fails_is_told_and_reconciles_with_the_next() -> None:
    monitor = DriftMonitor(FunctionError("drift_monitor: Task timed out"))
    schedule, told = scheduled(monitor)
    schedule.run(DUE)
    assert told == ["the drift monitor failed: drift_monitor: Task timed out"] * 2
    monitor.answer = JUDGED
    schedule.run(DUE + HOUR)
    assert monitor.events[-1]["action"] == "reconcile"


def test_it_goes_on_by_itself_whatever_happens_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    monitor = DriftMonitor(KeyError("nobody thought of this"))
    schedule, told = scheduled(monitor, every=timedelta(seconds=0.2))
    with caplog.at_level(logging.CRITICAL):
        schedule.start()
        assert wait_until(lambda: len(told) >= 3, seconds=10)
    assert all("it goes on" in line for line in told)
    schedule.stop()
    runs = len(monitor.events)
    time.sleep(0.5)
    assert len(monitor.events) == runs


def test_what_could_not_be_judged_says_why() -> None:
    assert describe_run({"judged": False, "cause": "empty_window", "reason": "nothing was stored"}) == (
        "drift run: no judgement, nothing was stored"
    )
    assert "calm (score 0.00" in describe_run({"judged": True, "score": 0.0, "rows": 200})
    uncounted = {"reconciled": False, "day": "2026-11-24", "served": None, "stored": 3, "missing": None}
    assert "nobody counted" in describe_reconciliation(uncounted)
    assert describe_reconciliation({**RECONCILED, "missing": 0}).endswith("118 are stored")
