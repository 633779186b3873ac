"""The monitoring stack: drift is looked for, what breaks rings, and people are told where to go on."""

import json
import re
from typing import Any

import pytest
from aws_cdk.assertions import Template

from tests.fixtures.templates import (
    OPEN,
    PARAMETER,
    PLAIN,
    RICH,
    SECRET,
    alarms,
    dashboard,
    resources,
    statements,
    synthesize,
)


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


def test_messages_link_the_runbook_where_it_is_known_where_that_is() -> None:
    linked = synthesize(PLAIN, repository_url="https://github.com/owner/name/")["Monitoring"]
    address = "https://github.com/owner/name/blob/HEAD/docs/operations.md"
    assert drift_monitor(linked)["Environment"]["Variables"]["RUNBOOK_URL"] == address
    for alarm in alarms(linked).values():
        assert re.search(rf"Runbook: {address}#[a-z-]+$", alarm["AlarmDescription"])


def test_no_statement_allows_every_action_and_few_every_resource(told: Template) -> None:
    for statement in statements(told):
        assert statement["Action"] != "*"
        if statement["Resource"] == "*":
            # Network interfaces have no ARN before they exist, and X-Ray and CloudWatch know none.
            services = {action.split(":")[0] for action in as_list(statement["Action"])}
            assert services <= {"cloudwatch", "ec2", "xray"}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
