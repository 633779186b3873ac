"""The exception hierarchy: every error raised on purpose, with a stable code for clients.

The HTTP status is beside the code, so that the API needs one handler for all of them.
"""

from typing import ClassVar


class SentimentError(Exception):
    """Base class. The message says in one line what is wrong, where, and how to fix it."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500


class ConfigurationError(SentimentError):
    """A setting is missing, invalid or a placeholder."""

    code = "configuration_error"


class SecurityError(SentimentError):
    """A request is not allowed."""

    code = "forbidden"
    status = 403


class UnknownNameError(SecurityError):
    """The models do not define a table or column that the caller named."""

    code = "unknown_name"
    status = 404


class InvalidInputError(SentimentError):
    """The input is well-formed but not valid."""

    code = "invalid_input"
    status = 422


class PayloadTooLargeError(SentimentError):
    """The request body is over the limit."""

    code = "payload_too_large"
    status = 413


class ModelError(SentimentError):
    """The artifact is missing, damaged or incompatible, or inference failed."""

    code = "model_error"
    status = 503


class QueueError(SentimentError):
    """Neither the queue nor the fallback in S3 accepted the record, so no prediction is returned."""

    code = "not_stored"
    status = 503


class InvocationError(SentimentError):
    """Another Lambda function failed."""

    code = "invocation_failed"


class DatabaseError(SentimentError):
    """Postgres returned an error or could not be reached."""

    code = "database_error"
    status = 503


class PredictionNotFoundError(DatabaseError):
    """Feedback for a prediction that is not stored (yet); its message is retried."""

    code = "prediction_not_found"
    status = 404
