import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stand_ins.aws import LocalAws, running_aws
from local.state import owned_state
from tests.drift_monitor.sample_data import Row, make_artifact, read_reviews
from tests.fixtures.base_images import lambda_base
from tests.fixtures.containers import ROOT, Podman, ready_podman
from tests.fixtures.postgres import database, migrated_template, postgres
from tests.images.function_image import build_function_image

__all__ = ["database", "migrated_template", "postgres"]

REPORT = ROOT / "artifacts" / "cloud" / "images.json"
FIGURES = pytest.StashKey[dict[str, dict[str, Any]]]()

BuildImage = Callable[[str], str]
Record = Callable[..., None]


@pytest.fixture(scope="session")
def podman() -> Podman:
    return ready_podman()


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Some thousand reviews, as an artifact's reference describes them and as the API logs them."""
    return read_reviews("imdb", 2500, tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def artifacts(
    tiny_artifact: Path, reviews: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The artifact that each function's image gets.

    The API gets the one trained last, where there is one, and a tiny one made for tests where there is none;
    the monitor gets a reference that the traffic of these tests can be compared with.
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
    """Build a function's image once and return its name; all are removed at the end, build layers stay."""
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
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Note figures of an image: they are written to artifacts/cloud/images.json and printed at the end."""
    rows: dict[str, dict[str, Any]] = request.config.stash.setdefault(FIGURES, {})
    yield lambda image, **figures: rows.setdefault(image, {}).update(figures)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"processor": _processor(), "architecture": platform.machine()}
    REPORT.write_text(json.dumps({"measured_on": machine, "images": rows}, indent=2) + "\n")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the figures as a table: images side by side."""
    rows = config.stash.get(FIGURES, {})
    if not rows:
        return
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    terminalreporter.write_sep("-", f"images, at 1 vCPU and 1,769 MB, on {_processor()}")
    for line in (
        ["", *names],
        *([image, *(figures.get(n, "") for n in names)] for image, figures in rows.items()),
    ):
        terminalreporter.write_line("".join(f"{cell!s:>18}" for cell in line))


def _processor() -> str:
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return models[0].partition(":")[2].strip() if models else platform.machine()
