"""Responses: rows as JSON, errors in the same format as the API's, and correlation ids."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response, content_types
from sentiment.database.models import Record
from sentiment.database.predictions import Audit
from sentiment.http import error_body

# Reports hold stored texts and are soon out of date.
HEADERS = {"cache-control": "no-store"}


def row_of(record: Record) -> dict[str, Any]:
    """Return every column of the row by name."""
    return {name: getattr(record, name) for name in record.__table__.columns.keys()}  # noqa: SIM118


def describe_audit(audit: Audit) -> dict[str, Any]:
    """Return the audit's rows, and a summary of what answered the prediction; None if not recorded."""
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
    """Return the cursor of the next page, or None after the last."""
    return rows[-1]["id"] if len(rows) == limit else None


def to_json(value: Any) -> str:
    """Return JSON with ids as text and times in ISO 8601 with their time zone; NaN is refused."""
    return json.dumps(value, default=_serialize, allow_nan=False, separators=(",", ":"))


def error_response(status: int, code: str, message: str, correlation_id: str) -> Response[str]:
    """Build an error response in the same format as the API."""
    return Response(
        status, content_types.APPLICATION_JSON, to_json(error_body(code, message, correlation_id))
    )


def _serialize(value: Any) -> str:
    if isinstance(value, date):  # which includes datetime
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not serializable")
