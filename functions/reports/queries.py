"""The query parameters of each route; anything else is rejected with one clear message."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from sentiment.database.windows import Window
from sentiment.exceptions import InvalidInputError
from sentiment.validation import Problem, problems_of

LONGEST_WINDOW_HOURS = 24 * 31
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # the earliest time that an id can hold
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")  # an unescaped + in a URL is a space


def _read_instant(text: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(_LOST_PLUS.sub("+", str(text)))
        if instant.tzinfo is None:
            raise ValueError
        instant = instant.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("must be ISO 8601 with a time zone, such as 2026-11-25T08:00:00Z") from None
    if instant < EARLIEST:
        raise ValueError("must not be before 1970")
    return instant


def _refuse_nul(text: str) -> str:
    if "\0" in text:  # Postgres can neither store nor compare it
        raise ValueError("must not contain a NUL character")
    return text


Limit = Annotated[int, Field(ge=1, le=200)]
Days = Annotated[int, Field(ge=1, le=31)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
Instant = Annotated[datetime, BeforeValidator(_read_instant)]
_uuid = TypeAdapter(UUID)


class Query(BaseModel):
    """Unknown parameters are rejected: an ignored typo would return something else than requested."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class TimeRangeQuery(Query):
    """A time range that includes `since` and excludes `until`."""

    since: Instant | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.since is not None and self.since > datetime.now(UTC):
            raise ValueError("since must not be in the future")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class SummaryQuery(TimeRangeQuery):
    """The last `hours`, or from `since` to `until` (default: now)."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_HOURS)] | None = None

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.since is None and self.until is not None:
            raise ValueError("until requires since")
        if self.since is not None and self.hours is not None:
            raise ValueError("use either hours, or since and until")
        window = self.window(datetime.now(UTC))
        if window.until - window.since > timedelta(hours=LONGEST_WINDOW_HOURS):
            raise ValueError(f"since and until must be at most {LONGEST_WINDOW_HOURS} hours apart")
        return self

    def window(self, now: datetime) -> Window:
        """Return the time range."""
        if self.since is not None:
            return Window(self.since, self.until or now)
        return Window.ending(now, hours=self.hours or 24)


class PredictionsQuery(TimeRangeQuery):
    """Which predictions to list; `before` is the `next_before` of the previous page."""

    limit: Limit = 50
    before: UUID | None = None
    sentiment: Name | None = None
    model_version: Name | None = None
    minimum_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    minimum_novelty: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    truncated: bool | None = None
    with_feedback: bool | None = None


class AlertsQuery(Query):
    """Whether to list open alerts or all, and of which kind."""

    state: Literal["open", "all"] = "open"
    kind: Name | None = None
    limit: Limit = 50
    before: UUID | None = None


class DriftQuery(TimeRangeQuery):
    """Which drift runs to list, by the end of their window; the default limit is a week of hourly runs."""

    limit: Limit = 168
    before: UUID | None = None
    model_version: Name | None = None


class DaysQuery(Query):
    """The last `days` days, including today."""

    days: Days = 7

    def window(self, now: datetime) -> Window:
        """Return the time range from midnight (UTC) of the first day until `now`."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Window(today - timedelta(days=self.days - 1), now)


class PerformanceQuery(DaysQuery):
    """Which model version; by default all together."""

    model_version: Name | None = None


class ReviewQuery(Query):
    """How many predictions to list for labeling."""

    limit: Limit = 20
    model_version: Name | None = None


class PageQuery(Query):
    """Whether to redirect to the report or return its URL; scripts in a browser cannot read a redirect."""

    redirect: bool = True


class DeploymentsQuery(Query):
    """How many deployments to list."""

    limit: Limit = 50


QueryT = TypeVar("QueryT", bound=Query)


def parse_query(query: type[QueryT], parameters: Mapping[str, Any]) -> QueryT:
    """Parse query parameters; raises InvalidInputError that names each invalid one and the rule it breaks."""
    try:
        return query.model_validate(dict(parameters))
    except ValidationError as error:
        problems = (_describe(query, problem) for problem in problems_of(error))
        raise InvalidInputError("; ".join(problems)) from None


def parse_id(
    text: str, message: str = "the id of a prediction must be a UUID, as returned by /predict"
) -> UUID:
    """Parse an id; raises InvalidInputError with the message."""
    try:
        return _uuid.validate_python(text)
    except ValidationError:
        raise InvalidInputError(message) from None


def _describe(query: type[Query], problem: Problem) -> str:
    if problem.rule == "extra_forbidden":  # not quoted: it is untrusted
        known = ", ".join(query.model_fields)
        return f"unknown parameter; use {known}"
    message = problem.message
    if not problem.path:
        return message
    return f"{problem.location}: {message[:1].lower()}{message[1:]}"
