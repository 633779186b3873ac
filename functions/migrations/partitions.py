"""Maintains prediction_logs' monthly partitions: creates them in advance and drops them past retention.

The partition key is a UUIDv7, so a month is the range of ids from its first millisecond to the next month's.
The only SQL text built here are partition names, which come from months and never from a caller.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from sentiment.database.models import PredictionLog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    delete,
    exists,
    func,
    insert,
    inspect,
    select,
    text,
)

from functions.migrations.schema import lock

MONTHS_AHEAD = 2
LOCK_TIMEOUT = "5s"  # writers wait behind us while we wait for a reader; the daily event retries
LOGS = PredictionLog.__tablename__
DEFAULT = f"{LOGS}_default"


@dataclass(frozen=True)
class Maintenance:
    """What one run did. `strays` counts rows found without a partition, `moved` those that got one."""

    created: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    strays: int = 0
    moved: int = 0
    expired: int = 0


def maintain_partitions(connection: Connection, *, today: date, retention_months: int) -> Maintenance:
    """Create the partitions of this month and the next two, and drop those past retention.

    Strays (rows in the default partition) are moved to a partition of their month if it is within the
    retention, deleted if it is past, and left if it is in the future. Runs in the caller's transaction, one
    at a time; writers wait briefly during a change.
    """
    lock(connection)
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    current = today.replace(day=1)
    oldest, end = add_months(current, -retention_months), add_months(current, MONTHS_AHEAD + 1)
    existing = _existing(connection)
    default = _partition(DEFAULT)
    strays = connection.scalar(select(func.count()).select_from(default)) or 0
    created, moved = [], 0
    for month in _months(oldest, end):
        if month not in existing and (month >= current or (strays and _has_strays(connection, month))):
            moved += _create(connection, month)
            created.append(_name(month))
    dropped = [_name(month) for month in existing if month < oldest]
    for name in dropped:
        connection.execute(text(f"DROP TABLE {name}"))
    # Both times must be past: an id from a clock that was at 1970 is a mistake, not an old prediction.
    past = (default.c.id < lower_bound(oldest)) & (default.c.predicted_at < _start(oldest))
    expired = connection.execute(delete(default).where(past)).rowcount if strays else 0
    return Maintenance(created, dropped, strays, moved, expired)


def lower_bound(month: date) -> UUID:
    """Return the smallest UUIDv7 of that month (UTC; RFC 9562, section 5.7)."""
    return UUID(int=int(_start(month).timestamp() * 1000) << 80)


def add_months(month: date, count: int) -> date:
    """Return the first day of the month `count` months later, or earlier if negative."""
    index = month.year * 12 + month.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


def _create(connection: Connection, month: date) -> int:
    """Create the month's partition and move its strays there; return how many there were.

    Postgres cannot attach a partition while its rows are in the default one, so they are moved first, and
    the lock prevents new ones in between.
    """
    name, low, high = _name(month), lower_bound(month), lower_bound(add_months(month, 1))
    connection.execute(text(f"LOCK TABLE {LOGS} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"CREATE TABLE {name} (LIKE {LOGS} INCLUDING ALL)"))
    default = _partition(DEFAULT)
    strays = delete(default).where(_of_month(default, month)).returning(*default.c).cte("strays")
    copy = insert(_partition(name)).from_select(list(default.c.keys()), select(strays))
    moved = connection.execute(copy).rowcount
    bounds = f"FROM ('{low}') TO ('{high}')"
    connection.execute(text(f"ALTER TABLE {LOGS} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    return moved


def _has_strays(connection: Connection, month: date) -> bool:
    default = _partition(DEFAULT)
    return bool(connection.scalar(select(exists(select(default.c.id).where(_of_month(default, month))))))


def _of_month(partition: Table, month: date) -> ColumnElement[bool]:
    key = partition.c.id
    return (key >= lower_bound(month)) & (key < lower_bound(add_months(month, 1)))


def _existing(connection: Connection) -> list[date]:
    names = inspect(connection).get_table_names()
    matches = (re.fullmatch(rf"{LOGS}_(\d{{4}})_(\d{{2}})", name) for name in names)
    return sorted(date(int(match[1]), int(match[2]), 1) for match in matches if match)


def _months(first: date, end: date) -> Iterator[date]:
    while first < end:
        yield first
        first = add_months(first, 1)


def _name(month: date) -> str:
    return f"{LOGS}_{month:%Y_%m}"


def _start(month: date) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def _partition(name: str) -> Table:
    return Table(name, MetaData(), *(Column(c.name, c.type) for c in PredictionLog.__table__.columns))
