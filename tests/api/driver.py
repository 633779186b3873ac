"""Call the API as Lambda does, with API Gateway events through Mangum, and inspect queue and bucket."""

import base64
import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mangum import Mangum
from sentiment.messages import parse_message

from functions.api.app import create_app
from functions.api.dependencies import Dependencies

EVENT = json.loads((Path(__file__).parents[2] / "events" / "api_predict.json").read_text())


class Response:
    """What API Gateway would send to the client."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """One warm instance of the function, with its queue and bucket."""

    def __init__(self, dependencies: Dependencies, aws: SimpleNamespace) -> None:
        self.dependencies = dependencies
        self.aws = aws
        self._handle = Mangum(create_app(dependencies), lifespan="off")

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        event = copy.deepcopy(EVENT)
        event["rawPath"] = path
        event["headers"] = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
        return Response(self._handle(event, None))

    def get(self, path: str, **headers: str) -> Response:
        return self.request("GET", path, **headers)

    def post(self, path: str, content: object, **headers: str) -> Response:
        return self.request("POST", path, json.dumps(content).encode(), **headers)

    def predict(self, text: str, **headers: str) -> Response:
        return self.post("/predict", {"text": text}, **headers)

    @property
    def queued_bodies(self) -> list[str]:
        """Receive and delete all messages of the queue."""
        bodies: list[str] = []
        while messages := self.aws.sqs.receive_message(
            QueueUrl=self.dependencies.outbox.queue_url, MaxNumberOfMessages=10
        ).get("Messages", []):
            for message in messages:
                bodies.append(message["Body"])
                self.aws.sqs.delete_message(
                    QueueUrl=self.dependencies.outbox.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return bodies

    @property
    def queued(self) -> list[Any]:
        return [parse_message(body) for body in self.queued_bodies]

    @property
    def unsent(self) -> dict[str, str]:
        """All objects of the fallback bucket, body by key."""
        bucket = self.dependencies.outbox.unsent_bucket
        return {
            item["Key"]: self.aws.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
            for item in self.aws.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        }

    def break_queue(self) -> None:
        self.aws.sqs.delete_queue(QueueUrl=self.dependencies.outbox.queue_url)

    def break_fallback(self) -> None:
        self.aws.s3.delete_bucket(Bucket=self.dependencies.outbox.unsent_bucket)
