"""The resources of an account, by service: after `cdk destroy` they must be those from before."""

from collections.abc import Callable
from typing import Any

from tests.deploy.emulator import Emulator

Names = set[str]
Find = Callable[[Any], Names]


def take_inventory(emulator: Emulator) -> dict[str, Names]:
    """Return the ids of all resources by kind, without keys that are pending deletion."""
    return {
        f"{service}: {kind}": find(emulator.client(service))
        for service, kinds in KINDS.items()
        for kind, find in kinds.items()
    }


def _listed(operation: str, items: str, id: str | None, **arguments: Any) -> Find:
    """Return a function that lists ids with one operation, page by page if it has pages."""

    def find(client: Any) -> Names:
        if client.can_paginate(operation):
            pages = client.get_paginator(operation).paginate(**arguments)
        else:
            pages = [getattr(client, operation)(**arguments)]
        return {item[id] if id else item for page in pages for item in page.get(items, [])}

    return find


def _enabled_keys(client: Any) -> Names:
    keys = _listed("list_keys", "Keys", "KeyId")(client)
    return {
        key
        for key in keys
        if client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"
        and client.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] == "CUSTOMER"
    }


def _distributions(client: Any) -> Names:
    listed = client.list_distributions()["DistributionList"]
    return {distribution["Id"] for distribution in listed.get("Items", [])}


KINDS: dict[str, dict[str, Find]] = {
    "apigatewayv2": {"APIs": _listed("get_apis", "Items", "ApiId")},
    "cloudfront": {"distributions": _distributions},
    "cloudwatch": {
        "alarms": _listed("describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": _listed("list_dashboards", "DashboardEntries", "DashboardName"),
    },
    "cloudformation": {"exports": _listed("list_exports", "Exports", "Name")},
    "cognito-idp": {"user pools": _listed("list_user_pools", "UserPools", "Id", MaxResults=60)},
    "ec2": {
        "VPCs": _listed("describe_vpcs", "Vpcs", "VpcId"),
        "subnets": _listed("describe_subnets", "Subnets", "SubnetId"),
        "security groups": _listed("describe_security_groups", "SecurityGroups", "GroupId"),
        "endpoints": _listed("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    },
    "events": {"rules": _listed("list_rules", "Rules", "Name")},
    "iam": {
        "roles": _listed("list_roles", "Roles", "RoleName"),
        "policies": _listed("list_policies", "Policies", "PolicyName", Scope="Local"),
    },
    "kms": {"keys": _enabled_keys},
    "lambda": {
        "functions": _listed("list_functions", "Functions", "FunctionName"),
        "layers": _listed("list_layers", "Layers", "LayerName"),
        "event source mappings": _listed("list_event_source_mappings", "EventSourceMappings", "UUID"),
    },
    "logs": {"log groups": _listed("describe_log_groups", "logGroups", "logGroupName")},
    "rds": {
        "instances": _listed("describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        "parameter groups": _listed(
            "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"
        ),
        "subnet groups": _listed("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    },
    "s3": {"buckets": _listed("list_buckets", "Buckets", "Name")},
    "scheduler": {"schedules": _listed("list_schedules", "Schedules", "Name")},
    "secretsmanager": {"secrets": _listed("list_secrets", "SecretList", "Name")},
    "sns": {
        "topics": _listed("list_topics", "Topics", "TopicArn"),
        "subscriptions": _listed("list_subscriptions", "Subscriptions", "SubscriptionArn"),
    },
    "sqs": {"queues": _listed("list_queues", "QueueUrls", None)},
    "ssm": {"parameters": _listed("describe_parameters", "Parameters", "Name")},
    "stepfunctions": {"state machines": _listed("list_state_machines", "stateMachines", "stateMachineArn")},
}
