"""The container that VS Code opens the repository in is set up by the same command as a laptop."""

import json
from pathlib import Path

from local.settings import LocalSettings

ROOT = Path(__file__).parent.parent
CONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())


def test_it_runs_the_set_up_of_the_makefile() -> None:
    program, target = CONTAINER["postCreateCommand"].split()
    assert program == "make"
    assert f"\n{target}: " in (ROOT / "Makefile").read_text()


def test_it_forwards_every_port_that_the_system_listens_on_by_default() -> None:
    ports = {field.default for name, field in LocalSettings.model_fields.items() if name.endswith("_port")}
    assert ports <= set(CONTAINER["forwardPorts"])
    assert {int(port) for port in CONTAINER["portsAttributes"]} == set(CONTAINER["forwardPorts"])


def test_it_brings_the_python_and_node_that_the_workflows_use() -> None:
    features = {name.split("/")[-1].split(":")[0]: options for name, options in CONTAINER["features"].items()}
    workflow = (ROOT / ".github" / "workflows" / "deploy-environment.yml").read_text()
    assert f'python-version: "{features["python"]["version"]}"' in workflow
    assert f'node-version: "{features["node"]["version"]}"' in workflow
