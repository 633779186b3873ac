"""Findings of cdk-nag that we live with, said next to the resource with a reason a reviewer would accept."""

from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings of a construct and of what it contains; the keys are as cdk-nag prints them, whole."""
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items())
    )


def acknowledge_wildcards(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept IAM statements on more than one named resource; the keys are their ARNs (or `*`)."""
    stack = cdk.Stack.of(construct)
    acknowledge(
        construct,
        {
            f"AwsSolutions-IAM5[Resource::{_printed(stack.resolve(arn))}]": reason
            for arn, reason in reasons.items()
        },
    )


def exported(owner: cdk.Stack, value: str) -> str:
    """Return a value of another stack as the importing stack's template will have it."""
    return owner.export_value(value)


def _printed(value: Any) -> str:
    """Write a resolved value as cdk-nag does in the names of its findings."""
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
