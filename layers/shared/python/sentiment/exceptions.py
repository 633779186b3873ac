"""The one exception hierarchy: every error the system raises on purpose, with the code clients can rely on.

HTTP status lives beside the code so that the API has one handler for all of them; nothing here knows FastAPI.
"""

from typing import ClassVar


class SentimentError(Exception):
    """Say in one line what is wrong, where, and how to mend it."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500


class ConfigurationError(SentimentError):
    """A setting is missing, malformed or a placeholder."""

    code = "configuration_error"


class SecurityError(SentimentError):
    """A request or a name asks for something it may not have."""

    code = "forbidden"
    status = 403


class UnknownNameError(SecurityError):
    """A table or column named by a caller that the models do not define."""

    code = "unknown_name"
    status = 404


class InvalidInputError(SentimentError):
    """The input is well-formed but not something this model can take."""

    code = "invalid_input"
    status = 422


class PayloadTooLargeError(SentimentError):
    """The request body is over the limit."""

    code = "payload_too_large"
    status = 413


class ModelError(SentimentError):
    """The artifact is missing, damaged or does not fit this code, or inference failed."""

    code = "model_error"
    status = 503


class QueueError(SentimentError):
    """Neither the queue nor the fallback in S3 took the record, so the client gets no answer."""

    code = "not_stored"
    status = 503


class InvocationError(SentimentError):
    """Another Lambda function failed."""

    code = "invocation_failed"


class DatabaseError(SentimentError):
    """Postgres refused or could not be reached."""

    code = "database_error"
    status = 503


class PredictionNotFoundError(DatabaseError):
    """Feedback for a prediction that is not stored (yet); its message should be retried."""

    code = "prediction_not_found"
    status = 404
