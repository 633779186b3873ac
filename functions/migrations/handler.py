"""Migrates the schema and refreshes the logins on deployment, and maintains partitions daily.

The only rows it writes are alerts about predictions without a partition.
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
    """Create this instance's connection pool."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Perform the event's `action` and return what was done.

    `upgrade` (the default) migrates to the latest revision, refreshes the logins and creates partitions;
    `downgrade` needs a `revision` ("base" drops everything); `maintain_partitions` is also the action of
    EventBridge's daily event.
    """
    scheduled = event.get("detail-type") == "Scheduled Event"
    result: dict[str, Any]
    match event.get("action", "maintain_partitions" if scheduled else "upgrade"):
        case "upgrade":
            with transaction(engine()) as session:
                revision = upgrade(session.connection())
                refresh_logins(session.connection(), settings().database_logins)
            result = {"revision": revision, "logins": list(settings().database_logins), **_maintain()}
        case "downgrade" if event.get("revision"):
            with transaction(engine()) as session:
                result = {"revision": downgrade(session.connection(), event["revision"])}
        case "downgrade":
            raise InvalidInputError(
                'downgrade needs a "revision", for example "base", which drops everything'
            )
        case "maintain_partitions":
            result = _maintain()
        case unknown:
            raise InvalidInputError(f"action {unknown!r}: use upgrade, downgrade or maintain_partitions")
    logger("migrations").info("action completed", result=result)
    return result


def _maintain() -> dict[str, Any]:
    with transaction(engine()) as session:
        maintenance = maintain_partitions(
            session.connection(),
            today=datetime.now(UTC).date(),
            retention_months=settings().retention_months,
        )
    report_strays(engine(), maintenance, settings().alert_topic_arn)
    return asdict(maintenance)
