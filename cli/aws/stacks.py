"""The deployed stacks of an environment: its region, its stack outputs, and errors of AWS in one line.

Credentials are those that boto3 finds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from sentiment.exceptions import ConfigurationError, SentimentError
from sentiment.invocation import invoke
from sentiment.registrar import Registrar

from cdk.environments import ENVIRONMENTS

if TYPE_CHECKING:
    import boto3


class AwsError(SentimentError):
    """AWS rejected a request or was not reachable."""


def open_session(environment: str) -> "boto3.Session":
    """Return a session in the environment's region; raises ConfigurationError for an unknown environment."""
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"no environment {environment!r}; choose one of {', '.join(ENVIRONMENTS)}")
    import boto3

    return boto3.Session(region_name=ENVIRONMENTS[environment].region)


@contextmanager
def aws_errors() -> Iterator[None]:
    """Raise boto3's errors as AwsError, in one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"{error}; check the credentials and their permissions") from None


def stack_output(session: "boto3.Session", environment: str, stack: str, name: str) -> str:
    """Return an output of a deployed stack; raises ConfigurationError that says how to deploy it."""
    from botocore.exceptions import ClientError

    stack_name = f"sentiment-{environment}-{stack}"
    try:
        [described] = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise ConfigurationError(
            f"there is no stack {stack_name} in {session.region_name}; deploy it with "
            f"`make deploy ENV={environment}`"
        ) from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    if name not in outputs:
        raise ConfigurationError(f"stack {stack_name} has no output {name}; deploy this version of it")
    return str(outputs[name])


def open_registrar(session: "boto3.Session", environment: str) -> Registrar:
    """Return the client of the environment's registrar, which records deployments: Postgres is not public."""
    function = stack_output(session, environment, "data", "RegistrarFunction")
    return Registrar(partial(invoke, session.client("lambda"), function))
