"""The monitoring stack: drift is looked for, what breaks rings, and people are told where to go on."""

import json
import re
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from tests.fixtures.templates import OPEN, PARAMETER, PLAIN, RICH, SECRET, resources, statements, synthesize


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(PLAIN)["Monitoring"]


@pytest.fixture(scope="module")
def told() -> Template:
    return synthesize(RICH)["Monitoring"]


def drift_monitor(template: Template) -> dict[str, Any]:
    (function,) = resources(template, "AWS::Lambda::Function", PackageType="Image")
    return function


SCHEDULED = {"scheduled_at": "<aws.scheduler.scheduled-time>"}


def test_what_runs_by_the_clock_does_what_it_was_meant_for_or_is_kept(
    template: Template, told: Template
) -> None:
    for stack, rate in ((template, "rate(1 hour)"), (told, "rate(2 hours)")):
        made = {each["Description"]: each for each in resources(stack, "AWS::Scheduler::Schedule")}
        drift, counts = made.pop("Looks for drift"), made.pop("Counts what the API answered")
        (reconciliation,) = made.values()
        assert drift["ScheduleExpression"] == rate
        assert counts["ScheduleExpression"] == "rate(1 hour)"
        assert reconciliation["ScheduleExpression"] == "cron(30 2 * * ? *)"
        for schedule, function, event, queue in (
            (drift, "DriftMonitor", SCHEDULED, "DriftNotRun"),
            (reconciliation, "DriftMonitor", {"action": "reconcile", **SCHEDULED}, "DriftNotRun"),
            (counts, "TrafficCounter", SCHEDULED, "TrafficNotCounted"),
        ):
            target = schedule["Target"]
            assert schedule["State"] == "ENABLED"
            assert function in json.dumps(target["Arn"])
            assert target["RetryPolicy"]["MaximumRetryAttempts"] == 3
            assert queue in json.dumps(target["DeadLetterConfig"])
            # A retried run judges the hour that it was meant for.
            assert json.loads(target["Input"]) == event


def test_a_run_that_fails_is_kept_too(template: Template) -> None:
    assert "DriftNotRun" in json.dumps(drift_monitor(template)["DeadLetterConfig"])


def traffic_counter(template: Template) -> dict[str, Any]:
    (function,) = resources(
        template, "AWS::Lambda::Function", Handler="functions.traffic_counter.handler.handler"
    )
    return function


def test_traffic_is_counted_from_outside_the_network_into_the_queue_of_the_facts(template: Template) -> None:
    function = traffic_counter(template)
    assert "VpcConfig" not in function, "CloudWatch would take an endpoint in there"
    assert "TrafficNotCounted" in json.dumps(function["DeadLetterConfig"])
    (read,) = [s for s in statements(template) if "cloudwatch:GetMetricData" in s["Action"]]
    assert read["Resource"] == "*"
    sent_to = [s["Resource"] for s in statements(template) if "sqs:SendMessage" in s["Action"]]
    assert "Facts" in json.dumps(sent_to)


def test_an_environment_s_figures_are_looked_for_where_its_functions_count_them(
    template: Template, told: Template
) -> None:
    for stack, namespace in ((template, "ServerlessSentiment/dev"), (told, "ServerlessSentiment/staging")):
        for function in (drift_monitor(stack), traffic_counter(stack)):
            assert function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == namespace
        watched = {
            metric["Namespace"]
            for alarm in alarms(stack).values()
            for metric in (
                alarm,
                *(m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m),
            )
            if "Namespace" in metric
        }
        named = {name for name in watched if name.startswith("ServerlessSentiment")}
        assert named == {namespace}
        assert set(re.findall(r"ServerlessSentiment[/a-z]*", dashboard(stack))) == {namespace}


def test_the_drift_monitor_has_more_than_one_processor_and_sits_in_the_network(template: Template) -> None:
    function = drift_monitor(template)
    assert function["MemorySize"] > 1769
    assert function["VpcConfig"]["SecurityGroupIds"]


def test_the_drift_monitor_may_start_a_training_only_where_the_policy_says_so(
    template: Template, told: Template
) -> None:
    assert "STATE_MACHINE_ARN" not in drift_monitor(template)["Environment"]["Variables"]
    assert not [s for s in statements(template) if "states:StartExecution" in s["Action"]]
    variables = drift_monitor(told)["Environment"]["Variables"]
    assert variables["ON_DRIFT"] == "retrain"
    (start,) = [s for s in statements(told) if "states:StartExecution" in s["Action"]]
    assert start["Resource"] == variables["STATE_MACHINE_ARN"]


def objects(template: Template) -> dict[str, set[str]]:
    """Return by prefix what the drift monitor may do with objects of the bucket."""
    found: dict[str, set[str]] = {}
    for statement in statements(template):
        actions = {action for action in as_list(statement["Action"]) if action.startswith("s3:")}
        for resource in [json.dumps(statement["Resource"])] if actions else []:
            for prefix in re.findall(r"/([a-z/]+)/\*", resource):
                found.setdefault(prefix, set()).update(actions)
    return found


def test_the_drift_monitor_writes_reports_and_where_it_signs_links_reads_them(
    template: Template, told: Template
) -> None:
    assert objects(template) == {"reports": {"s3:PutObject"}}
    assert objects(told) == {
        "reports": {"s3:GetObject", "s3:PutObject"},
        "training/feedback": {"s3:PutObject"},  # what people labelled, for the training that it starts
    }


def test_a_report_is_opened_through_the_api_where_a_browser_gets_in(
    template: Template, told: Template
) -> None:
    assert "ApiEndpoint" in json.dumps(drift_monitor(template)["Environment"]["Variables"]["REPORTS_URL"])
    assert "REPORTS_URL" not in drift_monitor(told)["Environment"]["Variables"]


def test_people_hear_by_mail_and_slack_where_the_environment_names_them(
    template: Template, told: Template
) -> None:
    assert resources(template, "AWS::SNS::Subscription") == []
    # A topic of another stack keeps its mail subscriptions with the topic or with us; either will do.
    stacks = synthesize(RICH)
    found = [
        each for name in ("Data", "Monitoring") for each in resources(stacks[name], "AWS::SNS::Subscription")
    ]
    assert {each["Endpoint"] for each in found if each["Protocol"] == "email"} == set(RICH.alert_emails)
    (slack,) = [each for each in found if each["Protocol"] == "lambda"]
    assert "NotTold" in json.dumps(slack["RedrivePolicy"])


def test_what_slack_does_not_take_is_kept_and_rings(told: Template) -> None:
    (notifier,) = resources(told, "AWS::Lambda::Function", Handler="functions.slack_notifier.handler.handler")
    assert "NotTold" in json.dumps(notifier["DeadLetterConfig"])
    assert "VpcConfig" not in notifier
    assert any("NotTold" in json.dumps(alarm.get("Dimensions", [])) for alarm in alarms(told).values())


def test_the_webhook_is_known_by_its_secret_alone(told: Template) -> None:
    (notifier,) = resources(told, "AWS::Lambda::Function", Handler="functions.slack_notifier.handler.handler")
    assert notifier["Environment"]["Variables"]["SLACK_WEBHOOK_SECRET_ARN"] == SECRET
    (read,) = [s for s in statements(told) if s["Action"] == "secretsmanager:GetSecretValue"]
    assert read["Resource"] == SECRET
    assert "hooks.slack.com" not in json.dumps(told.to_json())


def test_a_webhook_in_the_parameter_store_is_read_there() -> None:
    stack = synthesize(OPEN)["Monitoring"]
    (read,) = [s for s in statements(stack) if s["Action"] == "ssm:GetParameter"]
    assert read["Resource"] == PARAMETER


def test_every_queue_is_encrypted_and_refuses_plain_connections(told: Template) -> None:
    queues = resources(told, "AWS::SQS::Queue")
    assert queues
    assert all(queue["SqsManagedSseEnabled"] for queue in queues)
    policies = resources(told, "AWS::SQS::QueuePolicy")
    assert len(policies) == len(queues)
    for policy in policies:
        assert any(
            s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for s in policy["PolicyDocument"]["Statement"]
        )


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


def test_messages_link_the_runbook_where_it_is_known_where_that_is() -> None:
    linked = synthesize(PLAIN, repository_url="https://github.com/owner/name/")["Monitoring"]
    address = "https://github.com/owner/name/blob/HEAD/docs/operations.md"
    assert drift_monitor(linked)["Environment"]["Variables"]["RUNBOOK_URL"] == address
    for alarm in alarms(linked).values():
        assert re.search(rf"Runbook: {address}#[a-z-]+$", alarm["AlarmDescription"])


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


def test_no_statement_allows_every_action_and_few_every_resource(told: Template) -> None:
    for statement in statements(told):
        assert statement["Action"] != "*"
        if statement["Resource"] == "*":
            # Network interfaces have no ARN before they exist, and X-Ray and CloudWatch know none.
            services = {action.split(":")[0] for action in as_list(statement["Action"])}
            assert services <= {"cloudwatch", "ec2", "xray"}


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return {
        name: found["Properties"] for name, found in template.find_resources("AWS::CloudWatch::Alarm").items()
    }


def dashboard(template: Template) -> str:
    (found,) = resources(template, "AWS::CloudWatch::Dashboard")
    body = found["DashboardBody"]
    return (
        body
        if isinstance(body, str)
        else "".join(part for part in body["Fn::Join"][1] if isinstance(part, str))
    )


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
