"""What can go wrong rings and says where to go on; the budget and the dashboard show the rest."""

import json
import re

import pytest
from aws_cdk.assertions import Match, Template

from tests.fixtures.templates import PLAIN, RICH, alarms, dashboard, resources, synthesize


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(PLAIN)["Monitoring"]


@pytest.fixture(scope="module")
def told() -> Template:
    return synthesize(RICH)["Monitoring"]


def test_every_alarm_reaches_the_topic_and_says_where_the_runbook_goes_on(told: Template) -> None:
    assert alarms(told)
    for alarm in alarms(told).values():
        assert "Alerts" in json.dumps(alarm["AlarmActions"])
        assert "Alerts" in json.dumps(alarm["OKActions"])
        assert re.search(r"Runbook: docs/operations\.md#[a-z-]+$", alarm["AlarmDescription"])


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("CPUUtilization", "GreaterThanOrEqualToThreshold"),
        ("DatabaseConnections", "GreaterThanOrEqualToThreshold"),
        ("FreeStorageSpace", "LessThanOrEqualToThreshold"),
        ("FreeableMemory", "LessThanOrEqualToThreshold"),
        ("UnsentRecords", "GreaterThanOrEqualToThreshold"),
        ("MonitorFailures", "GreaterThanOrEqualToThreshold"),
        ("NumberOfNotificationsFailed", "GreaterThanOrEqualToThreshold"),
    ],
)
def test_what_can_go_wrong_unseen_rings(template: Template, name: str, sign: str) -> None:
    (alarm,) = [each for each in alarms(template).values() if f'"MetricName": "{name}"' in json.dumps(each)]
    assert alarm["ComparisonOperator"] == sign


@pytest.mark.parametrize("prefix", ["DriftSilent", "TrafficSilent"])
def test_what_falls_silent_rings_and_so_does_what_never_ran(template: Template, prefix: str) -> None:
    (alarm,) = [each for name, each in alarms(template).items() if name.startswith(prefix)]
    assert alarm["TreatMissingData"] == "breaching"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "LessThanOrEqualToThreshold")
    assert any(metric.get("Expression") == "FILL(runs, 0)" for metric in alarm["Metrics"])


def test_missing_predictions_ring_for_the_day_and_so_does_a_comparison_that_is_not_made(
    template: Template,
) -> None:
    found = alarms(template)
    (missing,) = [each for name, each in found.items() if name.startswith("MissingPredictions")]
    (told_of,) = [metric["MetricStat"] for metric in missing["Metrics"]]
    assert told_of["Metric"]["Dimensions"] == [{"Name": "service", "Value": "drift_monitor"}]
    assert told_of["Period"] == 86_400
    (unmade,) = [each for name, each in found.items() if name.startswith("NotReconciled")]
    asked = {metric["Id"]: metric.get("MetricStat", {}) for metric in unmade["Metrics"]}
    assert asked["compared"]["Metric"]["MetricName"] == "MissingPredictions"
    assert "TrafficCounter" in json.dumps(asked["counts"]["Metric"])


def test_the_budget_warns_people_before_and_when_it_is_spent(told: Template) -> None:
    (budget,) = resources(told, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": RICH.monthly_budget_dollars, "Unit": "USD"}
    kinds = {
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    }
    assert kinds == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
    for each in budget["NotificationsWithSubscribers"]:
        assert [s["SubscriptionType"] for s in each["Subscribers"]] == ["SNS", "EMAIL", "EMAIL"]


def test_the_dashboard_shows_what_people_ask_first(template: Template) -> None:
    text = dashboard(template)
    for metric in (
        "RequestTime",  # latency
        "InferenceTime",
        "5xx",
        "ColdStarts",
        "Predictions",
        "Confidence",
        "ApproximateAgeOfOldestMessage",
        "NumberOfMessagesDeleted",  # what the log writer gets through
        "CPUUtilization",
        "FreeStorageSpace",
        "DriftScore",
        "EstimatedAccuracy",
        "HoursSinceJudged",
        "Novelty",
        "MissingPredictions",
        "EstimatedCharges",
    ):
        assert metric in text, metric
    for percentile in ("p50", "p95", "p99"):
        assert percentile in text
    assert text.count('"type":"metric"') >= 10


def test_cold_starts_are_read_from_lambdas_own_reports(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '?"Init Duration" ?"Restore Duration"',
            "MetricTransformations": [Match.object_like({"MetricName": "ColdStarts", "MetricValue": "1"})],
        },
    )
