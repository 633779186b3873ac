import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stand_ins.moto_server import LocalAws, running_aws
from local.state import owned_state
from tests.drift_monitor.sample_data import Row, make_artifact, read_reviews
from tests.fixtures.base_images import lambda_base
from tests.fixtures.containers import ROOT, Podman, ready_podman
from tests.fixtures.postgres import database, migrated_template, postgres
from tests.images.function_image import build_function_image

__all__ = ["database", "migrated_template", "postgres"]

REPORT = ROOT / "artifacts" / "cloud" / "images.json"
MEASUREMENTS = pytest.StashKey[dict[str, dict[str, Any]]]()

BuildImage = Callable[[str], str]
Record = Callable[..., None]


@pytest.fixture(scope="session")
def podman() -> Podman:
    return ready_podman()


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """2,500 reviews, as in an artifact's reference and in the API's records."""
    return read_reviews("imdb", 2500, tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def artifacts(
    tiny_artifact: Path, reviews: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The artifact for each function's image.

    The API gets the last trained one if there is one, otherwise a tiny test artifact. The monitor gets a
    reference that matches the traffic of these tests.
    """
    trained = ROOT / "artifacts" / "model"
    return {
        "api": trained.resolve() if (trained / "model.onnx").exists() else tiny_artifact,
        "drift_monitor": make_artifact(tmp_path_factory.mktemp("reference"), reviews[:1500]),
    }


@pytest.fixture(scope="session")
def function_image(
    podman: Podman, artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuildImage]:
    """Build a function's image once and return its name; images are removed at the end, build layers kept."""
    lambda_base(podman)
    built: dict[str, str] = {}

    def build(folder: str) -> str:
        if folder not in built:
            context = tmp_path_factory.mktemp("context")
            built[folder] = build_function_image(podman, folder, artifact=artifacts[folder], context=context)
        return built[folder]

    yield build
    for image in built.values():
        podman.remove_image(image)
    podman.forget_layers()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with owned_state(tmp_path_factory.mktemp("state")) as state, running_aws(state) as aws:
        yield aws


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Record:
    """Record measurements of an image, written to artifacts/cloud/images.json and printed at the end."""
    rows: dict[str, dict[str, Any]] = request.config.stash.setdefault(MEASUREMENTS, {})
    return lambda image, **values: rows.setdefault(image, {}).update(values)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's measurements to the process that prints them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        session.config.workeroutput["images"] = session.config.stash.get(MEASUREMENTS, {})  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's measurements."""
    rows = node.config.stash.setdefault(MEASUREMENTS, {})
    for image, values in getattr(node, "workeroutput", {}).get("images", {}).items():
        rows.setdefault(image, {}).update(values)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the measurements to artifacts/cloud/images.json and print them as a table, one row per image."""
    rows = config.stash.get(MEASUREMENTS, {})
    if not rows:
        return
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"processor": _processor(), "architecture": platform.machine()}
    REPORT.write_text(json.dumps({"measured_on": machine, "images": rows}, indent=2) + "\n")
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    terminalreporter.write_sep("-", f"images, at 1 vCPU and 1,769 MB, on {_processor()}")
    for line in (
        ["", *names],
        *([image, *(values.get(n, "") for n in names)] for image, values in rows.items()),
    ):
        terminalreporter.write_line("".join(f"{cell!s:>18}" for cell in line))


def _processor() -> str:
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return models[0].partition(":")[2].strip() if models else platform.machine()
