"""The training state machine of the template, ready to execute."""

import pytest

from tests.fixtures.templates import RICH, resources, synthesize

SUBSTITUTIONS = {
    "Bucket": "artifacts",
    "Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/training:1",
    "Key": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "Region": "eu-central-1",
    "Registrar": "arn:aws:lambda:eu-central-1:123456789012:function:registrar",
    "TrainingRole": "arn:aws:iam::123456789012:role/jobs",
}


@pytest.fixture(scope="module")
def definition() -> str:
    """The template's definition, with its own strings and this test's ARNs substituted."""
    (machine,) = resources(synthesize(RICH)["Training"], "AWS::StepFunctions::StateMachine")
    text: str = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        if name != "Topic":
            text = text.replace(f"${{{name}}}", SUBSTITUTIONS.get(name) or value)
    return text
