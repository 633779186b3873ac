"""One deployment of dev for all tests of this folder; the last test destroys it."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from local.processes import free_port
from tests.deploy.assembly import Assembly, adapt
from tests.deploy.command_line import CommandLine
from tests.deploy.database import Rds, running_rds
from tests.deploy.emulator import Emulator, running_emulator
from tests.deploy.image_functions import served_image_functions
from tests.deploy.inventory import Names, take_inventory
from tests.drift_monitor.sample_data import Row, read_reviews, write_table
from tests.fixtures.base_images import lambda_base
from tests.fixtures.containers import ROOT, Podman, ready_podman

MASTER = "administrator"
LOGS = ROOT / "artifacts/cloud"


@dataclass(frozen=True)
class Deployment:
    """The deployed dev environment."""

    emulator: Emulator
    rds: Rds
    command_line: CommandLine
    assembly: Path
    before: dict[str, Names]  # what the account contained before

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a stack's outputs by their keys."""
        client = self.emulator.client("cloudformation")
        described = client.describe_stacks(StackName=f"sentiment-dev-{stack}")["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def function(self, folder: str) -> str:
        """Return the physical name of the function made from a folder."""
        return str(self._configuration(folder)["FunctionName"])

    def variables(self, folder: str) -> dict[str, str]:
        """Return the environment variables of the function made from a folder."""
        return dict(self._configuration(folder)["Environment"]["Variables"])

    def invoke(self, folder: str, event: dict[str, Any]) -> Any:
        """Invoke a function and return its response; raises AssertionError if it failed."""
        client = self.emulator.client("lambda")
        response = client.invoke(FunctionName=self.function(folder), Payload=json.dumps(event))
        payload = json.load(response["Payload"])
        assert "FunctionError" not in response, payload
        return payload

    def _configuration(self, folder: str) -> dict[str, Any]:
        for page in self.emulator.client("lambda").get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                variables = function.get("Environment", {}).get("Variables", {})
                if variables.get("POWERTOOLS_SERVICE_NAME") == folder:
                    return dict(function)
        raise AssertionError(f"no function of functions/{folder} is deployed")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder outside pytest's own, which Postgres's user could not access; its logs are kept."""
    with tempfile.TemporaryDirectory(prefix="deploy-") as name:
        folder = Path(name)
        yield folder
        LOGS.mkdir(parents=True, exist_ok=True)
        for log in (folder / "cdk.log", folder / "aws/emulator.log"):
            if log.exists():
                shutil.copy(log, LOGS)


@pytest.fixture(scope="session")
def podman() -> Podman:
    return ready_podman()


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return read_reviews("imdb", 1500, tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def artifact(tiny_artifact: Path, reviews: list[Row], folder: Path) -> Path:
    """A tiny model with a reference of enough rows for the monitor to judge traffic."""
    made = shutil.copytree(tiny_artifact, folder / "artifact")
    card = json.loads((made / "model.json").read_text())
    files = card.pop("files")
    write_table(made, pa.Table.from_pylist(reviews), **card)
    vouched = json.loads((made / "model.json").read_text())
    (made / "model.json").write_text(json.dumps(vouched | {"files": files | vouched["files"]}))
    return made


@pytest.fixture(scope="session")
def rds(folder: Path) -> Iterator[Rds]:
    with running_rds(folder / "rds", master=MASTER, password=secrets.token_hex(16)) as rds:
        yield rds


@pytest.fixture(scope="session")
def emulator(folder: Path, rds: Rds) -> Iterator[Emulator]:
    # In place of Lambda's certificate store, for the functions that the emulator runs.
    with running_emulator(folder / "aws", {"SSL_CERT_FILE": str(rds.certificate)}) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def command_line(emulator: Emulator, podman: Podman, folder: Path) -> CommandLine:
    return CommandLine(emulator, podman, folder / "cdk.log")


@pytest.fixture(scope="session")
def synthesized(command_line: CommandLine, folder: Path) -> Path:
    """The unchanged assembly of the app."""
    command_line.synthesize(folder / "synthesized")
    return folder / "synthesized"


@pytest.fixture(scope="session")
def deployment(
    command_line: CommandLine, synthesized: Path, artifact: Path, folder: Path, rds: Rds
) -> Iterator[Deployment]:
    emulator, podman = command_line.emulator, command_line.podman
    lambda_base(podman)
    assembly = Assembly(shutil.copytree(synthesized, folder / "adapted"))
    images_port = free_port()
    adapt(assembly, artifact=artifact, rds=rds, images_port=images_port)
    command_line.bootstrap()
    before = take_inventory(emulator)
    try:
        with served_image_functions(emulator, podman, rds.certificate, images_port):
            command_line.deploy(assembly.folder)
            yield Deployment(emulator, rds, command_line, assembly.folder, before)
    finally:
        for image in podman.run("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines():
            if image.startswith((emulator.registry, "localhost/cdkasset-")):
                podman.remove_image(image)  # only the name; build layers are kept
