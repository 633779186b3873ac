"""`make sam`, then the real `sam local`: the unchanged image handles an event and a request.

The container engine gives sam's containers their own network, which cannot reach this machine's loopback
address, so the tested routes need neither queue nor database.
"""

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.processes import HOST, accepts, free_port, wait_until
from local.stand_ins.moto_server import LocalAws
from local.state import write_environment
from tests.fixtures.containers import ROOT, Podman

pytestmark = pytest.mark.image

SAM = ROOT / ".venv/tools/sam/bin/sam"
FILES = ("--template", ".local/sam/template.json", "--env-vars", ".local/sam/env.json", "--skip-pull-image")
IMAGE = "docker.io/library/sentiment-api:latest"  # Docker's full name for the image in the template


@pytest.fixture(scope="module")
def environment(
    podman: Podman, function_image: Any, aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Environment variables for sam, after `make sam` and with the image built."""
    state = tmp_path_factory.mktemp("state")
    (state / "up").mkdir()
    write_environment(state / "up" / "system.env", aws.environment())
    made = subprocess.run(
        ["make", "sam", f"HOST={HOST}"],
        cwd=ROOT,
        env=os.environ | {"STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "is a valid SAM Template" in made.stdout
    context = tmp_path_factory.mktemp("root")
    (context / "Dockerfile").write_text(f"FROM {function_image('api')}\nUSER root\n")
    podman.build(IMAGE, dockerfile=context / "Dockerfile", context=context)
    with podman.docker_socket() as socket:
        yield os.environ | {
            "AWS_DEFAULT_REGION": "eu-central-1",
            "DOCKER_BUILDKIT": "0",
            "DOCKER_HOST": socket,
            "SAM_CLI_TELEMETRY": "0",
        }
    name, _, _ = IMAGE.rpartition(":")
    for image in podman.run("images", "--format", "{{.Repository}}:{{.Tag}}", name).splitlines():
        podman.remove_image(image)  # also those that sam builds from it


def test_sam_local_invoke_handles_an_event(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [SAM, "local", "invoke", *FILES, "Api", "--event", "events/api_model.json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    response = json.loads(done.stdout.strip().splitlines()[-1])
    assert response["statusCode"] == 200, done.stderr
    assert json.loads(response["body"])["model_version"]


def test_sam_local_start_api_serves_the_deployed_routes(environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    command = [SAM, "local", "start-api", *FILES, "--warm-containers", "LAZY", "--port", str(port)]
    with (tmp_path / "sam.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: accepts(port) or process.poll() is not None, seconds=60)
        connection = http.client.HTTPConnection(HOST, port, timeout=200)
        connection.request("GET", "/model")
        response = connection.getresponse()
        assert response.status == 200, response.read() + (tmp_path / "sam.log").read_bytes()
    finally:
        process.terminate()
        process.wait(60)
