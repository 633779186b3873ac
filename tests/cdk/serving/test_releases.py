"""Releases: no version gets traffic unchecked, a tenth comes first, and every alarm takes it back."""

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template

from cdk.environments import ENVIRONMENTS, Environment
from tests.fixtures.templates import resources, statements, synthesize

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


@ALL
def test_traffic_moves_as_the_environment_says_and_the_check_comes_first(environment: Environment) -> None:
    assert group(environment)["DeploymentConfigName"] == CONFIGURATIONS[environment.name]
    [alias] = serving(environment).find_resources("AWS::Lambda::Alias").values()
    assert alias["Properties"]["Name"] == "live"
    [check] = [
        function["Environment"]["Variables"]
        for function in resources(serving(environment), "AWS::Lambda::Function")
        if "release_check" in str(function.get("Handler"))
    ]
    assert check["API_ALIAS"] == alias["Properties"]["Name"]
    update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert "Check" in json.dumps(update["BeforeAllowTrafficHook"])


@ALL
def test_errors_throttles_latency_dead_letters_and_age_roll_a_release_back(environment: Environment) -> None:
    assert set(group(environment)["AutoRollbackConfiguration"]["Events"]) == {
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
        "DEPLOYMENT_STOP_ON_REQUEST",
    }
    names = json.dumps(group(environment)["AlarmConfiguration"]["Alarms"])
    for watched in ("Errors", "ServerErrors", "Throttles", "Latency", "NewDeadLetters", "QueueAge"):
        assert f"Releases{watched}" in names
    assert group(environment)["AlarmConfiguration"]["Enabled"] is True


@ALL
def test_letters_that_lie_there_already_do_not_forbid_a_release(environment: Environment) -> None:
    [alarm] = [
        alarm
        for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm")
        if "DIFF(depth)" in json.dumps(alarm.get("Metrics", []))
    ]
    assert alarm["Threshold"] == 1


@ALL
def test_the_alarms_watch_the_live_alias_and_the_environments_budget(environment: Environment) -> None:
    [latency] = [
        alarm
        for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm", MetricName="Duration")
        if alarm["ExtendedStatistic"] == "p99"
    ]
    assert latency["Threshold"] == environment.p99_budget_ms
    assert ":live" in json.dumps(latency["Dimensions"])


@ALL
def test_every_alarm_tells_the_topic_and_names_a_place_in_the_runbook(environment: Environment) -> None:
    for alarm in resources(serving(environment), "AWS::CloudWatch::Alarm"):
        assert "Alerts" in json.dumps(alarm["AlarmActions"])
        assert alarm["OKActions"] == alarm["AlarmActions"]
        assert "Runbook: docs/operations.md#" in alarm["AlarmDescription"]


@ALL
def test_the_first_version_which_no_traffic_shifts_to_is_checked_and_recorded_too(
    environment: Environment,
) -> None:
    [trigger] = serving(environment).find_resources("Custom::Trigger").values()
    assert "Check" in json.dumps(trigger["Properties"]["HandlerArn"])
    assert any("Live" in dependency for dependency in trigger["DependsOn"])


@ALL
def test_a_release_that_codedeploy_gives_up_is_recorded(environment: Environment) -> None:
    [rule] = resources(serving(environment), "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert pattern["source"] == ["aws.codedeploy"]
    assert set(pattern["detail"]["state"]) == {"FAILURE", "STOP"}
    [target] = rule["Targets"]
    assert "Check" in json.dumps(target["Arn"])
    assert "NotRecorded" in json.dumps(target["DeadLetterConfig"])
    [check] = [
        function
        for function in resources(serving(environment), "AWS::Lambda::Function")
        if "release_check" in str(function.get("Handler"))
    ]
    assert "NotRecorded" in json.dumps(check["DeadLetterConfig"])


@ALL
def test_a_check_that_fails_or_records_nothing_rings_and_rolls_nothing_back(environment: Environment) -> None:
    alarms = json.dumps(resources(synthesize(environment)["Monitoring"], "AWS::CloudWatch::Alarm"))
    assert "ReleasesCheck" in alarms
    assert "ReleasesNotRecorded" in alarms
    assert "NotRecorded" not in json.dumps(group(environment)["AlarmConfiguration"])


@ALL
def test_the_check_may_call_versions_of_the_api_and_the_registrar_and_answer_codedeploy(
    environment: Environment,
) -> None:
    invoking = [
        json.dumps(statement["Resource"])
        for statement in statements(serving(environment))
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    assert any("Api" in resource and "Registrar" in resource for resource in invoking)
    answering = [
        statement
        for statement in statements(serving(environment))
        if "codedeploy:PutLifecycleEventHookExecutionStatus" in statement["Action"]
    ]
    assert answering and all("deploymentgroup" in json.dumps(found["Resource"]) for found in answering)
