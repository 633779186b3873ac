"""What a caller may ask with, as one class per route; anything else is refused with one clear sentence."""

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
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # the first that an id can tell
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")  # in a URL an unescaped + means a space


def _read_instant(text: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(_LOST_PLUS.sub("+", str(text)))
        if instant.tzinfo is None:
            raise ValueError
        instant = instant.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("give ISO 8601 with a time zone, such as 2026-11-25T08:00:00Z") from None
    if instant < EARLIEST:
        raise ValueError("lies before 1970")
    return instant


def _refuse_nul(text: str) -> str:
    if "\0" in text:  # Postgres can neither store nor compare it
        raise ValueError("holds a NUL character, which no name has")
    return text


Limit = Annotated[int, Field(ge=1, le=200)]
Days = Annotated[int, Field(ge=1, le=31)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
Instant = Annotated[datetime, BeforeValidator(_read_instant)]
_uuid = TypeAdapter(UUID)


class Question(BaseModel):
    """A misspelt parameter is an error: ignored, it would answer another question than was asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class SpanQuestion(Question):
    """From when to when: `since` is within it, `until` is not."""

    since: Instant | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.since is not None and self.since > datetime.now(UTC):
            raise ValueError("since lies in the future")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class SummaryQuestion(SpanQuestion):
    """How far back the summary reaches: the last `hours`, or from `since` to `until` (now)."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_HOURS)] | None = None

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.since is None and self.until is not None:
            raise ValueError("until needs a since")
        if self.since is not None and self.hours is not None:
            raise ValueError("give hours, or since and until, not both")
        window = self.window(datetime.now(UTC))
        if window.until - window.since > timedelta(hours=LONGEST_WINDOW_HOURS):
            raise ValueError(f"since and until lie more than {LONGEST_WINDOW_HOURS} hours apart")
        return self

    def window(self, now: datetime) -> Window:
        """Return the span that is meant."""
        if self.since is not None:
            return Window(self.since, self.until or now)
        return Window.ending(now, hours=self.hours or 24)


class PredictionsQuestion(SpanQuestion):
    """Which predictions to list; `before` is the `next_before` of the page already read."""

    limit: Limit = 50
    before: UUID | None = None
    sentiment: Name | None = None
    model_version: Name | None = None
    minimum_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    minimum_novelty: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    truncated: bool | None = None
    with_feedback: bool | None = None


class AlertsQuestion(Question):
    """Whether to list the open alerts or all of them, and of which kind."""

    state: Literal["open", "all"] = "open"
    kind: Name | None = None
    limit: Limit = 50
    before: UUID | None = None


class DriftQuestion(SpanQuestion):
    """Which drift runs to list, by the end of their window; a week of hourly ones unless told otherwise."""

    limit: Limit = 168
    before: UUID | None = None
    model_version: Name | None = None


class DaysQuestion(Question):
    """How many days back, up to now."""

    days: Days = 7

    def window(self, now: datetime) -> Window:
        """Return the span that is meant, from the midnight (UTC) that its first day began with."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Window(today - timedelta(days=self.days - 1), now)


class PerformanceQuestion(DaysQuestion):
    """Whose accuracy to tell; every version's together unless told otherwise."""

    model_version: Name | None = None


class ReviewQuestion(Question):
    """How many predictions to ask a person about."""

    limit: Limit = 20
    model_version: Name | None = None


class PageQuestion(Question):
    """Whether to lead to the page, or only to say where it is: a script cannot see where it is led."""

    redirect: bool = True


class DeploymentsQuestion(Question):
    """How many deployments to list."""

    limit: Limit = 50


QuestionT = TypeVar("QuestionT", bound=Question)


def read_question(question: type[QuestionT], parameters: Mapping[str, Any]) -> QuestionT:
    """Parse query parameters; raises InvalidInputError naming each one at fault and the rule it breaks."""
    try:
        return question.model_validate(dict(parameters))
    except ValidationError as error:
        problems = (_describe(question, problem) for problem in problems_of(error))
        raise InvalidInputError("; ".join(problems)) from None


def read_id(text: str, message: str = "the id of a prediction is a UUID, as /predict returned it") -> UUID:
    """Parse an id; raises InvalidInputError with that message."""
    try:
        return _uuid.validate_python(text)
    except ValidationError:
        raise InvalidInputError(message) from None


def _describe(question: type[Question], problem: Problem) -> str:
    if problem.rule == "extra_forbidden":  # not quoted: it is text of a stranger
        known = ", ".join(question.model_fields)
        return f"there is an unknown parameter; use {known}"
    message = problem.message
    if not problem.path:
        return message
    return f"{problem.location}: {message[:1].lower()}{message[1:]}"
