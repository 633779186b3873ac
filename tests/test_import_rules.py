"""The import rules of docs/architecture.md: data flows one way, a function can be changed alone, and a module
that is imported does nothing but define what is in it.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
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
ALL = PACKAGES | {"benchmarks": ROOT / "benchmarks"}

# A module may call these when it is imported, and whatever is named like a class: they make values of values.
MAKE_VALUES = {
    *("cast", "compile", "frozenset", "get_args", "join", "range", "replace", "set", "sorted", "split"),
    *("date", "datetime", "getLogger", "resolve", "timedelta", "tuple", "with_name"),
    *("days", "dumps", "hours", "int32", "int64", "list_", "minutes", "schema", "seconds", "string"),
}
# What else happens at import, on purpose.
ON_PURPOSE = {
    ("functions/api/handler.py", "calls load"),  # loading costs no request while Lambda initializes
    ("cli/main.py", "calls make_app"),
    ("functions/migrations/env.py", "runs If"),  # a script of Alembic's, which nothing imports
}


def may_import(package: str) -> set[str]:
    if package.startswith("functions."):
        return {package, "sentiment"}
    if package == "local":
        return OURS - {"benchmarks", "cli", "tests"}
    if package == "cli":
        return OURS - {"benchmarks", "tests"}
    return {package}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def imported_modules(path: Path) -> set[str]:
    """Return what a module imports, with the names it imports from a package: they may be modules."""
    names = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(parse(path))
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


def module_graph(packages: dict[str, Path]) -> dict[str, set[str]]:
    """Map each module to the modules of the packages that it imports, at any place and for any reason."""
    paths = {
        f"{folder_of(path, package, folder)}.{path.stem}".removesuffix(".__init__"): path
        for package, folder in packages.items()
        for path in modules(folder)
    }
    return {name: (imported_modules(path) & paths.keys()) - {name} for name, path in paths.items()}


def folder_graph(packages: dict[str, Path]) -> dict[str, set[str]]:
    """Map each subfolder to the subfolders that it imports; a package's own modules are left out."""
    subfolders = {
        folder
        for package, root in packages.items()
        for path in modules(root)
        if (folder := folder_of(path, package, root)) != package
    }
    graph: dict[str, set[str]] = {folder: set() for folder in subfolders}
    for name, imports in module_graph(packages).items():
        if importing := innermost(name, subfolders):
            graph[importing] |= {found for each in imports if (found := innermost(each, subfolders))}
    return {folder: imports - {folder} for folder, imports in graph.items()}


def folder_of(path: Path, package: str, root: Path) -> str:
    return ".".join((package, *path.relative_to(root).parent.parts))


def innermost(module: str, folders: set[str]) -> str | None:
    """Return the deepest of the folders that a module is in."""
    found = [folder for folder in folders if module == folder or module.startswith(f"{folder}.")]
    return max(found, key=len, default=None)


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return one import cycle, closed by its first member, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    assert modules(PACKAGES[package]), "an empty package would pass for nothing"
    assert violations(package, PACKAGES[package]) == []


def test_no_modules_import_one_another_in_a_cycle() -> None:
    assert cycle(module_graph(ALL)) == []


def test_subfolders_import_one_another_in_one_direction_only() -> None:
    graph = folder_graph(ALL)
    assert {"cdk.data", "functions.api.model", "local.demo", "sentiment.database", "training.export"} <= set(
        graph
    )
    assert cycle(graph) == []


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, Path]:
    """A package with two subfolders that import each other, but no module that imports itself."""
    for name, source in (
        ("prices.py", ""),
        ("stock/rows.py", "from shop import prices\n"),
        ("stock/orders.py", "def order():\n    from shop.page.form import Form\n"),
        ("page/form.py", ""),
        ("page/list.py", "import shop.stock.rows\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    return {"shop": tmp_path}


def test_the_rule_names_the_subfolders_of_a_cycle(shop: dict[str, Path]) -> None:
    assert cycle(module_graph(shop)) == []
    assert set(cycle(folder_graph(shop))) == {"shop.stock", "shop.page"}


def test_the_rule_names_the_modules_of_a_cycle_through_a_subfolder(shop: dict[str, Path]) -> None:
    (shop["shop"] / "prices.py").write_text("if TYPE_CHECKING:\n    from shop.stock.rows import Row\n")
    assert set(cycle(module_graph(shop))) == {"shop.prices", "shop.stock.rows"}


def test_the_rule_catches_a_function_that_imports_another(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("from functions.log_writer.handler import handler\n")
    assert violations("functions.api", tmp_path) == ["handler.py imports functions.log_writer.handler"]


def test_no_folder_of_ours_hides_a_standard_module() -> None:
    assert OURS.isdisjoint(sys.stdlib_module_names)


def done_at_import(tree: ast.Module) -> Iterator[str]:
    """Name what the module's own lines do when it is imported, beyond definitions."""
    for node in tree.body:
        match node:
            case (
                ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef()
            ):
                pass
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Compare(left=ast.Name(id="__name__"))):
                pass
            case ast.Assign() | ast.AnnAssign():
                yield from (f"calls {name}" for name in called(node) if not makes_value(name))
            case _:
                yield f"runs {type(node).__name__}"


def called(node: ast.AST) -> Iterator[str]:
    """Yield the last name of each call, but for those in functions that are not called themselves."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        match node.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case _:
                yield "what it made"
    for child in ast.iter_child_nodes(node):
        yield from called(child)


def makes_value(name: str) -> bool:
    return name in MAKE_VALUES or name.lstrip("_")[:1].isupper()


def test_nothing_happens_at_import() -> None:
    happens = {
        (str(path.relative_to(ROOT)), done)
        for folder in (*PACKAGES.values(), ROOT / "functions")
        for path in modules(folder)
        for done in done_at_import(parse(path))
    }
    assert happens == ON_PURPOSE


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("os.environ.setdefault('DO_NOT_TRACK', '1')", ["runs Expr"]),
        ("with warnings.catch_warnings():\n    import evidently", ["runs With"]),
        ("if sys.platform == 'linux':\n    start()", ["runs If"]),
        ("SETTINGS = read_settings(Settings)", ["calls read_settings"]),
        ("TABLE: dict = json.loads(Path('table.json').read_text())", ["calls loads", "calls read_text"]),
        ("client = session().client('s3')", ["calls client", "calls session"]),
        ("LIMIT = timedelta(hours=1)\nclass A: ...", []),
        ("WORDS = re.compile('a')\nif TYPE_CHECKING:\n    import boto3", []),
        ("if __name__ == '__main__':\n    main()", []),
        ("later = lambda: open('file')", []),
    ],
)
def test_the_rule_catches_what_a_module_does_by_itself(line: str, done: list[str]) -> None:
    assert list(done_at_import(ast.parse(line))) == done
