"""The local system in its container, run as in compose.yaml."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sqlalchemy import Engine, func, select

from local.postgres.server import PostgresServer
from local.processes import HOST, free_port, wait_until
from tests.fixtures.base_images import python_base
from tests.fixtures.containers import ROOT, Podman
from tests.images.conftest import Record

pytestmark = [pytest.mark.image, pytest.mark.timeout(2400)]

SERVICE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["api"]
SOURCES = ("cdk", "cli", "functions", "layers", "local", "training", "web")


@pytest.fixture(scope="module")
def local_image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    base, context = python_base(podman), tmp_path_factory.mktemp("context")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, context / name, ignore=ignored)
    image = podman.build(
        "localhost/sentiment-tests/local",
        dockerfile=context / "local/Dockerfile",
        context=context,
        build_args={"BASE_IMAGE": base},
        ignore_file=context / "local/Dockerfile.dockerignore",
    )
    yield image
    podman.remove_image(image)


def test_the_local_system_runs_in_its_container_with_an_external_postgres(
    podman: Podman,
    local_image: str,
    tiny_artifact: Path,
    postgres: PostgresServer,
    database: Engine,
    record: Record,
) -> None:
    port = free_port()
    environment = {
        **postgres.environment(),
        "DATABASE_NAME": str(database.url.database),
        "API_PORT": str(port),
        "AWS_PORT": str(free_port()),
    }
    assert SERVICE["read_only"]
    options = (
        "--read-only",
        *(f"--cap-drop={capability}" for capability in SERVICE["cap_drop"]),
        *(f"--security-opt={option}" for option in SERVICE["security_opt"]),
        *(f"--tmpfs={folder}" for folder in SERVICE["tmpfs"]),
        f"--volume={tiny_artifact}:/model:ro",
    )
    started = time.monotonic()
    with podman.running(local_image, environment=environment, options=options) as container:
        url = f"http://{HOST}:{port}"
        assert wait_until(lambda: is_healthy(url), seconds=120), podman.attempt("logs", container)
        ready_seconds = time.monotonic() - started

        response = httpx.post(f"{url}/predict", json={"text": "A superb film. I saw it twice."}, timeout=30)
        assert response.json()["sentiment"] == "positive"
        assert wait_until(lambda: stored(database) == 1, seconds=20)
        assert httpx.get(f"{url}/config.json", timeout=5).json() == {"sign_in": None}, (
            "the settings of the page"
        )
        assert "sentiment_predictions_total" in httpx.get(f"{url}/metrics", timeout=30).text

        _, *check = [word.replace(":8000/", f":{port}/") for word in SERVICE["healthcheck"]["test"]]
        assert podman.attempt("exec", container, *check).returncode == 0
        assert podman.run("exec", container, "id", "-u") == "65534"

        podman.run("stop", "--time", SERVICE["stop_grace_period"].removesuffix("s"), container)
        assert "drain the queues" in podman.run("logs", container)
    size = round(podman.inspect(local_image)["Size"] / 1e6)
    record("local", size_mb=size, ready_seconds=round(ready_seconds, 1))


def test_without_a_model_the_error_names_the_command_to_train_one(podman: Podman, local_image: str) -> None:
    ended = podman.attempt("run", "--rm", "--pull=never", local_image)

    assert ended.returncode == 1
    assert "there is no model in /model; train one with" in ended.stderr


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def stored(database: Engine) -> int:
    with transaction(database) as session:
        return session.scalar(select(func.count()).select_from(PredictionLog)) or 0
