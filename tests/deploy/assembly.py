"""What the emulator cannot do, taken out of a synthesized assembly; the app itself knows nothing of it.

Two lists say all of it: LEFT_OUT names the resource types that are dropped, and `fit` shows what is written
differently. Whatever is listed must be there: an entry that is no longer needed fails.
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
from tests.deploy.database import NAME, Rds
from tests.deploy.emulator import PROXY, python_version

# Type: what is not proven without it.
LEFT_OUT = {
    "AWS::Budgets::Budget": "the alarm about money",
    "AWS::CodeDeploy::Application": "releases by canary",
    "AWS::CodeDeploy::DeploymentGroup": "releases by canary",
    "AWS::EC2::FlowLog": "the log of refused connections",
    "AWS::EC2::SecurityGroupEgress": "whom functions may reach",
    "AWS::EC2::SecurityGroupIngress": "who may reach the database and the endpoints",
    "Custom::CDKBucketDeployment": "the page in its bucket",
}
# Custom resources are functions, which run; but this one's runs a program of its layer in /opt, and
# the emulator unpacks layers elsewhere.
NEEDS_OPT = "Custom::CDKBucketDeployment"
# An image that nothing here runs, and a gigabyte to build: the tests of images do.
UNPUBLISHED = "training/Dockerfile"
ALARM = "AWS::CloudWatch::Alarm"  # of which the emulator knows those on one metric
LAMBDA_PYTHON = "3.12"
MODEL = "artifacts/models/of-the-tests"

Resource = dict[str, Any]


@dataclass
class Assembly:
    """The templates and assets of a folder that CDK synthesized, changed in place by `save`."""

    folder: Path
    templates: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.templates = {path: json.loads(path.read_text()) for path in self.folder.glob("*.template.json")}

    def resources(self, type: str) -> Iterator[tuple[str, Resource, dict[str, Any]]]:
        """Give each resource of a type with its logical id and its template."""
        for template in self.templates.values():
            for logical_id, resource in list(template["Resources"].items()):
                if resource["Type"] == type:
                    yield logical_id, resource, template

    def types(self) -> set[str]:
        """Return the resource types in use, without the custom ones whose functions just run."""
        used = {r["Type"] for template in self.templates.values() for r in template["Resources"].values()}
        return {type for type in used if not type.startswith("Custom::") or type == NEEDS_OPT}

    def save(self) -> None:
        """Write the templates back."""
        for path, template in self.templates.items():
            path.write_text(json.dumps(template, indent=1))


def fit(assembly: Assembly, *, artifact: Path, rds: Rds, images_port: int) -> None:
    """Make an assembly one that the emulator can deploy, with real Postgres and containers beside it."""
    _leave_out(assembly)
    _point_to_postgres(assembly, rds)
    _run_images_elsewhere(assembly, images_port)
    _bake_in(assembly, artifact)
    if python_version() != LAMBDA_PYTHON:
        _refit_layers(assembly, python_version())
    assembly.save()


def _leave_out(assembly: Assembly) -> None:
    """Drop the listed types, and alarms on arithmetic; whatever names one of them names nothing."""
    arithmetic = 0
    for template in assembly.templates.values():
        gone = set()
        for name, resource in template["Resources"].items():
            is_arithmetic = "Metrics" in resource.get("Properties", {}) and resource["Type"] == ALARM
            arithmetic += is_arithmetic
            if is_arithmetic or resource["Type"] in LEFT_OUT:
                gone.add(name)
        for name in gone:
            del template["Resources"][name]
        for resource in template["Resources"].values():
            needed = resource.get("DependsOn", [])
            needed = [needed] if isinstance(needed, str) else needed
            resource["DependsOn"] = [name for name in needed if name not in gone]
        for name in gone:
            _replace(template, lambda value, name=name: _refers_to(value, name), "left-out")
    assert arithmetic, "no alarm needs arithmetic any more"


def _point_to_postgres(assembly: Assembly, rds: Rds) -> None:
    """Have the database listen where Postgres does, with a master secret of our own making.

    The emulator invents an address that leads nowhere, and manages master secrets of clusters only.
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
    replacements = {"Endpoint.Address": NAME, "MasterUserSecret.SecretArn": {"Ref": secret}}
    for attribute, value in replacements.items():
        asked = {"Fn::GetAtt": [logical_id, attribute]}
        replaced = _replace(template, lambda node, asked=asked: node == asked, value)
        assert replaced, f"nobody asks for the database's {attribute}"


def _run_images_elsewhere(assembly: Assembly, port: int) -> None:
    """Have the emulator send the events of image functions to where image_functions.py runs them."""
    for _, function, _ in assembly.resources("AWS::Lambda::Function"):
        properties = function["Properties"]
        if properties.get("PackageType") == "Image":
            properties["Environment"]["Variables"][PROXY] = f"http://{HOST}:{port}"


def _bake_in(assembly: Assembly, artifact: Path) -> None:
    """Put an artifact of the tests into what the functions' images are built from; forget other images."""
    unpublished = 0
    for path in assembly.folder.glob("*.assets.json"):
        manifest = json.loads(path.read_text())
        images = manifest["dockerImages"]
        for key, image in list(images.items()):
            source = image["source"]
            if source["dockerFile"] == UNPUBLISHED:
                del images[key]
                unpublished += 1
                continue
            source["dockerBuildArgs"]["MODEL"] = MODEL
            context = assembly.folder / source["directory"]
            shutil.copytree(artifact, context / MODEL, dirs_exist_ok=True)
        path.write_text(json.dumps(manifest, indent=1))
    assert unpublished == 1, f"{UNPUBLISHED} is built no more"


def _refit_layers(assembly: Assembly, version: str) -> None:
    """Put wheels for this machine's Python in place of Lambda's, which it does not have."""
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
    """Replace matching values wherever they are in a tree; return how many."""
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    count = 0
    for key, child in list(items):
        if matches(child):
            node[key] = new
            count += 1
        else:
            count += _replace(child, matches, new)
    return count
