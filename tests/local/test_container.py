"""local/Dockerfile installs and copies what `sentiment up` needs; checked without building the image."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "local" / "Dockerfile").read_text()
REQUIREMENTS = (ROOT / "layers" / "requirements" / "local.txt").read_text()
OURS = {"benchmarks", "cdk", "cli", "functions", "local", "sentiment", "tests", "training"}
# What `up` and its functions import; importing the API's handler would load a model.
HANDLERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
MODULES = ["cli.main", "local.stand_ins.gateway", "local.system", "local.background_jobs"]
MODULES += [f"functions.{name}.{'app' if name == 'api' else 'handler'}" for name in HANDLERS]
IMPORT = """
import importlib, json, sys
blocked, modules = json.load(sys.stdin)
sys.modules.update(dict.fromkeys(blocked))
for module in modules:
    importlib.import_module(module)
"""


def copied() -> set[str]:
    """Return our packages in the image."""
    targets = re.findall(r"^COPY \S+ /app/(\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return {"sentiment" if target == "layers/shared/python" else target for target in targets}


def installed() -> set[str]:
    """Return the normalized names of the distributions in the image."""
    return {normalized(name) for name in re.findall(r"^([\w.-]+)==", REQUIREMENTS, flags=re.MULTILINE)}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def import_without(blocked: set[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT],
        input=json.dumps([sorted(blocked), MODULES]),
        env={"AWS_DEFAULT_REGION": "eu-central-1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_system_imports_with_only_what_the_image_contains() -> None:
    absent = {
        package
        for package, distributions in packages_distributions().items()
        if not {normalized(name) for name in distributions} & installed()
    }
    assert {"torch", "mlflow", "aws_cdk", "pytest"} <= absent
    done = import_without((absent - OURS) | (OURS - copied()))
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_not_copied_fails_the_import() -> None:
    assert "functions" in copied()
    done = import_without({"functions"})
    assert done.returncode != 0
    assert "ModuleNotFoundError: No module named 'functions" in done.stderr


def test_the_build_context_contains_what_is_copied() -> None:
    ignored = (ROOT / "local" / "Dockerfile.dockerignore").read_text().splitlines()
    sources = re.findall(r"^COPY (\w[\w/]*)", DOCKERFILE, flags=re.MULTILINE)
    assert sources
    for source in sources:
        assert any(line.startswith(f"!{source.split('/')[0]}") for line in ignored), source
