"""What gives way first follows from the environment, in the direction that a person would expect."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.capacity import busiest, describe, limits, writer_queue
from benchmarks.queueing import erlang_b
from benchmarks.scale import RATES, draw
from cdk.environments import ENVIRONMENTS, Environment

PROD = ENVIRONMENTS["prod"]


def variant(**changes: object) -> Environment:
    return dataclasses.replace(PROD, **changes)  # type: ignore[arg-type]


def rate_of(part: str, environment: Environment) -> float:
    [rate] = [limit.rate for limit in limits(environment) if limit.part.startswith(part)]
    return rate


def test_limits_come_in_the_order_in_which_they_are_reached() -> None:
    rates = [limit.rate for limit in limits(PROD)]
    assert rates == sorted(rates)
    assert all(limit.then for limit in limits(PROD))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("storage", {"database_max_storage_gb": PROD.database_max_storage_gb * 2}),
        ("storage", {"retention_months": 3}),
        ("throttle", {"requests_per_second": PROD.requests_per_second * 2}),
        ("writer", {"writer_concurrency": PROD.writer_concurrency * 2}),
        ("CPU credits", {"database_class": "m7g.large"}),
    ],
)
def test_what_a_person_turns_up_moves_its_limit_up(part: str, changes: dict[str, object]) -> None:
    assert rate_of(part, variant(**changes)) > rate_of(part, PROD)


def test_the_storage_limit_fills_the_volume_exactly_within_the_months_that_are_kept() -> None:
    rows = describe(PROD, rate_of("storage", PROD))["rows_gb_a_month"]
    assert rows is not None
    assert rows * PROD.retention_months == pytest.approx(PROD.database_max_storage_gb)


def test_lambda_is_busiest_where_one_call_in_ten_thousand_finds_no_instance() -> None:
    assert erlang_b(100, busiest(100)) == pytest.approx(1e-4, rel=0.01)


def test_writers_keep_up_below_their_limit_and_not_above() -> None:
    limit = rate_of("writer", PROD)
    assert writer_queue(PROD, limit * 0.9) is not None
    assert writer_queue(PROD, limit * 1.1) is None
    assert describe(PROD, limit * 1.1)["catch_up_seconds"] is None


def test_what_a_rate_needs_grows_with_it() -> None:
    described = [describe(PROD, rate) for rate in RATES]
    for name in (
        "busy_instances",
        "busy_writers",
        "disk_mb_per_second",
        "rows_gb_a_month",
        "dollars_predictions",
    ):
        values = [each[name] or 0 for each in described]
        assert values == sorted(values)
        assert len(set(values)) == len(values)


def test_rows_cost_far_less_in_s3_than_in_postgres() -> None:
    described = describe(PROD, 1000)
    assert (described["dollars_the_same_in_s3"] or 0) * 10 < (
        described["dollars_storing_a_month_of_rows"] or 0
    )


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    draw(PROD, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
