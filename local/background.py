"""What a system that stays up does beside answering: count its traffic, look for drift, train again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from local.retraining import Retraining
from local.settings import LocalSettings
from local.stand_ins.schedule import Schedule
from local.system import System


@contextmanager
def watching(system: System, settings: LocalSettings, *, tell: Callable[[str], None]) -> Iterator[None]:
    """Watch the system for the length of the block; `tell` hears one line of all that happens."""

    def tell_when(line: str) -> None:
        tell(f"{datetime.now(UTC):%H:%M:%S} {line}")

    schedule = Schedule(
        system.drift_monitor, every=timedelta(minutes=settings.drift_every_minutes or 1), tell=tell_when
    )
    retraining = Retraining(system, data=settings.training_data, tell=tell_when)
    system.traffic.start()
    if settings.drift_every_minutes:
        schedule.start()
    if system.aws.state_machine_arn:
        retraining.start()
    try:
        yield
    finally:
        retraining.stop()
        schedule.stop()
