"""Every folder becomes one complete asset without files of others: one edit redeploys one function."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match

from cdk import layers, packaging
from cdk.app import make_app
from cdk.environments import ENVIRONMENTS
from cdk.function_config import FunctionConfig
from cdk.layers import build_layer
from cdk.paths import ROOT

IMAGES = ("api", "drift_monitor")
ZIPS = (
    "log_writer",
    "migrations",
    "registrar",
    "release_check",
    "reports",
    "slack_notifier",
    "traffic_counter",
)
FUNCTIONS = (*IMAGES, *ZIPS)
VERSION = "20261124-0000000"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of what goes into assets, with a fake artifact and typical untracked files."""
    copy = tmp_path / "project"
    for folder in ("functions", "layers"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    model = copy / "artifacts" / "models" / VERSION
    model.mkdir(parents=True)
    (model / "model.onnx").write_bytes(b"weights")
    (copy / "artifacts" / "model").symlink_to(f"models/{VERSION}")
    for junk in (
        ".env",
        ".venv/lib/torch.py",
        ".git/config",
        "artifacts/models/older/model.onnx",
        "functions/api/__pycache__/app.pyc",
    ):
        (copy / junk).parent.mkdir(parents=True, exist_ok=True)
        (copy / junk).write_text("PASSWORD=hunter2")
    monkeypatch.setattr(packaging, "ROOT", copy)
    monkeypatch.setattr(packaging, "ARTIFACT", copy / "artifacts" / "model")
    monkeypatch.setattr(layers, "ROOT", copy)
    monkeypatch.setattr(layers, "SHARED", copy / "layers" / "shared" / "python")
    monkeypatch.setattr(layers, "REQUIREMENTS", copy / "layers" / "requirements")
    return copy


@pytest.fixture
def assets(project: Path, tmp_path: Path) -> Callable[[], dict[str, Path]]:
    """Return a function that synthesizes every function and returns their asset folders, named by hash."""
    rounds = iter(range(10))

    def synthesize() -> dict[str, Path]:
        out = tmp_path / f"out-{next(rounds)}"
        layers.digest.cache_clear()
        app = make_app(out)
        stack = cdk.Stack(app, "Functions")
        for folder in FUNCTIONS:
            make: Any = packaging.image_function if folder in IMAGES else packaging.zip_function
            make(
                stack,
                folder,
                folder=folder,
                environment=ENVIRONMENTS["dev"],
                settings={},
                config=FunctionConfig(512, 30),
            )
        app.synth()
        layers.digest.cache_clear()
        template = json.loads((out / "Functions.template.json").read_text())["Resources"]
        return {
            resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: out
            / f"asset.{_asset_hash(resource['Properties']['Code'])}"
            for resource in template.values()
            if resource["Type"] == "AWS::Lambda::Function"
        }

    return synthesize


def _asset_hash(code: dict[str, Any]) -> str:
    [found] = set(re.findall("[0-9a-f]{64}", json.dumps(code)))
    return str(found)


def files(asset: Path) -> set[str]:
    return {str(path.relative_to(asset)) for path in asset.rglob("*") if path.is_file()}


def test_every_folder_is_packaged() -> None:
    assert set(FUNCTIONS) == {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}


def test_every_asset_contains_its_handler_and_no_file_of_another_function(
    assets: Callable[[], dict[str, Path]],
) -> None:
    for folder, asset in assets().items():
        contents = files(asset)
        assert f"functions/{folder}/handler.py" in contents
        of_others = {
            name
            for name in contents
            if name.startswith("functions/")
            and name not in ("functions/__init__.py", "functions/Dockerfile")
            and not name.startswith(f"functions/{folder}/")
        }
        assert of_others == set()


def test_an_asset_contains_no_secrets_caches_environments_or_other_models(
    assets: Callable[[], dict[str, Path]],
) -> None:
    for folder, asset in assets().items():
        contents = files(asset)
        assert {name.split("/")[0] for name in contents} <= {
            "functions",
            "layers",
            "artifacts",
            ".dockerignore",
        }
        assert not [name for name in contents if "__pycache__" in name or "older" in name]
        if folder in ZIPS:
            assert {name.split("/")[0] for name in contents} == {"functions"}


def test_an_image_contains_the_artifact_the_shared_package_and_its_own_requirements(
    assets: Callable[[], dict[str, Path]],
) -> None:
    made = assets()
    for folder in IMAGES:
        contents = files(made[folder])
        assert f"artifacts/models/{VERSION}/model.onnx" in contents
        assert "layers/shared/python/sentiment/settings.py" in contents
        assert {name for name in contents if name.startswith("layers/requirements/")} == {
            f"layers/requirements/{folder}.txt"
        }


@pytest.mark.parametrize("edited", ["log_writer", "api"])
def test_editing_a_function_changes_only_its_own_hash(
    edited: str, project: Path, assets: Callable[[], dict[str, Path]]
) -> None:
    before = assets()
    with (project / "functions" / edited / "handler.py").open("a") as handler:
        handler.write("# edited\n")
    after = assets()
    assert {folder for folder in FUNCTIONS if before[folder].name != after[folder].name} == {edited}


def test_editing_the_shared_package_changes_images_and_layers(
    project: Path, assets: Callable[[], dict[str, Path]]
) -> None:
    before, layer_before = assets(), layers.digest("database", "arm64")
    layers.digest.cache_clear()
    with (project / "layers/shared/python/sentiment/messages.py").open("a") as module:
        module.write("# edited\n")
    after = assets()
    assert {folder for folder in FUNCTIONS if before[folder].name != after[folder].name} == set(IMAGES)
    assert layers.digest("database", "arm64") != layer_before


def test_without_an_artifact_synth_warns_and_the_image_cannot_be_built(project: Path, tmp_path: Path) -> None:
    (project / "artifacts" / "model").unlink()
    stack = cdk.Stack(make_app(tmp_path / "out"), "Functions")
    packaging.image_function(
        stack,
        "Api",
        folder="api",
        environment=ENVIRONMENTS["dev"],
        settings={},
        config=FunctionConfig(512, 30),
    )
    warnings = Annotations.from_stack(stack).find_warning(
        "*", Match.string_like_regexp("no trained artifact")
    )
    assert len(warnings) == 1
    assert packaging.model_folder() == packaging.NO_ARTIFACT
    assert not (project / packaging.NO_ARTIFACT).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "machine"), [("arm64", "aarch64"), ("x86_64", "x86_64")])
def test_a_layer_contains_exactly_the_locked_wheels_for_its_architecture(
    architecture: str, machine: str, tmp_path: Path
) -> None:
    build_layer("migrations", architecture, tmp_path)
    libraries = list(tmp_path.rglob("*.so"))
    assert libraries
    assert {re.sub(r".*cpython-312-(\w+)-linux.*", r"\1", path.name) for path in libraries} == {machine}
    locked = set(re.findall(r"^([\w.-]+)==", (layers.REQUIREMENTS / "migrations.txt").read_text(), re.M))
    installed = {path.name.split("-")[0] for path in tmp_path.glob("*.dist-info")}
    assert {name.replace("-", "_").replace(".", "_") for name in locked} == {
        name.replace(".", "_").lower() for name in installed
    }
    assert (tmp_path / "sentiment" / "database" / "session.py").is_file()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 200e6


def test_layers_are_built_by_the_command_line_and_not_by_synth_alone(tmp_path: Path) -> None:
    """Without `aws:cdk:bundling-stacks`, a layer's asset is its source and pip does not run."""
    script = "from cdk.app import make_app; print(make_app().node.try_get_context('aws:cdk:bundling-stacks'))"
    for context, expected in (({}, "[]"), ({"aws:cdk:bundling-stacks": ["**"]}, "['**']")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"CDK_CONTEXT_JSON": json.dumps(context), "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected
