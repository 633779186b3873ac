"""Alarms fire on every known failure and link the runbook; budget and dashboard show the rest."""

import json
import re

import pytest
from aws_cdk.assertions import Match

from functions.drift_monitor.settings import DriftMonitorSettings
from tests.fixtures.templates import (
    PLAIN,
    RICH,
    Template,
    alarms,
    dashboard,
    referenced,
    resources,
    synthesize,
)


def test_every_alarm_notifies_the_topic_and_names_a_heading_of_the_runbook(rich: Template) -> None:
    stacks = synthesize(RICH)
    assert alarms(rich)
    for alarm in alarms(rich):
        for actions in (alarm["AlarmActions"], alarm["OKActions"]):
            [topic] = referenced(stacks, "Monitoring", actions)
            assert topic.type == "AWS::SNS::Topic"
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
def test_failures_that_no_client_sees_have_an_alarm(template: Template, name: str, sign: str) -> None:
    (alarm,) = [each for each in alarms(template) if f'"MetricName": "{name}"' in json.dumps(each)]
    assert alarm["ComparisonOperator"] == sign


@pytest.mark.parametrize("folder", ["drift_monitor", "traffic_counter"])
def test_a_scheduled_function_that_does_not_run_or_never_ran_raises_an_alarm(
    template: Template, folder: str
) -> None:
    (alarm,) = [
        each
        for each in alarms(template)
        if "FILL(runs, 0)" in json.dumps(each)
        and [used.service for used in referenced(synthesize(PLAIN), "Monitoring", each["Metrics"])]
        == [folder]
    ]
    assert alarm["TreatMissingData"] == "breaching"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "LessThanOrEqualToThreshold")
    assert any(metric.get("Expression") == "FILL(runs, 0)" for metric in alarm["Metrics"])


def test_missing_predictions_and_missed_reconciliations_raise_an_alarm_for_a_day(template: Template) -> None:
    about = [each for each in alarms(template) if "MissingPredictions" in json.dumps(each)]
    (missing,) = [each for each in about if "Expression" not in json.dumps(each)]
    (metric,) = [metric["MetricStat"] for metric in missing["Metrics"]]
    assert metric["Metric"]["Dimensions"] == [{"Name": "service", "Value": "drift_monitor"}]
    assert metric["Period"] == 86_400
    (missed,) = [each for each in about if each is not missing]
    metrics = {metric["Id"]: metric.get("MetricStat", {}) for metric in missed["Metrics"]}
    assert metrics["compared"]["Metric"]["MetricName"] == "MissingPredictions"
    [counter] = referenced(synthesize(PLAIN), "Monitoring", metrics["counts"]["Metric"])
    assert counter.service == "traffic_counter"


def test_the_budget_notifies_subscribers_before_and_when_it_is_exceeded(rich: Template) -> None:
    (budget,) = resources(rich, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": RICH.monthly_budget_dollars, "Unit": "USD"}
    kinds = {
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    }
    assert kinds == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
    for each in budget["NotificationsWithSubscribers"]:
        assert [s["SubscriptionType"] for s in each["Subscribers"]] == ["SNS", "EMAIL", "EMAIL"]


def test_the_dashboard_shows_traffic_model_drift_storage_and_cost(template: Template) -> None:
    text = dashboard(template)
    for metric in (
        "RequestTime",  # latency
        "InferenceTime",
        "5xx",
        "ColdStarts",
        "Predictions",
        "Confidence",
        "ApproximateAgeOfOldestMessage",
        "NumberOfMessagesDeleted",  # the log writer's throughput
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


def test_cold_starts_are_counted_from_lambdas_report_lines(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '?"Init Duration" ?"Restore Duration"',
            "MetricTransformations": [Match.object_like({"MetricName": "ColdStarts", "MetricValue": "1"})],
        },
    )


def test_the_dashboard_marks_the_drift_monitors_default_threshold(template: Template) -> None:
    threshold = DriftMonitorSettings.model_fields["drift_threshold"].default
    assert f'"horizontal":[{{"value":{threshold},"label":"alert"' in dashboard(template)
