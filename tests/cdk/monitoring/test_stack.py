"""The monitoring stack: schedules, permissions, notifications, and their dead-letter queues."""

import json
import re
from typing import Any

import pytest

from cdk.environments import Environment
from tests.fixtures.templates import (
    OPEN,
    PARAMETER,
    PLAIN,
    RICH,
    SECRET,
    Resource,
    Template,
    alarms,
    dashboard,
    find,
    function,
    referenced,
    resources,
    statements,
    synthesize,
)


def drift_monitor(template: Template) -> dict[str, Any]:
    (found,) = resources(template, "AWS::Lambda::Function", PackageType="Image")
    return found


def dead_letter_queue(environment: Environment, folder: str) -> Resource:
    """Return the queue of a function's failed asynchronous invocations."""
    stacks = synthesize(environment)
    config = function(stacks, "Monitoring", folder).properties["DeadLetterConfig"]
    (queue,) = referenced(stacks, "Monitoring", config)
    assert queue.type == "AWS::SQS::Queue"
    return queue


SCHEDULED = {"scheduled_at": "<aws.scheduler.scheduled-time>"}


@pytest.mark.parametrize(("environment", "rate"), [(PLAIN, "rate(1 hour)"), (RICH, "rate(2 hours)")])
def test_schedules_pass_the_time_that_was_due_and_have_dead_letter_queues(
    environment: Environment, rate: str
) -> None:
    stacks = synthesize(environment)
    schedules = resources(stacks["Monitoring"], "AWS::Scheduler::Schedule")
    by_rate = {(each["ScheduleExpression"], each["Description"]): each for each in schedules}
    for key, folder, event in (
        ((rate, "Detects drift"), "drift_monitor", SCHEDULED),
        (
            ("cron(30 2 * * ? *)", "Compares answered with stored predictions"),
            "drift_monitor",
            {"action": "reconcile", **SCHEDULED},
        ),
        (("rate(1 hour)", "Counts requests and predictions"), "traffic_counter", SCHEDULED),
    ):
        schedule = by_rate.pop(key)
        target = schedule["Target"]
        assert schedule["State"] == "ENABLED"
        [invoked] = referenced(stacks, "Monitoring", target["Arn"])
        assert invoked.service == folder
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 3
        # The same queue as for the function's own failures.
        assert referenced(stacks, "Monitoring", target["DeadLetterConfig"]) == [
            dead_letter_queue(environment, folder)
        ]
        # So a retried run judges the hour that was due.
        assert json.loads(target["Input"]) == event
    assert by_rate == {}


def test_every_dead_letter_queue_is_a_functions_own_and_has_an_alarm() -> None:
    stacks = synthesize(RICH)
    queues = {
        dead_letter_queue(RICH, folder) for folder in ("drift_monitor", "traffic_counter", "slack_notifier")
    }
    assert queues == set(find(stacks, "Monitoring", "AWS::SQS::Queue"))
    assert len(queues) == 3
    watched = {
        used for alarm in alarms(stacks["Monitoring"]) for used in referenced(stacks, "Monitoring", alarm)
    }
    assert queues <= watched


def traffic_counter(template: Template) -> dict[str, Any]:
    (found,) = resources(
        template, "AWS::Lambda::Function", Handler="functions.traffic_counter.handler.handler"
    )
    return found


def test_the_traffic_counter_is_outside_the_vpc_and_sends_to_the_queue_of_predictions(
    template: Template,
) -> None:
    assert "VpcConfig" not in traffic_counter(template), "CloudWatch would need an endpoint in the VPC"
    (read,) = [s for s in statements(template) if "cloudwatch:GetMetricData" in s["Action"]]
    assert read["Resource"] == "*"
    stacks = synthesize(PLAIN)
    [source] = find(stacks, "Serving", "AWS::Lambda::EventSourceMapping")
    sent_to = [s["Resource"] for s in statements(template) if "sqs:SendMessage" in s["Action"]]
    assert set(referenced(stacks, "Serving", source.properties["EventSourceArn"])) <= set(
        referenced(stacks, "Monitoring", sent_to)
    )


def test_alarms_and_dashboard_read_the_namespace_of_the_environments_functions(
    template: Template, rich: Template
) -> None:
    for stack, namespace in ((template, "ServerlessSentiment/dev"), (rich, "ServerlessSentiment/staging")):
        for publisher in (drift_monitor(stack), traffic_counter(stack)):
            assert publisher["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == namespace
        used = {
            metric["Namespace"]
            for alarm in alarms(stack)
            for metric in (
                alarm,
                *(m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m),
            )
            if "Namespace" in metric
        }
        assert {name for name in used if name.startswith("ServerlessSentiment")} == {namespace}
        assert set(re.findall(r"ServerlessSentiment[/a-z]*", dashboard(stack))) == {namespace}


def test_the_drift_monitor_has_more_than_one_vcpu_and_is_in_the_vpc(template: Template) -> None:
    assert drift_monitor(template)["MemorySize"] > 1769
    assert drift_monitor(template)["VpcConfig"]["SecurityGroupIds"]


def test_the_drift_monitor_can_start_a_training_only_with_the_policy_retrain(
    template: Template, rich: Template
) -> None:
    assert "STATE_MACHINE_ARN" not in drift_monitor(template)["Environment"]["Variables"]
    assert not [s for s in statements(template) if "states:StartExecution" in s["Action"]]
    variables = drift_monitor(rich)["Environment"]["Variables"]
    assert variables["ON_DRIFT"] == "retrain"
    (start,) = [s for s in statements(rich) if "states:StartExecution" in s["Action"]]
    assert start["Resource"] == variables["STATE_MACHINE_ARN"]


def objects(template: Template) -> dict[str, set[str]]:
    """Return the drift monitor's actions on objects of the bucket, by prefix."""
    found: dict[str, set[str]] = {}
    for statement in statements(template):
        actions = {action for action in as_list(statement["Action"]) if action.startswith("s3:")}
        for resource in [json.dumps(statement["Resource"])] if actions else []:
            for prefix in re.findall(r"/([a-z/]+)/\*", resource):
                found.setdefault(prefix, set()).update(actions)
    return found


def test_the_drift_monitor_writes_reports_and_reads_them_if_links_are_presigned(
    template: Template, rich: Template
) -> None:
    assert objects(template) == {"reports": {"s3:PutObject"}}
    assert objects(rich) == {
        "reports": {"s3:GetObject", "s3:PutObject"},
        "training/feedback": {"s3:PutObject"},  # labels from feedback, for the training that it starts
    }


def test_reports_are_linked_through_the_api_if_it_needs_no_token(template: Template, rich: Template) -> None:
    assert "ApiEndpoint" in json.dumps(drift_monitor(template)["Environment"]["Variables"]["REPORTS_URL"])
    assert "REPORTS_URL" not in drift_monitor(rich)["Environment"]["Variables"]


def test_email_addresses_and_slack_are_subscribed_if_configured(template: Template) -> None:
    assert resources(template, "AWS::SNS::Subscription") == []
    # CDK may put an email subscription into the topic's stack or into this one.
    stacks = synthesize(RICH)
    found = [each for name in ("Data", "Monitoring") for each in find(stacks, name, "AWS::SNS::Subscription")]
    emails = {each.properties["Endpoint"] for each in found if each.properties["Protocol"] == "email"}
    assert emails == set(RICH.alert_emails)
    (slack,) = [each for each in found if each.properties["Protocol"] == "lambda"]
    assert referenced(stacks, slack.stack, slack.properties["RedrivePolicy"]) == [
        dead_letter_queue(RICH, "slack_notifier")
    ]


def test_notifications_that_slack_refuses_raise_an_alarm(rich: Template) -> None:
    stacks = synthesize(RICH)
    assert "VpcConfig" not in function(stacks, "Monitoring", "slack_notifier").properties
    queue = dead_letter_queue(RICH, "slack_notifier")
    dimensions = [alarm.get("Dimensions", []) for alarm in alarms(rich)]
    assert any(queue in referenced(stacks, "Monitoring", each) for each in dimensions)


def test_the_template_contains_the_webhooks_secret_arn_only(rich: Template) -> None:
    notifier = function(synthesize(RICH), "Monitoring", "slack_notifier").properties
    assert notifier["Environment"]["Variables"]["SLACK_WEBHOOK_SECRET_ARN"] == SECRET
    (read,) = [s for s in statements(rich) if s["Action"] == "secretsmanager:GetSecretValue"]
    assert read["Resource"] == SECRET
    assert "hooks.slack.com" not in json.dumps(rich.to_json())


def test_a_webhook_in_parameter_store_needs_permission_for_the_parameter() -> None:
    stack = synthesize(OPEN)["Monitoring"]
    (read,) = [s for s in statements(stack) if s["Action"] == "ssm:GetParameter"]
    assert read["Resource"] == PARAMETER


def test_every_queue_is_encrypted_and_requires_tls(rich: Template) -> None:
    queues = resources(rich, "AWS::SQS::Queue")
    assert queues
    assert all(queue["SqsManagedSseEnabled"] for queue in queues)
    policies = resources(rich, "AWS::SQS::QueuePolicy")
    assert len(policies) == len(queues)
    for policy in policies:
        assert any(
            s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for s in policy["PolicyDocument"]["Statement"]
        )


def test_notifications_link_the_runbook_if_the_repository_is_known() -> None:
    linked = synthesize(PLAIN, repository_url="https://github.com/owner/name/")["Monitoring"]
    address = "https://github.com/owner/name/blob/HEAD/docs/operations.md"
    assert drift_monitor(linked)["Environment"]["Variables"]["RUNBOOK_URL"] == address
    for alarm in alarms(linked):
        assert re.search(rf"Runbook: {address}#[a-z-]+$", alarm["AlarmDescription"])


def test_no_statement_allows_every_action_and_few_every_resource(rich: Template) -> None:
    for statement in statements(rich):
        assert statement["Action"] != "*"
        if statement["Resource"] == "*":
            # Network interfaces have no ARN before they exist; X-Ray and CloudWatch take no resources.
            services = {action.split(":")[0] for action in as_list(statement["Action"])}
            assert services <= {"cloudwatch", "ec2", "xray"}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
