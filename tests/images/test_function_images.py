"""The contents of the function images, and that they run as in Lambda."""

import hashlib
import json
import os
import stat
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from sentiment.database.models import MonitoringAlert
from sentiment.messages import parse_message
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from local.stand_ins.moto_server import LocalAws
from tests.drift_monitor.sample_data import NOW, Row, cut, serve
from tests.fixtures.base_images import LAMBDA_IMAGE
from tests.fixtures.containers import ROOT, Podman
from tests.images.conftest import BuildImage, Record
from tests.images.function_image import running_function

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

IMAGE_FUNCTIONS = ("api", "drift_monitor")
LAMBDA_INIT_SECONDS = 10  # a slower init is repeated and billed twice
LAMBDA_IMAGE_BYTES = 10 * 1024**3
COLD_STARTS = 3
CHECKED_HASH = 0b11  # flags in a .pyc; 0b01 means that the source is not checked
BUILD_TOOLS = ("pip", "setuptools", "wheel", "uv", "cython", "Cython", "hatchling", "pytest", "mypy", "ruff")
UNUSED = (
    "huggingface_hub",
    "torch",
    "transformers",
    "mlflow",
    "numpy/tests",
    "pandas/tests",
    "bin",
    ".git",
    ".env",
)


@pytest.fixture(params=IMAGE_FUNCTIONS)
def folder(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def task(podman: Podman, function_image: BuildImage, folder: str) -> Iterator[Path]:
    """The image's folder with the code that Lambda runs."""
    with podman.mounted(function_image(folder)) as root:
        yield root / "var/task"


def test_the_api_responds_and_its_record_is_in_the_queue(
    podman: Podman, function_image: BuildImage, aws: LocalAws, record: Record
) -> None:
    image = function_image("api")
    event = json.loads((ROOT / "events/api_predict.json").read_text())
    cold, warm = [], []
    for _ in range(COLD_STARTS):
        with running_function(podman, image, name="api", environment=aws.environment()) as api:
            response = api.invoke(event)
            cold.append(api.milliseconds[0])
            for _ in range(20):
                api.invoke(event)
            warm.extend(api.milliseconds[1:])
            memory = api.memory_mb()

    assert response["statusCode"] == 200
    prediction = json.loads(response["body"])
    assert prediction["sentiment"] in prediction["probabilities"]
    messages = aws.client("sqs").receive_message(QueueUrl=aws.queue_url, MaxNumberOfMessages=10)["Messages"]
    assert {type(parse_message(message["Body"])).__name__ for message in messages} == {"PredictionMade"}
    assert statistics.median(cold) < LAMBDA_INIT_SECONDS * 1000
    record(
        "api",
        cold_start_ms=round(statistics.median(cold)),
        warm_ms=round(statistics.median(warm), 1),
        memory_mb=memory,
    )


def test_the_drift_monitor_compares_traffic_with_the_reference_in_its_image_and_alerts(
    podman: Podman,
    function_image: BuildImage,
    aws: LocalAws,
    database: Engine,
    reviews: list[Row],
    record: Record,
) -> None:
    image = function_image("drift_monitor")
    serve(database, cut(reviews[1500:2000], words=40))
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith("DATABASE_")},
        **aws.environment(),
        "REPORT_BUCKET": aws.bucket,
        "POWERTOOLS_METRICS_NAMESPACE": "ServerlessSentiment",
    }
    event = {"scheduled_at": NOW.isoformat()}
    with running_function(
        podman, image, name="drift_monitor", environment=environment, timeout_seconds=120
    ) as monitor:
        outcome = monitor.invoke(event)
        monitor.invoke(event)
        cold, warm = monitor.milliseconds
        memory = monitor.memory_mb()

    assert outcome["judged"] is True
    assert outcome["data_drift"]["drifted"] is True
    with Session(database) as session:
        assert [alert.kind for alert in session.scalars(select(MonitoringAlert))] == ["data_drift"]
    pages = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="reports/")
    assert pages["KeyCount"] == 1
    record("drift_monitor", cold_start_ms=round(cold), warm_ms=round(warm, 1), memory_mb=memory)


def test_the_image_is_far_below_lambdas_size_limit(
    podman: Podman, function_image: BuildImage, folder: str, record: Record
) -> None:
    size, base = podman.inspect(function_image(folder))["Size"], podman.inspect(LAMBDA_IMAGE)["Size"]

    assert size < LAMBDA_IMAGE_BYTES / 5
    record(folder, size_mb=round(size / 1e6), without_base_mb=round((size - base) / 1e6))


def test_the_image_adds_only_the_function_to_its_base(
    podman: Podman, function_image: BuildImage, folder: str
) -> None:
    added = podman.run("diff", function_image(folder), LAMBDA_IMAGE).splitlines()

    assert {line.split()[1] for line in added} <= {"/var"} | {
        path for line in added if (path := line.split()[1]) == "/var/task" or path.startswith("/var/task/")
    }


def test_the_image_contains_one_function_only(task: Path, folder: str) -> None:
    assert {path.name for path in (task / "functions").iterdir()} - {"__pycache__"} == {"__init__.py", folder}
    assert (task / "functions" / folder / "handler.py").is_file()
    assert (task / "sentiment" / "settings.py").is_file()
    assert not (task / "training").exists()


def test_the_image_contains_no_build_tools_tests_or_caches(task: Path) -> None:
    assert [name for name in (*BUILD_TOOLS, *UNUSED) if (task / name).exists()] == []


def test_the_image_contains_the_unchanged_artifact(
    task: Path, folder: str, artifacts: dict[str, Path]
) -> None:
    def contents(model: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in model.iterdir()}

    assert contents(task / "model") == contents(artifacts[folder])


def test_any_user_can_read_every_file_and_write_none(task: Path) -> None:
    wrong = []
    for path in task.rglob("*"):
        mode = path.lstat().st_mode
        readable = mode & stat.S_IROTH and (mode & stat.S_IXOTH or not path.is_dir())
        if not path.is_symlink() and (not readable or mode & (stat.S_IWOTH | stat.S_IWGRP)):
            wrong.append(str(path))

    assert wrong == []


def test_bytecode_is_compiled_and_not_checked_against_the_sources(task: Path, folder: str) -> None:
    for module in ("sentiment/settings.py", f"functions/{folder}/handler.py", "boto3/session.py"):
        (compiled,) = (task / module).parent.glob(f"__pycache__/{Path(module).stem}.*.pyc")
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") & CHECKED_HASH == 0b01


def test_the_image_contains_no_secret_and_no_setting_of_the_build_machine(
    podman: Podman, function_image: BuildImage, folder: str
) -> None:
    image = function_image(folder)
    variables = {line.partition("=")[0] for line in podman.inspect(image)["Config"]["Env"]}
    base = {line.partition("=")[0] for line in podman.inspect(LAMBDA_IMAGE)["Config"]["Env"]}

    assert variables - base == {"DO_NOT_TRACK", "MODEL_DIR", "PYTHONDONTWRITEBYTECODE"}
    history = podman.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert not any(word in history for word in ("AWS_SECRET", "PASSWORD", "TOKEN", "pip.conf", "index-url"))


def test_outside_lambda_the_image_runs_as_an_unprivileged_user(
    podman: Podman, function_image: BuildImage, folder: str
) -> None:
    assert podman.inspect(function_image(folder))["Config"]["User"] == "65534:65534"
