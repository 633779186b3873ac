"""Every resource type of the stacks is free when idle or has a line in the bill."""

import json
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from cdk.costs.idle import ALARMS, DASHBOARDS, DRIFT_RUN_SECONDS, KEYS, WAF_RULES, idle_costs
from cdk.costs.usage import ACCESS_LOG_BYTES, BYTES_PER_LOG_EVENT
from cdk.environments import ENVIRONMENTS, Environment
from cdk.function_config import DRIFT_MONITOR, LOG_WRITER, FunctionConfig
from local import function_specs as local
from tests.fixtures.templates import synthesize

Resources = dict[str, dict[str, Any]]

# Types that cost money when idle, with their line in the bill.
BILLED = {
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::Cognito::UserPoolClient": "machine client",
    "AWS::EC2::VPCEndpoint": "endpoints",
    "AWS::KMS::Key": "keys",
    "AWS::Lambda::EventSourceMapping": "queue polling",
    "AWS::RDS::DBInstance": "database",
    "AWS::SageMaker::MlflowApp": "managed MLflow",
    "AWS::Scheduler::Schedule": "drift runs",
    "AWS::SecretsManager::Secret": "secrets",
    "AWS::WAFv2::WebACL": "firewall",
}
# Types that cost nothing until they are used or contain something, or are not billed separately.
FREE = {
    *(f"AWS::ApiGatewayV2::{kind}" for kind in ("Api", "Authorizer", "Integration", "Route", "Stage")),
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::Budgets::Budget",  # without actions
    *(
        f"AWS::CloudFront::{kind}"
        for kind in ("Distribution", "Function", "OriginAccessControl", "ResponseHeadersPolicy")
    ),
    *("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"),  # free for Lambda
    *(f"AWS::Cognito::{kind}" for kind in ("UserPool", "UserPoolDomain", "UserPoolResourceServer")),
    "AWS::EC2::FlowLog",  # of rejected packets: there are none
    *(
        f"AWS::EC2::{kind}"
        for kind in (
            *("RouteTable", "SecurityGroup", "SecurityGroupEgress", "SecurityGroupIngress", "Subnet"),
            *("SubnetRouteTableAssociation", "VPC"),
        )
    ),
    "AWS::Events::Rule",
    *("AWS::IAM::Policy", "AWS::IAM::Role"),
    *(
        f"AWS::Lambda::{kind}"
        for kind in (
            *("Alias", "EventInvokeConfig", "Function", "LayerVersion", "Permission", "Version"),  # to 75 GB
        )
    ),
    *("AWS::Logs::LogGroup", "AWS::Logs::MetricFilter"),
    *("AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup"),
    *("AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
    *("AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::StepFunctions::StateMachine",
    "AWS::WAFv2::LoggingConfiguration",
    *("Custom::CDKBucketDeployment", "Custom::CrossRegionExportReader", "Custom::CrossRegionExportWriter"),
    *("Custom::S3AutoDeleteObjects", "Custom::Trigger"),
}


@pytest.fixture(scope="module", params=ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def stacks(
    request: pytest.FixtureRequest,
) -> tuple[Environment, Resources]:
    """An environment and the resources of all its stacks."""
    resources: Resources = {}
    for stack, template in synthesize(request.param).items():
        found = template.to_json()["Resources"]
        resources |= {f"{stack}/{id}": resource for id, resource in found.items()}
    return request.param, resources


def of_type(resources: Resources, kind: str) -> list[dict[str, Any]]:
    return [each.get("Properties", {}) for each in resources.values() if each["Type"] == kind]


def test_every_type_is_free_or_has_a_line(stacks: tuple[Environment, Resources]) -> None:
    environment, resources = stacks
    types = {each["Type"] for each in resources.values()} - {"AWS::CDK::Metadata"}
    assert types - FREE - BILLED.keys() == set(), "add these to BILLED or FREE"
    items = {line.item for line in idle_costs(environment)}
    assert {BILLED[kind] for kind in types & BILLED.keys()} <= items


def test_nothing_is_billed_that_does_not_exist(stacks: tuple[Environment, Resources]) -> None:
    environment, resources = stacks
    types = {each["Type"] for each in resources.values()}
    lines = {line.item for line in idle_costs(environment)} & set(BILLED.values()) - {"secrets"}
    assert lines == {item for kind, item in BILLED.items() if kind in types} - {"secrets"}
    [database] = of_type(resources, "AWS::RDS::DBInstance")
    assert database["ManageMasterUserPassword"] is True, "the billed secret is the database's"


def test_the_billed_counts_are_those_of_the_templates(stacks: tuple[Environment, Resources]) -> None:
    environment, resources = stacks
    counts = Counter(each["Type"] for each in resources.values())
    assert counts["AWS::KMS::Key"] == KEYS
    assert counts["AWS::CloudWatch::Dashboard"] == DASHBOARDS
    assert counts["AWS::Lambda::EventSourceMapping"] == 1
    alarm_metrics = [
        sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm")
    ]
    assert sum(alarm_metrics) == ALARMS
    for acl in of_type(resources, "AWS::WAFv2::WebACL"):
        assert len(acl["Rules"]) == WAF_RULES
    zones = sum(
        len(endpoint["SubnetIds"])
        for endpoint in of_type(resources, "AWS::EC2::VPCEndpoint")
        if endpoint["VpcEndpointType"] == "Interface"
    )
    [line] = [line for line in idle_costs(environment) if line.item == "endpoints"]
    assert line.dollars == pytest.approx(zones * 730 * 0.012)


def test_the_database_has_the_billed_class_storage_and_zones(stacks: tuple[Environment, Resources]) -> None:
    environment, resources = stacks
    [database] = of_type(resources, "AWS::RDS::DBInstance")
    assert database["DBInstanceClass"] == f"db.{environment.database_class}"
    assert int(database["AllocatedStorage"]) == environment.database_storage_gb
    assert (database["MultiAZ"], database["StorageType"]) == (environment.multi_az, "gp3")


def configs(resources: Resources) -> dict[str, FunctionConfig]:
    """Return the memory and time-out of each of our functions."""
    return {
        function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: FunctionConfig(
            function["MemorySize"], function["Timeout"]
        )
        for function in of_type(resources, "AWS::Lambda::Function")
        if "POWERTOOLS_SERVICE_NAME" in function.get("Environment", {}).get("Variables", {})
    }


def test_functions_have_the_memory_that_is_billed(stacks: tuple[Environment, Resources]) -> None:
    environment, resources = stacks
    memory = {name: config.memory_mb for name, config in configs(resources).items()}
    assert memory["api"] == environment.api_memory_mb
    assert memory["log_writer"] == LOG_WRITER.memory_mb
    assert memory["drift_monitor"] == DRIFT_MONITOR.memory_mb


def test_a_drift_run_is_billed_for_less_than_its_time_out(stacks: tuple[Environment, Resources]) -> None:
    _, resources = stacks
    assert configs(resources)["drift_monitor"].timeout_seconds / 10 > DRIFT_RUN_SECONDS


def test_functions_on_the_laptop_have_the_memory_and_time_out_of_those_in_aws(
    stacks: tuple[Environment, Resources], tmp_path: Path
) -> None:
    environment, resources = stacks
    aws: Any = SimpleNamespace(environment=dict)
    specs = [
        local.migrations(aws, {}),
        local.api(aws, tmp_path, UUID(int=0), "key"),
        local.log_writer(aws, {}),
        local.reports(aws, {}, tmp_path),
        local.drift_monitor(aws, {}, tmp_path, {}),
        local.slack_notifier(aws),
    ]
    cloud = configs(resources)
    assert len(cloud.keys() & {spec.name for spec in specs}) >= 5, (
        "only the Slack notifier may be missing, without a webhook"
    )
    for spec in specs:
        if spec.name in cloud:
            memory_mb = environment.api_memory_mb if spec.name == "api" else spec.memory_mb
            assert (memory_mb, spec.timeout_seconds) == cloud[spec.name]


def test_an_access_log_line_is_about_as_long_as_is_billed(stacks: tuple[Environment, Resources]) -> None:
    _, resources = stacks
    [stage] = of_type(resources, "AWS::ApiGatewayV2::Stage")
    names = json.loads(stage["AccessLogSettings"]["Format"])
    typical = {"requestId": 16, "requestTime": 26, "client": 26, "sourceIp": 12, "routeKey": 13}
    line = json.dumps({name: "x" * typical.get(name, 2) for name in names})
    assert math.isclose(len(line) + BYTES_PER_LOG_EVENT, ACCESS_LOG_BYTES, rel_tol=0.1)
