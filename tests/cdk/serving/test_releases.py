"""Releases: a check before traffic, a canary, and alarms that roll back."""

import json
import re
from typing import Any

import pytest

from cdk.environments import ENVIRONMENTS, Environment
from tests.fixtures.templates import (
    Resource,
    Template,
    function,
    referenced,
    resources,
    statements,
    synthesize,
)

ALL = pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
CONFIGURATIONS = {
    "dev": "CodeDeployDefault.LambdaAllAtOnce",
    "staging": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    "prod": "CodeDeployDefault.LambdaCanary10Percent15Minutes",
}


def serving(environment: Environment) -> Template:
    return synthesize(environment)["Serving"]


def group(environment: Environment) -> dict[str, Any]:
    [found] = resources(serving(environment), "AWS::CodeDeploy::DeploymentGroup")
    return found


def check(environment: Environment) -> Resource:
    return function(synthesize(environment), "Serving", "release_check")


def references(environment: Environment, value: Any) -> list[Resource]:
    return referenced(synthesize(environment), "Serving", value)


@ALL
def test_traffic_shifts_as_configured_and_only_after_the_check(environment: Environment) -> None:
    assert group(environment)["DeploymentConfigName"] == CONFIGURATIONS[environment.name]
    [alias] = serving(environment).find_resources("AWS::Lambda::Alias").values()
    assert alias["Properties"]["Name"] == "live"
    variables = check(environment).properties["Environment"]["Variables"]
    assert variables["API_ALIAS"] == alias["Properties"]["Name"]
    hook = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["BeforeAllowTrafficHook"]
    assert references(environment, hook) == [check(environment)]


@ALL
def test_errors_throttles_latency_dead_letters_and_age_roll_a_release_back(environment: Environment) -> None:
    assert set(group(environment)["AutoRollbackConfiguration"]["Events"]) == {
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
        "DEPLOYMENT_STOP_ON_REQUEST",
    }
    metrics = {
        metric
        for alarm in references(environment, group(environment)["AlarmConfiguration"]["Alarms"])
        for metric in re.findall(r'"MetricName": "(\w+)"', json.dumps(alarm.properties))
    }
    assert metrics == {
        *("Errors", "5xx", "Throttles", "Duration"),
        *("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"),
    }
    assert group(environment)["AlarmConfiguration"]["Enabled"] is True


@ALL
def test_old_dead_letters_do_not_block_a_release(environment: Environment) -> None:
    [alarm] = [
        alarm
        for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm")
        if "DIFF(depth)" in json.dumps(alarm.get("Metrics", []))
    ]
    assert alarm["Threshold"] == 1


@ALL
def test_latency_is_that_of_the_live_alias_against_the_environments_budget(environment: Environment) -> None:
    [latency] = [
        alarm
        for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm", MetricName="Duration")
        if alarm["ExtendedStatistic"] == "p99"
    ]
    assert latency["Threshold"] == environment.p99_budget_ms
    assert ":live" in json.dumps(latency["Dimensions"])


@ALL
def test_every_alarm_notifies_the_topic_and_names_a_heading_of_the_runbook(environment: Environment) -> None:
    for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm"):
        assert [each.type for each in references(environment, alarm["AlarmActions"])] == ["AWS::SNS::Topic"]
        assert alarm["OKActions"] == alarm["AlarmActions"]
        assert "Runbook: docs/operations.md#" in alarm["AlarmDescription"]


@ALL
def test_the_first_version_is_checked_and_recorded_although_no_traffic_shifts(
    environment: Environment,
) -> None:
    [trigger] = serving(environment).find_resources("Custom::Trigger").values()
    [version] = references(environment, trigger["Properties"]["HandlerArn"])
    assert references(environment, version.properties["FunctionName"]) == [check(environment)]
    [alias] = serving(environment).find_resources("AWS::Lambda::Alias")
    assert alias in trigger["DependsOn"]


@ALL
def test_a_release_that_codedeploy_rolls_back_or_stops_is_recorded(environment: Environment) -> None:
    [rule] = resources(serving(environment), "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert pattern["source"] == ["aws.codedeploy"]
    assert set(pattern["detail"]["state"]) == {"FAILURE", "STOP"}
    [target] = rule["Targets"]
    assert references(environment, target["Arn"]) == [check(environment)]
    [queue] = references(environment, target["DeadLetterConfig"])
    assert queue.type == "AWS::SQS::Queue"
    assert references(environment, check(environment).properties["DeadLetterConfig"]) == [queue]


@ALL
def test_a_check_that_fails_or_is_not_recorded_raises_an_alarm_that_rolls_nothing_back(
    environment: Environment,
) -> None:
    stacks = synthesize(environment)
    [queue] = references(environment, check(environment).properties["DeadLetterConfig"])
    monitored = [
        set(referenced(stacks, "Monitoring", [alarm.get("Dimensions"), alarm.get("Metrics")]))
        for alarm in resources(stacks["Monitoring"], "AWS::CloudWatch::Alarm")
    ]
    assert {check(environment)} in monitored
    assert {queue} in monitored
    for alarm in references(environment, group(environment)["AlarmConfiguration"]["Alarms"]):
        assert {check(environment), queue}.isdisjoint(references(environment, alarm.properties))


@ALL
def test_the_check_can_invoke_versions_of_the_api_and_the_registrar_and_report_to_codedeploy(
    environment: Environment,
) -> None:
    invoked = [
        {each.service for each in references(environment, statement["Resource"])}
        for statement in statements(serving(environment))
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    assert any({"api", "registrar"} <= services for services in invoked)
    reporting = [
        statement
        for statement in statements(serving(environment))
        if "codedeploy:PutLifecycleEventHookExecutionStatus" in statement["Action"]
    ]
    assert reporting and all("deploymentgroup" in json.dumps(found["Resource"]) for found in reporting)
