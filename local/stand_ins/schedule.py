"""The drift monitor's schedule, as EventBridge Scheduler runs it in AWS.

Checks for drift each hour, and once a day compares served with stored predictions. Runs are due at multiples
of the interval (with 60 minutes, on the hour), so a restart does not shift the windows. If runs were due
while the laptop slept, one run follows when it wakes.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from local.drift_summary import summarize_reconciliation, summarize_run
from local.stand_ins.lambda_runtime import Function, FunctionError

logger = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINISH_SECONDS = 5.0
CLOCK_SECONDS = 30.0  # between reads of the clock, which jumps when a laptop wakes


class Schedule:
    """Runs the drift monitor on schedule, in a thread; `report` receives one line per run."""

    def __init__(self, drift_monitor: Function, *, every: timedelta, report: Callable[[str], None]) -> None:
        self._drift_monitor, self._every, self._report = drift_monitor, every, report
        self._reconciled: date | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Start waiting for the first run."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a current run has some seconds to finish before its function is stopped."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(FINISH_SECONDS)

    def run(self, due: datetime) -> None:
        """Check for drift as of `due`, and in the first run of a day reconcile the day before."""
        self._invoke({"scheduled_at": due.isoformat()}, summarize_run)
        if self._reconciled != due.date():
            event = {"action": "reconcile", "scheduled_at": due.isoformat()}
            if self._invoke(event, summarize_reconciliation):
                self._reconciled = due.date()
        self._drift_monitor.retire()  # it holds half a gigabyte, for an hour

    def _run(self) -> None:
        while self._wait(due := next_run(datetime.now(UTC), self._every)):
            try:
                self.run(due)
            except Exception as error:  # any error: the schedule must not end silently
                logger.exception("scheduled run failed")
                self._report(f"scheduled run failed: {error!r}; the schedule continues")

    def _wait(self, due: datetime) -> bool:
        """Wait until a time; return False if stopped before."""
        while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
            if self._stopping.wait(min(left, CLOCK_SECONDS)):
                return False
        return not self._stopping.is_set()

    def _invoke(self, event: Mapping[str, Any], summarize: Callable[[Mapping[str, Any]], str]) -> bool:
        try:
            self._report(summarize(self._drift_monitor.invoke(event)))
        except FunctionError as error:
            self._report(f"drift monitor failed: {error}")
            return False
        return True


def next_run(now: datetime, every: timedelta) -> datetime:
    """Return the next whole multiple of the interval after now."""
    return EPOCH + ((now - EPOCH) // every + 1) * every
