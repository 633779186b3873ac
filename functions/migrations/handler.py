"""Brings schema and logins to this code's version on deployment, and looks after partitions on a daily event.

It writes no data of its own but alerts about rows that have no partition.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.database.session import make_engine, transaction
from sentiment.exceptions import InvalidInputError
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.migrations.alerts import report_strays
from functions.migrations.logins import refresh_logins
from functions.migrations.partitions import maintain_partitions
from functions.migrations.schema import downgrade, upgrade
from functions.migrations.settings import settings


@cache
def engine() -> Engine:
    """Make this instance's one connection pool."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event's `action` says and return what was done.

    `upgrade` (the default) migrates to the newest version, refreshes the logins and makes partitions;
    `downgrade` needs a `revision` ("base" drops everything); `maintain_partitions` is also what EventBridge's
    daily event means.
    """
    scheduled = event.get("detail-type") == "Scheduled Event"
    done: dict[str, Any]
    match event.get("action", "maintain_partitions" if scheduled else "upgrade"):
        case "upgrade":
            with transaction(engine()) as session:
                revision = upgrade(session.connection())
                refresh_logins(session.connection(), settings().database_logins)
            done = {"revision": revision, "logins": list(settings().database_logins), **_maintain()}
        case "downgrade" if event.get("revision"):
            with transaction(engine()) as session:
                done = {"revision": downgrade(session.connection(), event["revision"])}
        case "downgrade":
            raise InvalidInputError('downgrade needs a "revision", such as "base", which drops everything')
        case "maintain_partitions":
            done = _maintain()
        case unknown:
            raise InvalidInputError(f"action {unknown!r}: use upgrade, downgrade or maintain_partitions")
    logger("migrations").info("done", done=done)
    return done


def _maintain() -> dict[str, Any]:
    with transaction(engine()) as session:
        maintenance = maintain_partitions(
            session.connection(),
            today=datetime.now(UTC).date(),
            retention_months=settings().retention_months,
        )
    report_strays(engine(), maintenance, settings().alert_topic_arn)
    return asdict(maintenance)
