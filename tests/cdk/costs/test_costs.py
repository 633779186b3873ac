"""The cost model against figures computed here from literal prices."""

import dataclasses

import pytest

from cdk.costs.idle import STRATEGIES, idle_costs, monthly, summary
from cdk.costs.price_list import hourly_price, price, table
from cdk.costs.usage import Inference, cost_per_million, total, traced_share
from cdk.environments import ENVIRONMENTS, Environment

DEV, PROD = ENVIRONMENTS["dev"], ENVIRONMENTS["prod"]


def variant(environment: Environment, **changes: object) -> Environment:
    return dataclasses.replace(environment, **changes)  # type: ignore[arg-type]


def idle(environment: Environment) -> dict[str, float]:
    return {line.item: line.dollars for line in idle_costs(environment)}


def per_million(
    environment: Environment, inference: Inference | None = None, requests: float = 1e6
) -> dict[str, float]:
    lines = cost_per_million(environment, inference, requests=requests)
    return {line.item: line.dollars for line in lines}


@pytest.mark.parametrize("name", table()["prices"])
def test_a_price_has_a_unit_a_source_and_a_confidence_for_each_region(name: str) -> None:
    entry = table()["prices"][name]
    assert entry["unit"]
    assert entry["source"]
    regions = entry.keys() - {"unit", "source", "says", "confidence"}
    assert regions == entry["confidence"].keys() == {"us-east-1", "eu-central-1"}
    assert set(entry["confidence"].values()) <= table()["confidence"].keys()
    assert all(entry[region] >= 0 for region in regions)


def test_a_missing_price_is_named_with_similar_ones() -> None:
    with pytest.raises(
        ValueError, match=r"no price 'kms\.hsm'; add it with its source\. It has kms\.key_month"
    ):
        price("kms.hsm", "eu-central-1")


def test_a_missing_region_has_the_default_regions_prices_and_the_summary_says_so() -> None:
    found = price("s3.storage_gb_month", "ap-southeast-2")
    assert (found.region, found.dollars) == ("us-east-1", 0.023)
    assert "in us-east-1" in summary(variant(DEV, region="ap-southeast-2"))


def test_spot_training_costs_the_tables_share_of_on_demand() -> None:
    assert hourly_price("ml.g5.xlarge", "us-east-1") == 1.408
    assert hourly_price("ml.g5.xlarge", "us-east-1", spot=True) == pytest.approx(1.408 * 0.3)


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_every_instance_that_an_environment_trains_on_has_a_price(environment: Environment) -> None:
    for instance in (environment.training_instance, environment.export_instance):
        assert hourly_price(instance, environment.region) > 0


def test_the_database_of_prod_costs_twice_as_much_in_two_zones() -> None:
    expected = {"database": 730 * 0.037 * 2, "database storage": 50 * 0.137 * 2}
    assert {item: idle(PROD)[item] for item in expected} == pytest.approx(expected)
    one = idle(variant(PROD, multi_az=False))
    assert {item: one[item] * 2 for item in expected} == pytest.approx(expected)


def test_endpoints_cost_by_service_and_zone_and_retraining_needs_one_more() -> None:
    assert idle(DEV)["endpoints"] == pytest.approx(2 * 1 * 730 * 0.012)
    assert idle(PROD)["endpoints"] == pytest.approx(2 * 2 * 730 * 0.012)
    assert idle(variant(PROD, on_drift="retrain"))["endpoints"] == pytest.approx(3 * 2 * 730 * 0.012)


def test_provisioned_instances_cost_only_in_their_hours() -> None:
    gigabytes = 1769 / 1024
    kept = variant(PROD, architecture="x86_64", start="provisioned", provisioned_instances=2)
    all_day = idle(variant(kept, provisioned_hours=None))["provisioned instances"]
    assert all_day == pytest.approx(2 * gigabytes * 730 * 3600 * 0.0000041667)
    half = idle(variant(kept, provisioned_hours=(20, 8)))["provisioned instances"]
    assert half == pytest.approx(all_day / 2)


def test_snapshots_cost_by_the_second_and_plain_instances_nothing() -> None:
    snapshots = idle(variant(DEV, start="snapstart", api_memory_mb=1024))["snapshots"]
    assert snapshots == pytest.approx(2 * 730 * 3600 * 0.0000015046)
    assert idle(variant(DEV, start="plain")).keys().isdisjoint({"snapshots", "provisioned instances"})


def test_an_hourly_drift_run_costs_its_20_seconds_and_not_its_time_out() -> None:
    hourly = variant(DEV, architecture="x86_64", drift_every_hours=1)
    assert idle(hourly)["drift runs"] == pytest.approx(730 * 20 * 2 * 0.0000166667)


def test_disabled_features_cost_nothing() -> None:
    on = idle(variant(DEV, authorize=True, waf=True, managed_mlflow=True, training_schedule="rate(30 days)"))
    off = idle(variant(DEV, authorize=False, waf=False, managed_mlflow=False, training_schedule=None))
    assert on.keys() - off.keys() == {"machine client", "firewall", "managed MLflow", "scheduled training"}


def test_a_scheduled_training_costs_at_most_its_limit_per_run() -> None:
    weekly = variant(DEV, training_schedule="rate(7 days)", training_max_dollars=10.0)
    assert idle(weekly)["scheduled training"] == pytest.approx(730 / (7 * 24) * 10)
    monthly_run = variant(weekly, training_schedule="cron(0 3 1 * ? *)")
    assert idle(monthly_run)["scheduled training"] == pytest.approx(10)


def test_inference_is_rounded_up_to_a_millisecond() -> None:
    x86 = variant(DEV, architecture="x86_64", api_memory_mb=2048, start="plain")
    costs = per_million(x86, Inference(duration_ms=10.2, init_ms=500, cold_share=0.02))
    assert costs["inference"] == pytest.approx(1e6 * 0.011 * 2 * 0.0000166667)
    assert costs["cold starts"] == pytest.approx(0.02 * 1e6 * 0.5 * 2 * 0.0000166667)


def test_snapstart_costs_restores_instead_of_cold_starts() -> None:
    costs = per_million(variant(DEV, start="snapstart", api_memory_mb=1024), Inference(cold_share=0.01))
    assert costs["restores"] == pytest.approx(10_000 * 0.0001397998)
    assert "cold starts" not in costs


def test_provisioned_all_day_has_no_cold_starts_and_cheaper_milliseconds() -> None:
    kept = variant(
        DEV, start="provisioned", provisioned_hours=None, architecture="x86_64", api_memory_mb=1024
    )
    costs = per_million(kept, Inference(duration_ms=10))
    assert costs["cold starts"] == 0
    assert costs["inference"] == pytest.approx(1e6 * 0.010 * 0.0000097222)


def test_more_requests_fill_the_writers_batches_and_make_the_queue_cheaper() -> None:
    quiet, busy = per_million(DEV, requests=1e4), per_million(DEV, requests=1e9)
    assert quiet["queue"] == pytest.approx(0.40 * 3)  # one send, one receive and one delete each
    assert busy["queue"] == pytest.approx(0.40 * 1.2)
    assert busy["writer"] < quiet["writer"]


def test_tracing_samples_nearly_all_of_few_requests_and_a_twentieth_of_many() -> None:
    assert traced_share(0.01) > 0.99
    assert traced_share(10_000) == pytest.approx(0.05, rel=0.01)


def test_tracing_costs_nothing_if_disabled() -> None:
    assert per_million(DEV)["traces"] == 0
    assert per_million(variant(DEV, trace=True))["traces"] == pytest.approx(
        5 * traced_share(1e6 / 730 / 3600)
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_a_month_adds_up_and_grows_with_the_requests(environment: Environment) -> None:
    for strategy in STRATEGIES:
        own = variant(environment, start=strategy)
        month = monthly(environment, 3e6)[strategy]
        assert month.idle == pytest.approx(total(idle_costs(own)))
        expected = month.idle + month.metrics + 3 * total(cost_per_million(own, requests=3e6))
        assert month.total == pytest.approx(expected)
        totals = [monthly(environment, requests)[strategy].total for requests in (0, 1e3, 1e5, 1e6, 1e8)]
        assert totals == sorted(totals)
        assert totals[0] == pytest.approx(month.idle)


def test_a_slower_model_more_memory_and_more_cold_starts_cost_more() -> None:
    base = total(cost_per_million(DEV))
    assert total(cost_per_million(DEV, Inference(duration_ms=40))) > base
    assert total(cost_per_million(DEV, Inference(cold_share=0.1))) > base
    assert total(cost_per_million(variant(DEV, api_memory_mb=3008))) > base


def test_the_summary_names_the_environment_its_dollars_and_the_date_of_the_prices() -> None:
    text = summary(PROD)
    assert text.startswith(
        f"prod costs about ${total(idle_costs(PROD)):.2f} a month when idle (database $54.02"
    )
    assert table()["dated"] in text
