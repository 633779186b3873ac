"""How a function reaches Postgres: its place in the VPC, its DATABASE_* variables, and its login."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk.permissions import allow

# Lambda creates a VPC function's network interfaces with the function's role, before they have an ARN.
NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """One database user's access; without a user, a function cannot log in by IAM."""

    vpc: ec2.IVpc
    security_group: ec2.ISecurityGroup
    settings: Mapping[str, str]
    instance: rds.IDatabaseInstance
    user: str | None

    def network(self, role: iam.IRole) -> dict[str, Any]:
        """Return the function's network options, and let its role create the network interfaces."""
        allow(role, *NETWORK_INTERFACE_ACTIONS, on=["*"])
        return {"vpc": self.vpc, "security_groups": [self.security_group]}

    def allow_login(self, function: lambda_.Function) -> None:
        """Let the function log in as this user and no other."""
        if self.user:
            self.instance.grant_connect(function, self.user)
