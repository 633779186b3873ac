"""`sentiment cost` shows the sums of cdk/costs as tables and as JSON."""

import json
from typing import Any

import pytest

from cdk.costs.idle import STRATEGIES, idle_costs, monthly
from cdk.costs.usage import Inference, total
from cdk.environments import ENVIRONMENTS


def test_it_shows_idle_cost_per_million_and_per_month_for_every_start_strategy(run: Any) -> None:
    result = run("cost", "--env", "prod", "--requests", "1e6")
    assert result.exit_code == 0
    assert f"{total(idle_costs(ENVIRONMENTS['prod'])):.2f}" in result.output
    for month in monthly(ENVIRONMENTS["prod"], 1e6).values():
        assert month.strategy in result.output
        assert f"{month.total:.2f}" in result.output
    assert "are from memory" in result.output


def test_json_has_the_same_sums_and_their_assumptions(run: Any) -> None:
    arguments = ("--env", "staging", "--requests", "2e6", "--duration-ms", "40", "--memory-mb", "3008")
    bill = json.loads(run("cost", *arguments, "--json").output)
    assert bill["assumptions"] == {
        "duration_ms": 40.0,
        "init_ms": Inference().init_ms,
        "cold_share": Inference().cold_share,
        "memory_mb": 3008,
    }
    assert bill["start"] == "snapstart"
    for strategy in STRATEGIES:
        lines = sum(line["dollars"] for line in bill["per_million"][strategy])
        assert bill["month"][strategy]["per_million"] == pytest.approx(lines)
        assert bill["month"][strategy]["idle"] == pytest.approx(
            sum(line["dollars"] for line in bill["idle"][strategy])
        )


def test_sources_lists_every_price_with_its_source(run: Any) -> None:
    output = run("cost", "--sources").output
    assert "sagemaker.training.ml.g5.xlarge" in output
    assert "aws.amazon.com/lambda/pricing" in output


def test_an_unknown_environment_is_a_usage_error_that_names_the_known_ones(run: Any) -> None:
    result = run("cost", "--env", "qa")
    assert result.exit_code == 2
    assert "choose one of dev, staging, prod" in result.output
