"""Replaces `docker` for the CDK command line: builds with podman and pushes to the emulator's registry.

The emulator serves the ECR registry on its own port, but repositories have AWS host names: `tag` and `push`
replace the host. Builds get this machine's pip configuration and never pull.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fixtures.containers import pip_mounts

AWS = ".amazonaws.com/"


def main(arguments: Sequence[str]) -> int:
    """Run one docker command and return its exit code."""
    match arguments:
        case ["build", *rest]:
            with tempfile.TemporaryDirectory(prefix="pip-") as folder:
                mounts = [f"--volume={mount}:ro" for mount in pip_mounts(Path(folder, "pip.conf"))]
                return _podman("build", "--pull=never", "--network=host", "--layers", *mounts, *rest)
        case ["inspect", *_]:
            return 1  # an image of this name contains the artifact of an earlier run
        case ["login", *_]:
            return 0  # the emulator requires no login to push
        case ["tag", source, target]:
            return _podman("tag", source, local_name(target, os.environ["REGISTRY"]))
        case ["push", image]:
            return _podman("push", "--tls-verify=false", local_name(image, os.environ["REGISTRY"]))
        case _:
            return _podman(*arguments)


def local_name(image: str, registry: str) -> str:
    """Return the name of an ECR image in the emulator's registry."""
    host, found, repository = image.partition(AWS)
    return f"{registry}/{repository}" if found and ".dkr.ecr." in host else image


def _podman(*arguments: str) -> int:
    return subprocess.run(["podman", *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
