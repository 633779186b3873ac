from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator
from sentiment.validation import describe_problems, problems_of

SECRET = "a text that only its author may see"


class Order(BaseModel):
    sizes: list[int] = Field(default_factory=list)
    count: int = 0

    @model_validator(mode="after")
    def refuse(self) -> "Order":
        if self.count < 0:
            raise ValueError("count is negative")
        return self


def refusal(**values: Any) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        Order(**values)
    return refused.value


def test_every_problem_has_its_location() -> None:
    described = describe_problems(refusal(sizes=[1, SECRET], count=None), whole="order")
    sizes, count = described.split("; ")
    assert sizes.startswith("sizes.1: Input should be a valid integer")
    assert count == "count: Input should be a valid integer"


def test_a_problem_of_the_whole_has_its_name_and_no_prefix_of_pydantic() -> None:
    assert describe_problems(refusal(count=-1), whole="order") == "order: count is negative"


def test_rules_can_be_told_from_each_other_and_inputs_never_appear() -> None:
    (problem,) = problems_of(refusal(count=SECRET))
    assert (problem.path, problem.location, problem.rule) == (("count",), "count", "int_parsing")
    assert SECRET not in str(problem)
