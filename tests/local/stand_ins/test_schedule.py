"""The schedule of the drift monitor on the laptop, and the lines that it reports."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.drift_summary import summarize_reconciliation, summarize_run
from local.processes import wait_until
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.schedule import Schedule, next_run

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
    """Returns or raises a given result, and counts its events and retirements."""

    name, cold_start_ms = "drift_monitor", None

    def __init__(self, result: Any = JUDGED) -> None:
        self.result, self.events, self.retired = result, list[dict[str, Any]](), 0

    def invoke(self, event: Mapping[str, Any]) -> Any:
        self.events.append(dict(event))
        if isinstance(self.result, Exception):
            raise self.result
        return RECONCILED if event.get("action") else self.result

    def retire(self) -> None:
        self.retired += 1

    def peak_memory_mb(self) -> None: ...
    def close(self) -> None: ...


def scheduled(monitor: DriftMonitor, every: timedelta = HOUR) -> tuple[Schedule, list[str]]:
    reported: list[str] = []
    return Schedule(monitor, every=every, report=reported.append), reported


@pytest.mark.parametrize(
    ("now", "minutes", "due"),
    [
        ("14:00:00", 60, "15:00:00"),
        ("14:59:59", 60, "15:00:00"),
        ("14:01:00", 15, "14:15:00"),
        ("23:30:00", 1440, "00:00:00"),
    ],
)
def test_runs_are_due_at_multiples_of_the_interval(now: str, minutes: int, due: str) -> None:
    start = datetime.fromisoformat(f"2026-11-25T{now}+00:00")
    found = next_run(start, timedelta(minutes=minutes))
    assert f"{found:%H:%M:%S}" == due
    assert found > start


def test_each_run_judges_its_window_and_the_first_of_a_day_reconciles() -> None:
    monitor = DriftMonitor()
    schedule, reported = scheduled(monitor)
    for due in (DUE, DUE + HOUR, DUE + 10 * HOUR):
        schedule.run(due)
    assert monitor.events == [
        {"scheduled_at": "2026-11-25T14:00:00+00:00"},
        {"action": "reconcile", "scheduled_at": "2026-11-25T14:00:00+00:00"},
        {"scheduled_at": "2026-11-25T15:00:00+00:00"},
        {"scheduled_at": "2026-11-26T00:00:00+00:00"},
        {"action": "reconcile", "scheduled_at": "2026-11-26T00:00:00+00:00"},
    ]
    assert monitor.retired == 3, "its memory is released between runs"
    assert reported[0] == "drift run: data drift, lower accuracy (score 0.50, 1,250 predictions)"
    assert reported[1].endswith("118 of 120 served predictions are stored, 2 are missing")


def test_a_failed_run_is_reported_and_the_next_one_reconciles() -> None:
    monitor = DriftMonitor(FunctionError("drift_monitor: Task timed out"))
    schedule, reported = scheduled(monitor)
    schedule.run(DUE)
    assert reported == ["drift monitor failed: drift_monitor: Task timed out"] * 2
    monitor.result = JUDGED
    schedule.run(DUE + HOUR)
    assert monitor.events[-1]["action"] == "reconcile"


def test_the_schedule_continues_after_any_error_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    monitor = DriftMonitor(KeyError("unexpected"))
    schedule, reported = scheduled(monitor, every=timedelta(seconds=0.2))
    with caplog.at_level(logging.CRITICAL):
        schedule.start()
        assert wait_until(lambda: len(reported) >= 3, seconds=10)
    assert all("the schedule continues" in line for line in reported)
    schedule.stop()
    runs = len(monitor.events)
    time.sleep(0.5)
    assert len(monitor.events) == runs


def test_summaries_give_the_verdict_or_the_reason_why_there_is_none() -> None:
    assert summarize_run({"judged": False, "cause": "empty_window", "reason": "nothing was stored"}) == (
        "drift run: no verdict, nothing was stored"
    )
    assert "calm (score 0.00" in summarize_run({"judged": True, "score": 0.0, "rows": 200})
    uncounted = {"reconciled": False, "day": "2026-11-24", "served": None, "stored": 3, "missing": None}
    assert "no traffic was counted" in summarize_reconciliation(uncounted)
    assert summarize_reconciliation({**RECONCILED, "missing": 0}).endswith(
        "118 of 120 served predictions are stored"
    )
