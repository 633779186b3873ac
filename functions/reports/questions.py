"""What a caller may ask with, as one class per route; anything else is refused with one clear sentence."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sentiment.exceptions import InvalidInputError

LONGEST_WINDOW_HOURS = 24 * 31

Limit = Annotated[int, Field(ge=1, le=200)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
_uuid = TypeAdapter(UUID)


class Question(BaseModel):
    """A misspelt parameter is an error: ignored, it would answer another question than was asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class SummaryQuestion(Question):
    """How far back the summary reaches."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_HOURS)] = 24


class PredictionsQuestion(Question):
    """Which predictions to list; `before` is the `next_before` of the page already read."""

    limit: Limit = 50
    before: UUID | None = None
    sentiment: Name | None = None
    model_version: Name | None = None
    minimum_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    with_feedback: bool | None = None


class AlertsQuestion(Question):
    """Whether to list the open alerts or all of them."""

    state: Literal["open", "all"] = "open"
    limit: Limit = 50


class DriftQuestion(Question):
    """Whose drift runs to list; a week of hourly ones unless told otherwise."""

    limit: Limit = 168
    model_version: Name | None = None


class DeploymentsQuestion(Question):
    """How many deployments to list."""

    limit: Limit = 50


QuestionT = TypeVar("QuestionT", bound=Question)


def read_question(question: type[QuestionT], parameters: Mapping[str, Any]) -> QuestionT:
    """Parse query parameters; raises InvalidInputError naming each one at fault and the rule it breaks."""
    try:
        return question.model_validate(dict(parameters))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidInputError("; ".join(_describe(question, problem) for problem in problems)) from None


def read_id(text: str) -> UUID:
    """Parse a prediction's id; raises InvalidInputError."""
    try:
        return _uuid.validate_python(text)
    except ValidationError:
        raise InvalidInputError("the id of a prediction is a UUID, as /predict returned it") from None


def _describe(question: type[Question], problem: Any) -> str:
    if problem["type"] == "extra_forbidden":  # not quoted: it is text of a stranger
        known = ", ".join(question.model_fields)
        return f"there is an unknown parameter; use {known}"
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
