"""The function in its own process, as Lambda starts it: imports, start-up errors and responses."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.api.settings import settings

ROOT = Path(__file__).parents[2]
EVENTS = sorted((ROOT / "events").glob("api_*.json"))
# Not installed by the api group; the development venv has them for training, storage and the laptop.
FOREIGN = {"sqlalchemy", "pg8000", "alembic", "torch", "transformers", "pandas", "mlflow", "sklearn", "moto"}
INVOKE = """
import json, sys
from functions.api.handler import handler
answers = [handler(json.load(open(path)), None) for path in sys.argv[1:]]
print(json.dumps({"answers": answers, "modules": sorted(sys.modules)}))
"""


def start(variables: dict[str, str], *events: Path) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "COV"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", INVOKE, *map(str, events)],
        env=inherited | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_event_is_handled_with_only_the_packages_of_its_group(
    variables: dict[str, str], aws: SimpleNamespace
) -> None:
    process = start(variables, *EVENTS)
    assert process.returncode == 0, process.stderr
    *lines, last = process.stdout.splitlines()
    result = json.loads(last)
    statuses = [answer["statusCode"] for answer in result["answers"]]
    assert dict(zip([path.stem for path in EVENTS], statuses, strict=True)) == {
        "api_explain": 200,
        "api_feedback": 202,
        "api_health": 200,
        "api_metrics": 200,
        "api_model": 200,
        "api_model_golden": 200,
        "api_predict": 200,
        "api_predict_batch": 200,
    }
    assert not {module.split(".")[0] for module in result["modules"]} & FOREIGN
    # One EMF document per invocation, flushed before the response, and one log line, both JSON.
    documents = [json.loads(line) for line in lines]
    assert sum("RequestTime" in document for document in documents) == len(EVENTS)
    assert sum(document.get("message") == "request answered" for document in documents) == len(EVENTS)


def test_the_first_request_loads_only_what_it_needs(variables: dict[str, str], aws: SimpleNamespace) -> None:
    process = start(variables, ROOT / "events" / "api_predict.json")
    modules = set(json.loads(process.stdout.splitlines()[-1])["modules"])
    assert not {"boto3", "httpx", "requests", "fastapi.testclient", "uvicorn"} & modules


def test_each_invocation_flushes_its_metrics_once(
    variables: dict[str, str], env: Callable[[dict[str, str]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    env(variables)
    settings.cache_clear()
    handler = importlib.import_module("functions.api.handler").handler
    settings.cache_clear()
    for _ in range(2):
        assert (
            handler(json.loads((ROOT / "events" / "api_health.json").read_text()), None)["statusCode"] == 200
        )
        blobs = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
        assert len(blobs) == 1
        assert json.loads(blobs[0])["ServerErrors"] == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MODEL_DIR": "/nowhere"}, "ModelError: /nowhere: model.json is missing: train and export it again"),
        ({"QUEUE_URL": ""}, "ConfigurationError: QUEUE_URL: is not set"),
        ({"CORS_ORIGINS": "*"}, "ConfigurationError: CORS_ORIGINS: '*' is not an exact origin"),
    ],
)
def test_it_fails_to_start_with_the_reason(
    variables: dict[str, str], aws: SimpleNamespace, change: dict[str, str], message: str
) -> None:
    process = start(variables | change)
    assert process.returncode != 0
    assert message in process.stderr.splitlines()[-1]


SNAPSHOT = """
import json, sys
import sentiment.http, uuid_utils.compat
from botocore.session import Session

made = []

def note(owner, name):
    real = getattr(owner, name)
    setattr(owner, name, lambda *given, **named: made.append(name) or real(*given, **named))

note(sentiment.http, "uuid4")
note(uuid_utils.compat, "uuid7")
note(Session, "create_client")
from functions.api.handler import handler
at_init = list(made)
event = json.load(open(sys.argv[1]))
del event["headers"]["x-correlation-id"]
handler(event, None)
print(json.dumps([at_init, sorted(set(made))]))
"""


def test_init_creates_no_id_or_client_that_instances_of_a_snapshot_would_share(
    variables: dict[str, str], aws: SimpleNamespace
) -> None:
    # SnapStart restores many instances from one snapshot: they would share its random state and credentials,
    # and two predictions with the same id would be stored as one.
    event = str(ROOT / "events" / "api_predict.json")
    inherited = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "COV"))}
    process = subprocess.run(
        [sys.executable, "-c", SNAPSHOT, event],
        env=inherited | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    at_init, afterwards = json.loads(process.stdout.splitlines()[-1])
    assert at_init == []
    assert afterwards == ["create_client", "uuid4", "uuid7"]
