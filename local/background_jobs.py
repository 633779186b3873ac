"""The background jobs of `sentiment up`: count traffic, check for drift, retrain."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from local.retraining import RetrainingWorker
from local.settings import LocalSettings
from local.stand_ins.schedule import Schedule
from local.system import System


@contextmanager
def running_background_jobs(
    system: System, settings: LocalSettings, *, report: Callable[[str], None]
) -> Iterator[None]:
    """Run the jobs while the block runs; `report` receives one line per event, with its time (UTC)."""

    def report_with_time(line: str) -> None:
        report(f"{datetime.now(UTC):%H:%M:%S} {line}")

    schedule = Schedule(
        system.drift_monitor,
        every=timedelta(minutes=settings.drift_every_minutes or 1),
        report=report_with_time,
    )
    retraining = RetrainingWorker(system, data=settings.training_data, report=report_with_time)
    system.traffic_counter.start()
    if settings.drift_every_minutes:
        schedule.start()
    if system.aws.state_machine_arn:
        retraining.start()
    try:
        yield
    finally:
        retraining.stop()
        schedule.stop()
