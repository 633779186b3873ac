"""What any role may do, over every stack of every environment: actions and resources by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.environments import ENVIRONMENTS, Environment
from tests.fixtures.templates import synthesize

# Actions for which AWS offers no resource, or none that could be known beforehand.
ON_EVERY_RESOURCE = {
    "cloudwatch:GetMetricData": "knows no resources",
    "cloudwatch:PutMetricData": "knows no resources; limited to SageMaker's namespace by a condition",
    "ec2:AssignPrivateIpAddresses": "Lambda's network interfaces have no ARN before they are made",
    "ec2:CreateNetworkInterface": "as above",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "knows no resources",
    "ec2:DescribeSubnets": "knows no resources",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "ecr:GetAuthorizationToken": "knows no resources",
    "logs:CreateLogDelivery": "log delivery of Step Functions knows no resources",
    "logs:DeleteLogDelivery": "as above",
    "logs:DescribeLogGroups": "as above",
    "logs:DescribeResourcePolicies": "as above",
    "logs:GetLogDelivery": "as above",
    "logs:ListLogDeliveries": "as above",
    "logs:PutResourcePolicy": "as above",
    "logs:UpdateLogDelivery": "as above",
    "xray:GetSamplingRules": "knows no resources",
    "xray:GetSamplingTargets": "knows no resources",
    "xray:PutTelemetryRecords": "knows no resources",
    "xray:PutTraceSegments": "knows no resources",
}
# Families of actions that CDK's own grants name by their beginning, on one resource.
FAMILIES = {"kms:GenerateDataKey*": "EventBridge publishes to the encrypted topic; two actions on our key"}
# Statements that CDK writes for its own functions, which fill and empty buckets while a stack changes.
OF_CDK = ("CustomCDKBucketDeployment",)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement that allows something to a role of ours, with the logical id of its policy."""
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
def test_no_role_may_do_everything_of_a_service(environment: Environment) -> None:
    found = {
        (id, action)
        for id, statement in allowed(environment)
        for action in as_list(statement["Action"])
        if "*" in action and action not in FAMILIES and not id.startswith(OF_CDK)
    }
    assert found == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_only_what_aws_offers_no_resource_for_is_allowed_on_every_resource(environment: Environment) -> None:
    found = {
        action
        for _, statement in allowed(environment)
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert found <= ON_EVERY_RESOURCE.keys(), found - ON_EVERY_RESOURCE.keys()


def test_every_exception_is_one_that_is_used() -> None:
    used = {
        action
        for environment in ENVIRONMENTS.values()
        for _, statement in allowed(environment)
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert ON_EVERY_RESOURCE.keys() - used == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_nobody_outside_the_account_is_trusted(environment: Environment) -> None:
    for template in synthesize(environment).values():
        for role in template.find_resources("AWS::IAM::Role").values():
            for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                assert set(statement["Principal"]) == {"Service"}


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_every_function_logs_in_to_postgres_as_itself_and_as_nobody_else(environment: Environment) -> None:
    logins = {
        json.dumps(resource).rsplit("/", 1)[1].rstrip('"]} ')
        for _, statement in allowed(environment)
        if "rds-db:connect" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert logins == {"drift_monitor", "log_writer", "registrar", "reports"}
