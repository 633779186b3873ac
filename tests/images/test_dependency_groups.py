"""Each zip function can be imported with only its dependency group, and with only its deployed layer.

For image functions, running them proves the same: their images contain their own group only.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from cdk.layers import DEFAULT_GROUP, GROUPS, build_layer
from tests.fixtures.base_images import lambda_base
from tests.fixtures.containers import ROOT, Podman
from tests.images.test_function_images import IMAGE_FUNCTIONS

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

SHARED = ROOT / "layers/shared/python"
ZIP_FUNCTIONS = sorted(
    {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} - {*IMAGE_FUNCTIONS}
)

BuildLayer = Callable[[str], Path]


@pytest.fixture(params=ZIP_FUNCTIONS)
def folder(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def code(folder: str, tmp_path: Path) -> Path:
    """The contents of the zip: one function's folder."""
    package = tmp_path / "code" / "functions"
    shutil.copytree(
        ROOT / "functions" / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "functions/__init__.py", package)
    return package.parent


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> BuildLayer:
    """Build the layer of a group once, as `cdk deploy` does."""

    @cache
    def build(group: str) -> Path:
        target = tmp_path_factory.mktemp(group) / "python"
        build_layer(group, "x86_64", target)
        return target

    return build


def test_a_function_imports_with_only_its_own_dependency_group(
    folder: str, code: Path, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", packages),
            *("--group", f"{ROOT / 'pyproject.toml'}:{folder}", "--constraint", ROOT / "constraints.txt"),
        ],
        check=True,
    )

    # -S: without the packages of this test run
    imported = subprocess.run(
        [sys.executable, "-S", "-c", f"import functions.{folder}.handler"],
        env={"PYTHONPATH": f"{code}:{packages}:{SHARED}", "AWS_DEFAULT_REGION": "eu-central-1"},
        cwd=code,
        capture_output=True,
        text=True,
    )

    assert (imported.returncode, imported.stderr) == (0, "")


def test_a_function_imports_in_lambdas_python_with_only_its_layer(
    podman: Podman, folder: str, code: Path, layer: BuildLayer
) -> None:
    packages = layer(GROUPS.get(folder, DEFAULT_GROUP))

    imported = podman.attempt(
        *("run", "--rm", "--pull=never", "--read-only", "--user", "993:990"),
        *("--volume", f"{code}:/var/task:ro", "--volume", f"{packages}:/opt/python:ro"),
        *("--env", "PYTHONPATH=/var/task:/opt/python", "--env", "AWS_DEFAULT_REGION=eu-central-1"),
        *("--entrypoint", "python3", lambda_base(podman), "-c", f"import functions.{folder}.handler"),
    )

    assert (imported.returncode, imported.stderr) == (0, "")
