"""What pydantic found wrong with an input, as text for people. It never contains the input itself.

Callers decide what to raise; this module only describes.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError


class Problem(NamedTuple):
    """One violated rule. The path is that of the field, and empty for the whole input."""

    path: tuple[str, ...]
    rule: str  # pydantic's error type, such as "missing"
    message: str

    @property
    def location(self) -> str:
        """Return the path with dots; empty for the whole input."""
        return ".".join(self.path)


def problems_of(error: "ValidationError") -> Iterator[Problem]:
    """Yield each problem of a validation error."""
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        message = found["msg"].removeprefix("Value error, ")
        yield Problem(tuple(map(str, found["loc"])), found["type"], message)


def describe_problems(error: "ValidationError", *, whole: str) -> str:
    """Return all problems in one line; `whole` names the input where a problem has no location."""
    return "; ".join(f"{problem.location or whole}: {problem.message}" for problem in problems_of(error))
