"""The deployed registrar function, which reads and writes the deployment history: Postgres is not public."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sentiment.exceptions import SentimentError

from cli.aws.stacks import stack_output

if TYPE_CHECKING:
    import boto3


class RegistrarError(SentimentError):
    """The registrar rejected a request."""


class Registrar:
    """The registrar of one environment; raises ConfigurationError when its stack is not deployed."""

    def __init__(self, session: "boto3.Session", environment: str) -> None:
        self._lambda = session.client("lambda")
        self._function = stack_output(session, environment, "data", "RegistrarFunction")

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the registrar's response; raises RegistrarError with its message when it fails."""
        response = self._lambda.invoke(FunctionName=self._function, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(response["Payload"].read())
        if response.get("FunctionError"):
            raise RegistrarError(f"the registrar: {payload.get('errorMessage', payload)}")
        return payload
