"""Builds a function's image as CDK does, and runs it as Lambda does, as far as a container can.

As in Lambda: one vCPU and its 1,769 MB, an unprivileged user, no capabilities, a read-only file system with a
writable /tmp. Unlike Lambda, the image is already on the local disk, so cold starts do not include its
download.
"""

import http.client
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdk.packaging import image_context
from local.processes import HOST, accepts, free_port, wait_until
from local.stand_ins.lambda_runtime import INVOKE_PATH
from tests.fixtures.containers import ROOT, Podman, PodmanError

LAMBDA_USER = "993:990"  # as `id` prints in Lambda
ONE_VCPU_MB = 1769
MODEL = "artifacts/models/of-the-tests"
TIMEOUT_SECONDS = 150.0


def build_function_image(podman: Podman, folder: str, *, artifact: Path, context: Path) -> str:
    """Build functions/Dockerfile for a folder from a copy of the sources with the artifact.

    The build context contains exactly what the CDK asset of this function does.
    """
    for name in ("functions", "layers", "pyproject.toml", ".dockerignore"):
        source, target = ROOT / name, context / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    shutil.copytree(artifact, context / MODEL, dirs_exist_ok=True)
    allowed = context / f"{folder}.dockerignore"
    allowed.write_text("\n".join(image_context(folder, MODEL)))
    return podman.build(
        f"localhost/sentiment-tests/{folder}",
        dockerfile=context / "functions/Dockerfile",
        context=context,
        build_args={"FUNCTION": folder, "MODEL": MODEL},
        ignore_file=allowed,
    )


@dataclass
class RunningFunction:
    """One instance of a function: a container that handles one event at a time."""

    podman: Podman
    container: str
    port: int
    milliseconds: list[float] = field(
        default_factory=list
    )  # of each invocation; the first includes the cold start

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's response; raises AssertionError with the log if it failed."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT_SECONDS)
        started = time.perf_counter()
        connection.request("POST", INVOKE_PATH, json.dumps(event))
        response = connection.getresponse()
        body = response.read()
        self.milliseconds.append((time.perf_counter() - started) * 1000)
        connection.close()
        result = json.loads(body)
        failed = response.status != http.HTTPStatus.OK or (isinstance(result, dict) and "errorType" in result)
        assert not failed, f"{result}\n{self.log()}"
        return result

    def memory_mb(self) -> int:
        """Return the resident memory of the container's processes, in MiB."""
        listed = self.podman.run("top", self.container, "rss")
        return sum(int(line) for line in listed.splitlines()[1:]) // 1024

    def log(self) -> str:
        """Return the end of the output of the function and the emulator."""
        done = self.podman.attempt("logs", self.container)
        return (done.stdout + done.stderr)[-4000:]


@contextmanager
def running_function(
    podman: Podman, image: str, *, name: str, environment: Mapping[str, str], timeout_seconds: int = 30
) -> Iterator[RunningFunction]:
    """Run an image as one Lambda instance, in a context."""
    port, runtime_port = free_port(), free_port()
    variables = {
        **environment,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_seconds),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(ONE_VCPU_MB),
        "LAMBDA_EMULATOR_OPTIONS": (
            f"--runtime-interface-emulator-address {HOST}:{port} --runtime-api-address {HOST}:{runtime_port}"
        ),
    }
    options = (
        *("--cpus", "1", "--memory", f"{ONE_VCPU_MB}m", "--user", LAMBDA_USER),
        *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
        *("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp:rw,size=512m"),  # noqa: S108
    )
    with podman.running(image, environment=variables, options=options) as container:
        if not wait_until(lambda: accepts(port), seconds=TIMEOUT_SECONDS):
            raise PodmanError(f"{name} did not start:\n{podman.attempt('logs', container)}")
        yield RunningFunction(podman, container, port)
