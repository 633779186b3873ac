"""IAM statements and service principals, as every stack writes them."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


def allow(
    grantee: iam.IGrantable, *actions: str, on: Sequence[str], conditions: dict[str, object] | None = None
) -> None:
    """Allow a role, or a function's role, these actions on these resources."""
    grantee.grant_principal.add_to_principal_policy(
        iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=conditions)
    )


def service_principal(scope: Construct, service: str) -> iam.ServicePrincipal:
    """Return a service that acts for this account only (against the confused deputy problem)."""
    return iam.ServicePrincipal(
        f"{service}.amazonaws.com",
        conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
    )
