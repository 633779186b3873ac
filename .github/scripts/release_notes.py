"""Prints the changelog's section of a release, or says what tag, version and changelog disagree about.

It changes nothing and needs the standard library only: `python .github/scripts/release_notes.py v0.1.0`.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def version_of(pyproject: str) -> str:
    """Return the version that pyproject.toml declares."""
    return str(tomllib.loads(pyproject)["project"]["version"])


def release_notes(tag: str, pyproject: str, changelog: str) -> str:
    """Return the text of the tag's dated section; raises ValueError if there is nothing to publish."""
    version = version_of(pyproject)
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, but pyproject.toml has version {version}: tag v{version}")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |^\[[^]]+\]: |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD': add it")
    notes = found[1].strip()
    if not notes:
        raise ValueError(f"the section of {version} in CHANGELOG.md is empty: describe the release")
    return re.sub(r"\n +(?=\S)", " ", notes) + "\n"  # GitHub shows each line break of release notes


def main() -> None:
    """Print the notes of the tag given as the only argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: release_notes.py TAG")
    try:
        notes = release_notes(
            sys.argv[1], (ROOT / "pyproject.toml").read_text(), (ROOT / "CHANGELOG.md").read_text()
        )
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.write(notes)


if __name__ == "__main__":
    main()
