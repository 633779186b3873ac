"""Hash the code behind a result: modules of a package and everything they import from it.

Only imports are followed: files that a module reads are not part of the hash.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def code_digest(package: Path, roots: Iterable[str]) -> str:
    """Return the SHA-256 of the roots and of every module of the package that they import, also indirectly.

    A root that is a package stands for all of its modules. Raises ValueError when a root does not exist.
    """
    digest = hashlib.sha256()
    for name, path in sorted(modules_behind(package, roots).items()):
        digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def modules_behind(package: Path, roots: Iterable[str]) -> dict[str, Path]:
    """Return the files of the root modules and of everything that they import, by module name."""
    known = {_module_name(package, path): path for path in package.rglob("*.py")}
    waiting: list[str] = []
    for root in roots:
        held = [name for name in known if name == root or name.startswith(f"{root}.")]
        if not held:
            raise ValueError(f"no module {root} in {package}")
        waiting += held
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name] = known[name]
            waiting += _imported(known[name])
    return found


def _module_name(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> Iterator[str]:
    """Yield every name that might be a module, and its parent packages, which Python imports too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))
