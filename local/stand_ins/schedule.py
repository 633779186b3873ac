"""The schedule that EventBridge keeps in the cloud: when the drift monitor runs.

Each hour it looks for drift, and once a day it compares what was answered with what is stored. Runs are due
at whole multiples of the interval (with 60 minutes, on the hour), so a restart changes no window. A run that
was due while the laptop slept is made up for once, when it wakes.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from local.stand_ins.lambda_runtime import Function, FunctionError
from local.stand_ins.verdicts import in_words

logger = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINISH_SECONDS = 5.0
LOOK_SECONDS = 30.0  # at the clock, which a sleeping laptop moves on


class Schedule:
    """The drift monitor's schedule, in a thread of its own; `tell` hears one line of each run."""

    def __init__(self, drift_monitor: Function, *, every: timedelta, tell: Callable[[str], None]) -> None:
        self._drift_monitor, self._every, self._tell = drift_monitor, every, tell
        self._reconciled: date | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Begin to wait for the first run."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a run at hand gets a moment to finish and is else cut off with its function."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(FINISH_SECONDS)

    def run(self, due: datetime) -> None:
        """Look for drift as of `due`, and on the first run of a day reconcile the day before as well."""
        self._invoke({"scheduled_at": due.isoformat()}, describe_run)
        if self._reconciled != due.date():
            event = {"action": "reconcile", "scheduled_at": due.isoformat()}
            if self._invoke(event, describe_reconciliation):
                self._reconciled = due.date()
        self._drift_monitor.retire()  # an hour is long for half a gigabyte to wait

    def _run(self) -> None:
        while self._wait(due := next_run(datetime.now(UTC), self._every)):
            try:
                self.run(due)
            except Exception as error:  # whatever it is: a monitor must not switch itself off unseen
                logger.exception("a scheduled run failed")
                self._tell(f"the drift monitor's schedule failed: {error!r}; it goes on")

    def _wait(self, due: datetime) -> bool:
        """Wait until it is due; return False when it is time to stop instead."""
        while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
            if self._stopping.wait(min(left, LOOK_SECONDS)):
                return False
        return not self._stopping.is_set()

    def _invoke(self, event: Mapping[str, Any], describe: Callable[[Mapping[str, Any]], str]) -> bool:
        try:
            self._tell(describe(self._drift_monitor.invoke(event)))
        except FunctionError as error:
            self._tell(f"the drift monitor failed: {error}")
            return False
        return True


def next_run(now: datetime, every: timedelta) -> datetime:
    """Return the next whole multiple of the interval after now."""
    return EPOCH + ((now - EPOCH) // every + 1) * every


def describe_run(answer: Mapping[str, Any]) -> str:
    """Say in one line what a drift run found."""
    if not answer["judged"]:
        return f"drift run: no judgement, {answer['reason']}"
    return f"drift run: {in_words(answer)}"


def describe_reconciliation(answer: Mapping[str, Any]) -> str:
    """Say in one line what a reconciliation found."""
    if not answer.get("judged", True):
        return f"reconciliation: no comparison, {answer['reason']}"
    if not answer["reconciled"]:
        return f"reconciliation of {answer['day']}: nobody counted what was answered"
    missing = f", {answer['missing']:,} are missing" if answer["missing"] else ""
    return (
        f"reconciliation of {answer['day']}: of {answer['served']:,} answered predictions "
        f"{answer['stored']:,} are stored{missing}"
    )
