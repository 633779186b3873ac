"""The disk space of packages with all their dependencies, as installed in this environment.

Bytecode is not included: uv installs none, and pip adds about a fifth.
"""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement


def installed_mb(packages: Iterable[str]) -> float:
    """Return the megabytes (10^6 bytes) of `packages` and all their dependencies."""
    return sum(_size(name) for name in closure(packages)) / 1e6


def closure(packages: Iterable[str]) -> set[str]:
    """Return the normalized names of `packages` and all their installed dependencies."""
    found: set[str] = set()
    waiting = [Requirement(package) for package in packages]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found.add(requirement.name.lower().replace("_", "-"))
        for text in importlib.metadata.requires(requirement.name) or []:
            needed = Requirement(text)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return found


def _size(name: str) -> int:
    paths = [Path(str(file.locate())) for file in importlib.metadata.files(name) or []]
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
