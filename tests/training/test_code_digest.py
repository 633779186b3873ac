"""The code behind a result is found by its imports, in any folder."""

from pathlib import Path

import pytest

from training.code_digest import code_digest, modules_behind


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in which `fit` leads to everything but `page`, by every form of import."""
    modules = {
        "__init__": "",
        "page": "import shop.fit\n",
        "fit": "import os\nfrom shop.data import rows\n",
        "data/__init__": "",
        "data/rows": "def read() -> None:\n    from shop.data.text import clean\n",
        "data/text": "import shop.errors\n",
        "errors": "import shop.fit\n",  # an import cycle
    }
    for name, code in modules.items():
        path = tmp_path / "shop" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return tmp_path / "shop"


def test_imports_are_followed_through_folders_and_functions(package: Path) -> None:
    assert sorted(modules_behind(package, ["shop.fit"])) == [
        *("shop", "shop.data", "shop.data.rows", "shop.data.text", "shop.errors", "shop.fit")
    ]


def test_a_package_as_root_includes_all_its_modules(package: Path) -> None:
    (package / "data" / "alone.py").write_text("")
    assert {"shop.data.alone", "shop.data.rows"} <= modules_behind(package, ["shop.data"]).keys()


def test_a_missing_root_is_an_error(package: Path) -> None:
    with pytest.raises(ValueError, match=r"no module shop\.tune"):
        code_digest(package, ["shop.fit", "shop.tune"])


@pytest.mark.parametrize(("name", "changes"), [("data/text.py", True), ("page.py", False)])
def test_the_digest_changes_with_what_is_imported(package: Path, name: str, changes: bool) -> None:
    before = code_digest(package, ["shop.fit"])
    with (package / name).open("a") as module:
        module.write("# edited\n")
    assert (code_digest(package, ["shop.fit"]) != before) is changes
