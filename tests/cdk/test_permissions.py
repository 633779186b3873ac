"""The permissions of every role in every environment: actions and resources by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.environments import ENVIRONMENTS, Environment
from tests.fixtures.templates import synthesize

# Actions that take no resource, or none that is known in advance.
ON_EVERY_RESOURCE = {
    "cloudwatch:GetMetricData": "takes no resources",
    "cloudwatch:PutMetricData": "takes no resources; limited to SageMaker's namespace by a condition",
    "ec2:AssignPrivateIpAddresses": "Lambda's network interfaces have no ARN before they exist",
    "ec2:CreateNetworkInterface": "as above",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "takes no resources",
    "ec2:DescribeSubnets": "takes no resources",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "ecr:GetAuthorizationToken": "takes no resources",
    "logs:CreateLogDelivery": "log delivery of Step Functions takes no resources",
    "logs:DeleteLogDelivery": "as above",
    "logs:DescribeLogGroups": "as above",
    "logs:DescribeResourcePolicies": "as above",
    "logs:GetLogDelivery": "as above",
    "logs:ListLogDeliveries": "as above",
    "logs:PutResourcePolicy": "as above",
    "logs:UpdateLogDelivery": "as above",
    "xray:GetSamplingRules": "takes no resources",
    "xray:GetSamplingTargets": "takes no resources",
    "xray:PutTelemetryRecords": "takes no resources",
    "xray:PutTraceSegments": "takes no resources",
}
# Action prefixes in CDK's own grants, each on one resource.
ACTION_PREFIXES = {
    "kms:GenerateDataKey*": "EventBridge publishes to the encrypted topic; two actions on our key"
}
# Policies of CDK's own functions, which fill and empty buckets during a deployment.
CDK_FUNCTIONS = ("CustomCDKBucketDeployment",)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every Allow statement of a role, with the logical id of its policy."""
    for template in synthesize(environment).values():
        for id, resource in template.to_json()["Resources"].items():
            properties = resource.get("Properties", {})
            documents = []
            if resource["Type"] == "AWS::IAM::Role":
                documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
                documents.append(properties["PolicyDocument"])
            for document in documents:
                for statement in as_list(document["Statement"]):
                    if statement["Effect"] == "Allow":
                        yield id, statement


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_no_role_is_allowed_every_action_of_a_service(environment: Environment) -> None:
    found = {
        (id, action)
        for id, statement in allowed(environment)
        for action in as_list(statement["Action"])
        if "*" in action and action not in ACTION_PREFIXES and not id.startswith(CDK_FUNCTIONS)
    }
    assert found == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_only_actions_that_take_no_resource_are_allowed_on_every_resource(environment: Environment) -> None:
    found = {
        action
        for _, statement in allowed(environment)
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert found <= ON_EVERY_RESOURCE.keys(), found - ON_EVERY_RESOURCE.keys()


def test_every_exception_is_used() -> None:
    used = {
        action
        for environment in ENVIRONMENTS.values()
        for _, statement in allowed(environment)
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert ON_EVERY_RESOURCE.keys() - used == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_only_services_can_assume_a_role(environment: Environment) -> None:
    for template in synthesize(environment).values():
        for role in template.find_resources("AWS::IAM::Role").values():
            for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                assert set(statement["Principal"]) == {"Service"}


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_every_function_can_log_in_to_postgres_as_its_own_user_only(environment: Environment) -> None:
    logins = {
        json.dumps(resource).rsplit("/", 1)[1].rstrip('"]} ')
        for _, statement in allowed(environment)
        if "rds-db:connect" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert logins == {"drift_monitor", "log_writer", "registrar", "reports"}
