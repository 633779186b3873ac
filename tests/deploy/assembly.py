"""Adapts a synthesized assembly to the emulator; the app itself is not changed for it.

UNSUPPORTED lists the resource types that are removed, `adapt` shows what is changed. An entry that is not
needed any more fails.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.processes import HOST
from tests.deploy.database import HOST_NAME, Rds
from tests.deploy.emulator import PROXY, python_version

# Type: what is not tested without it.
UNSUPPORTED = {
    "AWS::Budgets::Budget": "the budget's notifications",
    "AWS::CodeDeploy::Application": "canary releases",
    "AWS::CodeDeploy::DeploymentGroup": "canary releases",
    "AWS::EC2::FlowLog": "the log of rejected connections",
    "AWS::EC2::SecurityGroupEgress": "where functions can connect to",
    "AWS::EC2::SecurityGroupIngress": "access to the database and the endpoints",
    "Custom::CDKBucketDeployment": "the copy of the page into its bucket",
}
# Custom resources are functions, which the emulator runs. This one's runs a program of its layer in /opt, but
# the emulator unpacks layers elsewhere.
NEEDS_OPT = "Custom::CDKBucketDeployment"
# An image of a gigabyte that no test here runs; tests/images does.
SKIPPED_IMAGE = "training/Dockerfile"
ALARM = "AWS::CloudWatch::Alarm"  # the emulator supports those on a single metric only
LAMBDA_PYTHON = "3.12"
MODEL = "artifacts/models/of-the-tests"

Resource = dict[str, Any]


@dataclass
class Assembly:
    """The templates and assets in a synthesized folder; `save` writes changes back."""

    folder: Path
    templates: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.templates = {path: json.loads(path.read_text()) for path in self.folder.glob("*.template.json")}

    def resources(self, type: str) -> Iterator[tuple[str, Resource, dict[str, Any]]]:
        """Yield each resource of a type with its logical id and its template."""
        for template in self.templates.values():
            for logical_id, resource in list(template["Resources"].items()):
                if resource["Type"] == type:
                    yield logical_id, resource, template

    def types(self) -> set[str]:
        """Return the resource types in use, without custom resources that the emulator can run."""
        used = {r["Type"] for template in self.templates.values() for r in template["Resources"].values()}
        return {type for type in used if not type.startswith("Custom::") or type == NEEDS_OPT}

    def save(self) -> None:
        """Write the templates back."""
        for path, template in self.templates.items():
            path.write_text(json.dumps(template, indent=1))


def adapt(assembly: Assembly, *, artifact: Path, rds: Rds, images_port: int) -> None:
    """Make an assembly deployable to the emulator, with a real Postgres and containers."""
    _remove_unsupported(assembly)
    _point_to_postgres(assembly, rds)
    _redirect_image_functions(assembly, images_port)
    _set_artifact(assembly, artifact)
    if python_version() != LAMBDA_PYTHON:
        _reinstall_layers(assembly, python_version())
    assembly.save()


def _remove_unsupported(assembly: Assembly) -> None:
    """Remove the listed types, metric math alarms, and all references to them."""
    removed_alarms = 0
    for template in assembly.templates.values():
        removed = set()
        for name, resource in template["Resources"].items():
            is_metric_math = "Metrics" in resource.get("Properties", {}) and resource["Type"] == ALARM
            removed_alarms += is_metric_math
            if is_metric_math or resource["Type"] in UNSUPPORTED:
                removed.add(name)
        for name in removed:
            del template["Resources"][name]
        for resource in template["Resources"].values():
            needed = resource.get("DependsOn", [])
            needed = [needed] if isinstance(needed, str) else needed
            resource["DependsOn"] = [name for name in needed if name not in removed]
        for name in removed:
            _replace(template, lambda value, name=name: _refers_to(value, name), "removed")
    assert removed_alarms, "no alarm uses metric math any more"


def _point_to_postgres(assembly: Assembly, rds: Rds) -> None:
    """Replace the database's address and master secret by those of the real Postgres.

    The emulator invents an address, and manages master secrets of clusters only.
    """
    ((logical_id, database, template),) = assembly.resources("AWS::RDS::DBInstance")
    properties = database["Properties"]
    assert properties.pop("ManageMasterUserPassword") is True
    properties |= {"Port": str(rds.port), "MasterUserPassword": rds.password}
    secret = f"{logical_id}MasterSecret"
    login = {"username": properties["MasterUsername"], "password": rds.password}
    template["Resources"][secret] = {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"SecretString": json.dumps(login)},
    }
    replacements = {"Endpoint.Address": HOST_NAME, "MasterUserSecret.SecretArn": {"Ref": secret}}
    for attribute, value in replacements.items():
        reference = {"Fn::GetAtt": [logical_id, attribute]}
        replaced = _replace(template, lambda node, reference=reference: node == reference, value)
        assert replaced, f"nothing refers to the database's {attribute}"


def _redirect_image_functions(assembly: Assembly, port: int) -> None:
    """Make the emulator send the events of image functions to image_functions.py."""
    for _, function, _ in assembly.resources("AWS::Lambda::Function"):
        properties = function["Properties"]
        if properties.get("PackageType") == "Image":
            properties["Environment"]["Variables"][PROXY] = f"http://{HOST}:{port}"


def _set_artifact(assembly: Assembly, artifact: Path) -> None:
    """Put the tests' artifact into the build contexts of function images; drop other images."""
    skipped = 0
    for path in assembly.folder.glob("*.assets.json"):
        manifest = json.loads(path.read_text())
        images = manifest["dockerImages"]
        for key, image in list(images.items()):
            source = image["source"]
            if source["dockerFile"] == SKIPPED_IMAGE:
                del images[key]
                skipped += 1
                continue
            source["dockerBuildArgs"]["MODEL"] = MODEL
            context = assembly.folder / source["directory"]
            shutil.copytree(artifact, context / MODEL, dirs_exist_ok=True)
        path.write_text(json.dumps(manifest, indent=1))
    assert skipped == 1, f"{SKIPPED_IMAGE} is no asset any more"


def _reinstall_layers(assembly: Assembly, version: str) -> None:
    """Replace the layers' wheels by those for this machine's Python, if it lacks Lambda's version."""
    for packages in assembly.folder.glob("asset.*/python"):
        found = [folder.name.removesuffix(".dist-info") for folder in packages.glob("*.dist-info")]
        pins = ["==".join(name.rsplit("-", 1)) for name in found]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        kind = ["--no-deps", "--only-binary=:all:", f"--python-version={version}", "--upgrade"]
        subprocess.run([*command, *kind, "--target", str(packages), *pins], check=True)


def _refers_to(value: Any, name: str) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    return value.get("Ref") == name or value.get("Fn::GetAtt", [None])[0] == name


def _replace(node: Any, matches: Callable[[Any], bool], new: Any) -> int:
    """Replace matching values anywhere in a tree and return their number."""
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    count = 0
    for key, child in list(items):
        if matches(child):
            node[key] = new
            count += 1
        else:
            count += _replace(child, matches, new)
    return count
