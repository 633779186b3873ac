"""How answers leave: rows as JSON, errors in the API's one shape, and a correlation id on all of them."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response, content_types
from sentiment.database.models import Record
from sentiment.database.predictions import Audit
from sentiment.http import error_body

# Figures and stored texts are the caller's alone and old in a minute.
HEADERS = {"cache-control": "no-store"}


def row_of(record: Record) -> dict[str, Any]:
    """Return every column of the row by name."""
    return {name: getattr(record, name) for name in record.__table__.columns.keys()}  # noqa: SIM118


def describe_audit(audit: Audit) -> dict[str, Any]:
    """Return the audit's rows and, in front, who and what stands behind the answer; null if not recorded."""
    deployment, promotion, run = audit.deployment, audit.promotion, audit.run
    return {
        "answered_by": {
            "model_version": audit.prediction.model_version,
            "data_fingerprint": run and run.data_fingerprint,
            "mlflow_run_id": run and run.run_id,
            "image_digest": deployment and deployment.image_digest,
            "function_version": deployment and deployment.function_version,
            "promoted_by": promotion and promotion.deployed_by,
            "promoted_at": promotion and promotion.deployed_at,
            "reason": promotion and promotion.reason,
        },
        **{name: row and row_of(row) for name, row in audit._asdict().items()},
    }


def next_before(rows: Sequence[dict[str, Any]], limit: int) -> UUID | None:
    """Return where the next page begins, None behind the last one."""
    return rows[-1]["id"] if len(rows) == limit else None


def to_json(value: Any) -> str:
    """Write JSON with ids as text and times in ISO 8601 with their zone; NaN is refused."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def error_answer(status: int, code: str, message: str, correlation_id: str) -> Response[str]:
    """Build the one shape of error, which is also the API's."""
    return Response(
        status, content_types.APPLICATION_JSON, to_json(error_body(code, message, correlation_id))
    )


def _plain(value: Any) -> str:
    if isinstance(value, date):  # or a datetime, which is one
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")
