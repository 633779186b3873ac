"""Findings of cdk-nag that are accepted, each next to its resource with a reason for reviewers."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings of a construct and its children; the keys are as cdk-nag prints them, in full."""
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items())
    )


def acknowledge_wildcards(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept IAM statements on more than one named resource; the keys are their ARNs (or `*`).

    For a function, its role's statements are meant.
    """
    owner: IConstruct = construct.role or construct if isinstance(construct, lambda_.Function) else construct
    stack = cdk.Stack.of(owner)
    acknowledge(
        owner,
        {
            f"AwsSolutions-IAM5[Resource::{_printed(stack.resolve(arn))}]": reason
            for arn, reason in reasons.items()
        },
    )


def exported(owner: cdk.Stack, value: str) -> str:
    """Return another stack's value as it appears in the importing stack's template."""
    return owner.export_value(value)


def _printed(value: Any) -> str:
    """Format a resolved value as cdk-nag does in the names of its findings."""
    match value:
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(_printed, parts))
        case {"Fn::ImportValue": name}:
            return str(name)
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case _:
            return str(value)
