"""One warm instance of the API per test: a real tiny model, and real botocore with moto's server."""

import io
import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sentiment.logging import logger, metrics

from functions.api.dependencies import Dependencies
from functions.api.metrics import Metrics
from functions.api.model.artifact import Artifact, load_artifact
from functions.api.model.classifier import Classifier
from functions.api.outbox import Outbox
from functions.api.settings import ApiSettings
from tests.api.driver import Api

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@pytest.fixture(scope="module")  # not longer: its variables would affect other tests
def aws() -> Iterator[SimpleNamespace]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}).items():
            patch.setenv(name, value)
        yield SimpleNamespace(endpoint=endpoint, sqs=boto3.client("sqs"), s3=boto3.client("s3"))
    server.stop()


@pytest.fixture(scope="session")
def artifact(tiny_artifact: Path) -> Artifact:
    return load_artifact(tiny_artifact)


@pytest.fixture(scope="session")
def classifier(artifact: Artifact) -> Classifier:
    """A classifier without cache, so that every prediction is computed."""
    return Classifier(artifact, threads=1, cache_entries=0)


@pytest.fixture
def variables(aws: SimpleNamespace, tiny_artifact: Path) -> dict[str, str]:
    """The environment of one instance, with its own queue and bucket."""
    name = f"test-{uuid.uuid4()}"
    queue_url = aws.sqs.create_queue(QueueName=name)["QueueUrl"]
    aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return {"MODEL_DIR": str(tiny_artifact), "QUEUE_URL": queue_url, "UNSENT_BUCKET": name}


@pytest.fixture
def make_api(
    aws: SimpleNamespace, variables: dict[str, str], artifact: Artifact, classifier: Classifier
) -> Callable[..., Api]:
    def make(classifier: Classifier = classifier, **settings: Any) -> Api:
        lower = {name.lower(): value for name, value in variables.items()}
        values = ApiSettings(_env_file=None, **(lower | settings))
        outbox = Outbox(queue_url=values.queue_url, unsent_bucket=values.unsent_bucket)
        return Api(Dependencies(values, classifier, outbox, Metrics(classifier.card), artifact.golden), aws)

    return make


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything the API logs, as the JSON lines sent to CloudWatch."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger("api").registered_formatter)
    logger("api").addHandler(handler)
    yield stream
    logging.getLogger("api").removeHandler(handler)


@pytest.fixture(autouse=True)
def no_metrics_left_over() -> Iterator[None]:
    """EMF metrics are buffered per process until the handler flushes; no test may see another's."""
    yield
    metrics("api").provider.clear_metrics()


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class PickyQueue(BaseHTTPRequestHandler):
    """SendMessageBatch that accepts some entries and fails those whose body contains "refused"."""

    def do_POST(self) -> None:
        entries = json.loads(self.rfile.read(int(self.headers["content-length"])))["Entries"]
        refused = [entry["Id"] for entry in entries if "refused" in entry["MessageBody"]]
        answer = {
            "Successful": [{"Id": entry["Id"]} for entry in entries if entry["Id"] not in refused],
            "Failed": [{"Id": each, "SenderFault": False, "Code": "InternalError"} for each in refused],
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def picky_endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), PickyQueue) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, str]], None]:
    """Set only these variables: none of the machine's, and no `.env` of the checkout."""

    def set_all(variables: dict[str, str]) -> None:
        for name in ApiSettings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)

    return set_all
