"""The AWS emulator that the stacks are deployed to: ministack, in its own Python environment.

It keeps its state in memory, listens on this machine only, and runs zip functions (with their layers) as
processes of its own Python. assembly.py lists what it does not support.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.processes import HOST, accepts, free_port, stop, wait_until
from tests.fixtures.base_images import python_3_12

ACCOUNT = "000000000000"
REGION = "eu-central-1"
REQUIREMENTS = Path(__file__).with_name("ministack.txt")
RUNNER = Path(__file__).with_name("run_ministack.py")
# Lambda's Node.js runtime includes the AWS SDK, which CDK's own functions use; the emulator has only parts.
NODE_SDK = "@aws-sdk/client-s3@3.1175.0"
# The variable with the URL for a function's events, for functions that the emulator cannot run.
PROXY = "MINISTACK_LAMBDA_PROXY_URL"
TOOLS = Path(sys.prefix, "tools")
START_SECONDS = 30.0
# As long as the longest function may run: boto3 sends a call that it gave up on again, so it would run twice.
READ_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        """Return the endpoint of all services."""
        return f"http://{HOST}:{self.port}"

    @property
    def registry(self) -> str:
        """Return the address of its container registry."""
        return f"{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that make AWS SDKs and command lines use the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,  # the emulator uses a key of twelve digits as the account id
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client that ignores this process's environment variables."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="emulated",
            config=Config(read_timeout=READ_TIMEOUT_SECONDS),
        )


@contextmanager
def running_emulator(folder: Path, variables: Mapping[str, str]) -> Iterator[Emulator]:
    """Run an empty emulator in a context; its functions inherit the variables."""
    folder.mkdir(parents=True, exist_ok=True)
    emulator = Emulator(free_port(), folder / "emulator.log")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(emulator.port),
        "MINISTACK_REGION": REGION,
        "NODE_PATH": str(_node_sdk()),
        "NODE_OPTIONS": "--no-warnings",
        **emulator.environment(),
        **variables,
    }
    with emulator.log.open("wb") as log:
        process = subprocess.Popen([_python(), RUNNER], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        ready = wait_until(
            lambda: accepts(emulator.port) or process.poll() is not None, seconds=START_SECONDS
        )
        assert ready and process.poll() is None, f"ministack did not start:\n{emulator.log.read_text()}"
        yield emulator
    finally:
        stop(process)


def python_version() -> str:
    """Return the Python version that zip functions run on, such as 3.12."""
    return _output(_python(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])")


def emulated_types() -> set[str]:
    """Return the resource types that the emulator's CloudFormation supports, from its code."""
    program = (
        "import json; from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as known;"
        "print(json.dumps(sorted(known)))"
    )
    return set(json.loads(_output(_python(), "-c", program).splitlines()[-1]))


def _python() -> Path:
    """Return the Python of the emulator's own environment; create that the first time.

    Functions run on it too, so it has Lambda's version if this machine has that.
    """
    home = TOOLS / "ministack"
    python, marker = home / "bin/python", home / ".installed"
    base = python_3_12()
    content = f"{base}\n{REQUIREMENTS.read_text()}"
    if not marker.exists() or marker.read_text() != content:
        shutil.rmtree(home, ignore_errors=True)
        _output(base / "bin/python3.12" if base else Path(sys.executable), "-m", "venv", str(home))
        _output(python, "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS))
        marker.write_text(content)
    return python


def _node_sdk() -> Path:
    """Return the folder with the Node.js packages of Lambda's runtime; create it the first time."""
    home = TOOLS / "lambda-node"
    marker = home / ".installed"
    if not marker.exists() or marker.read_text() != NODE_SDK:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _output(
            Path("npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), NODE_SDK
        )
        marker.write_text(NODE_SDK)
    return home / "node_modules"


def _output(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"{program} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()
