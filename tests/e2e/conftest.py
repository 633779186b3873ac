from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.progress import Steps
from local.system import System, running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Path) -> Iterator[System]:
    """The local system with an artifact of the real pipeline and the usual queues."""
    steps = Steps(Console(file=StringIO()))
    folder = tmp_path_factory.mktemp("system")
    with running_system(folder, steps, model_dir=tiny_artifact) as system:
        yield system
