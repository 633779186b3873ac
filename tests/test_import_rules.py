"""The import rules of docs/architecture.md: data flows one way, and a function can be changed alone."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT / "layers" / "shared" / "python"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
OURS = {"benchmarks", "cdk", "cli", "functions", "local", "sentiment", "tests", "training"}
PACKAGES = {
    "cdk": ROOT / "cdk",
    "cli": ROOT / "cli",
    "local": ROOT / "local",
    "sentiment": SHARED / "sentiment",
    "training": ROOT / "training",
} | {f"functions.{name}": ROOT / "functions" / name for name in FUNCTIONS}


def may_import(package: str) -> set[str]:
    if package.startswith("functions."):
        return {package, "sentiment"}
    if package == "local":
        return OURS - {"benchmarks", "cli", "tests"}
    if package == "cli":
        return OURS - {"benchmarks", "tests"}
    return {package}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def imported_modules(path: Path) -> set[str]:
    """Return what a module imports, with the names it imports from a package: they may be modules."""
    names = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return names | set(imported(path))


def modules(folder: Path) -> list[Path]:
    """List a package's own modules; npm puts packages of others under cdk/."""
    return sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def violations(package: str, folder: Path) -> list[str]:
    allowed = may_import(package)
    return [
        f"{path.relative_to(folder)} imports {name}"
        for path in modules(folder)
        for name in imported(path)
        if name.split(".")[0] in OURS
        and not any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)
    ]


def cycle(package: str, folder: Path) -> list[str]:
    """Return a circle that the package's modules import each other in; imports for types alone count too."""
    names = {
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in modules(folder)
    }
    imports = {name: (imported_modules(path) & names.keys()) - {name} for name, path in names.items()}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    assert modules(PACKAGES[package]), "an empty package would pass for nothing"
    assert violations(package, PACKAGES[package]) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_imports_run_in_a_circle(package: str) -> None:
    assert cycle(package, PACKAGES[package]) == []


def test_the_rule_catches_a_circle_through_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.py").write_text("from shop import page\n")
    (tmp_path / "page.py").write_text("def show():\n    import shop.data.rows\n")
    assert set(cycle("shop", tmp_path)) == {"shop.page", "shop.data.rows"}


def test_the_rule_catches_a_function_that_imports_another(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("from functions.log_writer.handler import handler\n")
    assert violations("functions.api", tmp_path) == ["handler.py imports functions.log_writer.handler"]


def test_no_folder_of_ours_hides_a_standard_module() -> None:
    assert OURS.isdisjoint(sys.stdlib_module_names)
