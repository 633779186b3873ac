"""Limits and costs change with the environment's values in the expected direction."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.scale.__main__ import RATES, plot
from benchmarks.scale.capacity import describe, limits, max_load, writer_queue
from benchmarks.scale.queueing import erlang_b
from cdk.environments import ENVIRONMENTS, Environment

PROD = ENVIRONMENTS["prod"]


def variant(**changes: object) -> Environment:
    return dataclasses.replace(PROD, **changes)  # type: ignore[arg-type]


def rate_of(component: str, environment: Environment) -> float:
    [rate] = [limit.rate for limit in limits(environment) if limit.component.startswith(component)]
    return rate


def test_limits_are_sorted_and_have_a_remedy() -> None:
    rates = [limit.rate for limit in limits(PROD)]
    assert rates == sorted(rates)
    assert all(limit.remedy for limit in limits(PROD))


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("storage", {"database_max_storage_gb": PROD.database_max_storage_gb * 2}),
        ("storage", {"retention_months": 3}),
        ("throttle", {"requests_per_second": PROD.requests_per_second * 2}),
        ("writer", {"writer_concurrency": PROD.writer_concurrency * 2}),
        ("CPU credits", {"database_class": "m7g.large"}),
    ],
)
def test_raising_a_value_raises_its_limit(component: str, changes: dict[str, object]) -> None:
    assert rate_of(component, variant(**changes)) > rate_of(component, PROD)


def test_the_storage_limit_fills_the_volume_within_the_retention() -> None:
    rows = describe(PROD, rate_of("storage", PROD))["rows_gb_per_month"]
    assert rows is not None
    assert rows * PROD.retention_months == pytest.approx(PROD.database_max_storage_gb)


def test_lambdas_limit_is_where_one_call_in_ten_thousand_is_blocked() -> None:
    assert erlang_b(100, max_load(100)) == pytest.approx(1e-4, rel=0.01)


def test_writers_keep_up_below_their_limit_and_not_above() -> None:
    limit = rate_of("writer", PROD)
    assert writer_queue(PROD, limit * 0.9) is not None
    assert writer_queue(PROD, limit * 1.1) is None
    assert describe(PROD, limit * 1.1)["catch_up_seconds"] is None


def test_load_and_cost_grow_with_the_rate() -> None:
    described = [describe(PROD, rate) for rate in RATES]
    for name in (
        "busy_instances",
        "busy_writers",
        "disk_mb_per_second",
        "rows_gb_per_month",
        "dollars_predictions",
    ):
        values = [each[name] or 0 for each in described]
        assert values == sorted(values)
        assert len(set(values)) == len(values)


def test_rows_cost_far_less_in_s3_than_in_postgres() -> None:
    described = describe(PROD, 1000)
    assert (described["dollars_month_of_rows_in_s3"] or 0) * 10 < (
        described["dollars_month_of_rows_in_postgres"] or 0
    )


def test_the_plot_is_written(tmp_path: Path) -> None:
    plot(PROD, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
