"""Lambda layers with the dependencies of zip functions, built by pip for their architecture, without Docker.

Each stack has its own layer version of the same asset. A version shared between stacks could never be
replaced, because CloudFormation does not change an export that another stack imports.
"""

import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

from cdk.paths import ROOT

SHARED = ROOT / "layers" / "shared" / "python"
REQUIREMENTS = ROOT / "layers" / "requirements"
# Most functions need what `database` has or less; a layer for each would only take longer to build.
GROUPS = {"migrations": "migrations"}
DEFAULT_GROUP = "database"
# Lambda's Python 3.12 runs on Amazon Linux 2023, glibc 2.34.
PLATFORMS = {
    architecture: [f"manylinux_2_28_{machine}", f"manylinux_2_17_{machine}", f"manylinux2014_{machine}"]
    for architecture, machine in (("arm64", "aarch64"), ("x86_64", "x86_64"))
}


def layer(stack: cdk.Stack, *, folder: str, architecture: str) -> lambda_.LayerVersion:
    """Return the stack's layer for a function's folder; make it the first time."""
    group = GROUPS.get(folder, DEFAULT_GROUP)
    id = f"{group.title()}Layer"
    found = stack.node.try_find_child(id)
    if isinstance(found, lambda_.LayerVersion):
        return found
    return lambda_.LayerVersion(
        stack,
        id,
        code=lambda_.Code.from_asset(
            str(ROOT / "layers"),
            asset_hash=digest(group, architecture),
            asset_hash_type=cdk.AssetHashType.CUSTOM,
            bundling=cdk.BundlingOptions(
                image=cdk.DockerImage.from_registry("never-used"),  # the local bundler builds it or raises
                local=PipBundling(group, architecture),
            ),
        ),
        compatible_runtimes=[lambda_.Runtime.PYTHON_3_12],
        compatible_architectures=[lambda_.Architecture.custom(architecture)],
        description=f"Dependencies of {group} and the package sentiment",
    )


@jsii.implements(cdk.ILocalBundling)
class PipBundling:
    """CDK's hook, which builds the layer into a folder of CDK's when a deployment needs it."""

    def __init__(self, group: str, architecture: str) -> None:
        self.group = group
        self.architecture = architecture

    def try_bundle(self, output_dir: str, *_options: Any, **_more: Any) -> bool:
        """Build the layer; raises CalledProcessError when pip fails, because there is no fallback."""
        build_layer(self.group, self.architecture, Path(output_dir) / "python")
        return True


def build_layer(group: str, architecture: str, target: Path) -> None:
    """Install a group's locked, hash-checked wheels and the package sentiment into a folder."""
    platforms = [argument for name in PLATFORMS[architecture] for argument in ("--platform", name)]
    requirements = REQUIREMENTS / f"{group}.txt"
    subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--requirement", str(requirements), "--require-hashes", "--no-deps", "--no-compile"),
            *("--only-binary=:all:", "--python-version=3.12", *platforms, "--target", str(target)),
        ],
        check=True,
    )
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts with the path of this machine's Python
    shutil.copytree(SHARED / "sentiment", target / "sentiment", ignore=shutil.ignore_patterns("__pycache__"))


@cache
def digest(group: str, architecture: str) -> str:
    """Hash the sources of a layer, so synth needs no build."""
    hashed = hashlib.sha256(f"{group} {architecture} {PLATFORMS[architecture]}".encode())
    files = [
        path
        for path in (SHARED / "sentiment").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in [REQUIREMENTS / f"{group}.txt", *sorted(files)]:
        hashed.update(f"\n{path.relative_to(ROOT)}\n".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
