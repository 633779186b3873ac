"""The data stack: encryption at rest and in transit, nothing public, and protection against deletion."""

import json
from typing import Any

import pytest

from cdk.environments import ENVIRONMENTS, Environment
from tests.fixtures.templates import PLAIN, Template, find, function, referenced, resources, synthesize

ALL = pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
HOLDS_DATA = ("AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Logs::LogGroup")


def data(environment: Environment) -> Template:
    return synthesize(environment)["Data"]


def database(environment: Environment) -> dict[str, Any]:
    [instance] = resources(data(environment), "AWS::RDS::DBInstance")
    return instance


@ALL
def test_the_database_is_encrypted_private_backed_up_and_monitored(environment: Environment) -> None:
    instance = database(environment)
    assert instance["StorageEncrypted"] is True
    assert referenced(synthesize(environment), "Data", instance["KmsKeyId"]) == find(
        synthesize(environment), "Data", "AWS::KMS::Key"
    )
    assert instance["PubliclyAccessible"] is False
    assert instance["BackupRetentionPeriod"] == environment.backup_days >= 1
    assert instance["EnablePerformanceInsights"] is True
    assert int(instance["EngineVersion"].split(".")[0]) >= 16
    assert instance["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


@ALL
def test_no_template_contains_a_database_password(environment: Environment) -> None:
    instance = database(environment)
    assert instance["EnableIAMDatabaseAuthentication"] is True
    assert instance["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in instance


@ALL
def test_postgres_requires_tls_and_keeps_user_text_out_of_its_log(
    environment: Environment,
) -> None:
    [group] = resources(data(environment), "AWS::RDS::DBParameterGroup")
    parameters = group["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["log_parameter_max_length"] == "0"
    assert parameters["log_parameter_max_length_on_error"] == "0"
    assert parameters["log_error_verbosity"] == "terse"


@ALL
def test_prod_is_multi_az_and_protected_and_dev_is_deleted_completely(environment: Environment) -> None:
    prod = environment.name == "prod"
    assert database(environment)["MultiAZ"] is prod
    assert database(environment)["DeletionProtection"] is prod
    policies = {
        (id, resource["DeletionPolicy"])
        for type in HOLDS_DATA
        for id, resource in data(environment).find_resources(type).items()
    }
    assert {policy for _, policy in policies} == {"Retain" if prod else "Delete"}, policies
    emptied = data(environment).find_resources("Custom::S3AutoDeleteObjects")
    assert len(emptied) == (0 if prod else 2)


@ALL
def test_every_bucket_is_encrypted_private_and_requires_tls(environment: Environment) -> None:
    template = data(environment)
    policies = resources(template, "AWS::S3::BucketPolicy")
    for id, bucket in template.find_resources("AWS::S3::Bucket").items():
        properties = bucket["Properties"]
        assert properties["BucketEncryption"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        [policy] = [policy for policy in policies if policy["Bucket"] == {"Ref": id}]
        assert requires_tls(policy["PolicyDocument"], "s3:*")


@ALL
def test_the_artifact_bucket_is_versioned_under_our_key_and_expires_outputs_of_jobs(
    environment: Environment,
) -> None:
    [bucket] = resources(data(environment), "AWS::S3::Bucket", VersioningConfiguration={"Status": "Enabled"})
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    expiring = {
        rule.get("Prefix") for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule
    }
    assert expiring == {"training/", "reports/"}  # never models/, data/ or unsent/


@ALL
def test_alerts_are_encrypted_with_a_rotated_key_that_alarms_and_budgets_can_use(
    environment: Environment,
) -> None:
    template = data(environment)
    [topic] = resources(template, "AWS::SNS::Topic")
    [key] = resources(template, "AWS::KMS::Key")
    assert topic["KmsMasterKeyId"]
    assert key["EnableKeyRotation"] is True
    for service in ("cloudwatch.amazonaws.com", "budgets.amazonaws.com"):
        assert service in json.dumps(key["KeyPolicy"])
        [policy] = resources(template, "AWS::SNS::TopicPolicy")
        assert service in json.dumps(policy)
        assert requires_tls(policy["PolicyDocument"], "sns:Publish")


@ALL
def test_the_network_has_no_internet_access_and_only_the_necessary_endpoints(
    environment: Environment,
) -> None:
    template = data(environment)
    for type in ("AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"):
        template.resource_count_is(type, 0)
    template.resource_count_is("AWS::EC2::Route", 0)
    endpoints = resources(template, "AWS::EC2::VPCEndpoint")
    interfaces = [endpoint for endpoint in endpoints if endpoint["VpcEndpointType"] == "Interface"]
    assert len(interfaces) == (3 if environment.on_drift == "retrain" else 2)
    assert {len(endpoint["SubnetIds"]) for endpoint in interfaces} == {environment.endpoint_zones}
    assert len(endpoints) == len(interfaces) + 1  # the S3 gateway endpoint, which is free


@ALL
def test_only_our_functions_can_reach_the_database(environment: Environment) -> None:
    template = data(environment)
    ingress = resources(template, "AWS::EC2::SecurityGroupIngress", IpProtocol="tcp")
    for group in resources(template, "AWS::EC2::SecurityGroup"):
        assert not group.get("SecurityGroupIngress"), "rules by address would allow others"
    stacks = synthesize(environment)
    clients = referenced(stacks, "Data", function(stacks, "Data", "migrations").properties["VpcConfig"])
    [group] = [each for each in clients if each.type == "AWS::EC2::SecurityGroup"]
    assert all(referenced(stacks, "Data", rule["SourceSecurityGroupId"]) == [group] for rule in ingress)
    assert any("Endpoint.Port" in json.dumps(rule["FromPort"]) for rule in ingress)


@ALL
def test_migrations_run_on_each_change_and_before_the_registrar_is_created(environment: Environment) -> None:
    template = data(environment)
    [(id, trigger)] = template.find_resources("Custom::Trigger").items()
    stacks = synthesize(environment)
    [version] = referenced(stacks, "Data", trigger["Properties"]["HandlerArn"])
    assert referenced(stacks, "Data", version.properties["FunctionName"]) == [
        function(stacks, "Data", "migrations")
    ]
    assert trigger["Properties"]["ExecuteOnHandlerChange"] is True
    [instance] = template.find_resources("AWS::RDS::DBInstance")
    assert instance in trigger["DependsOn"]
    [registrar] = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.registrar.handler.handler"}}
    ).values()
    assert id in registrar["DependsOn"]


@ALL
def test_partitions_are_maintained_daily(environment: Environment) -> None:
    [rule] = resources(data(environment), "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "cron(17 3 * * ? *)"
    stacks = synthesize(environment)
    assert function(stacks, "Data", "migrations") in referenced(stacks, "Data", rule["Targets"])


def requires_tls(document: dict[str, Any], action: str) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Action"] == action
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in document["Statement"]
    )


def test_migrations_wait_for_every_security_group_rule() -> None:
    template = synthesize(PLAIN)["Data"].to_json()["Resources"]
    (trigger,) = [each for each in template.values() if each["Type"] == "Custom::Trigger"]
    rules = {
        name
        for name, each in template.items()
        if each["Type"] in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
    }
    assert rules
    assert rules <= set(trigger["DependsOn"])
