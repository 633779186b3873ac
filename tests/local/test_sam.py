"""The files for `sam local`: deployed functions, routes and variables, with values of a running system."""

import json
import platform
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sam import make_variables, synthesize, title, write
from local.state import write_environment

ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write everything but the layers, with values of a running system."""
    state = tmp_path_factory.mktemp("state")
    running = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:14566",
        "QUEUE_URL": "http://127.0.0.1:14566/0/predictions",
        "UNSENT_BUCKET": "predictions-unsent",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_USER": "postgres",
        "DATABASE_AUTH": "password",
        "DATABASE_PASSWORD": "of the laptop",
    }
    (state / "up").mkdir()
    write_environment(state / "up" / "system.env", running)
    folder = tmp_path_factory.mktemp("sam")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIR", str(state))
        assert write(folder, build_layers=False), "the running system was not found"
    yield folder


@pytest.fixture(scope="module")
def resources(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "template.json").read_text())["Resources"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def variables(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "env.json").read_text())  # type: ignore[no-any-return]


def test_the_api_has_the_deployed_routes_and_a_local_image(resources: dict[str, Any]) -> None:
    api = resources["Api"]["Properties"]
    assert (api["PackageType"], api["ImageUri"]) == ("Image", "sentiment-api:latest")
    assert api["Architectures"] == [ARCHITECTURE]
    routes = {
        f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in api["Events"].values()
    }
    assert {"POST /predict", "GET /health", "POST /predictions/{prediction_id}/feedback"} <= routes
    assert not any("/reports" in route for route in routes)


def test_reports_has_its_own_route(resources: dict[str, Any]) -> None:
    [event] = resources["Reports"]["Properties"]["Events"].values()
    assert event["Properties"] == {"Method": "GET", "Path": "/reports/{proxy+}"}


def test_a_zip_function_has_code_handler_and_layer(resources: dict[str, Any]) -> None:
    writer = resources["LogWriter"]["Properties"]
    assert (Path(writer["CodeUri"]) / "functions/log_writer/handler.py").is_file()
    assert writer["Handler"] == "functions.log_writer.handler.handler"
    [layer] = writer["Layers"]
    assert resources[layer["Ref"]]["Properties"]["ContentUri"] == "layers/database"


def test_values_of_the_running_system_are_used_with_its_address_in_containers(
    variables: dict[str, Any],
) -> None:
    writer = variables["LogWriter"]
    assert writer["DATABASE_HOST"] == "host.docker.internal"
    assert (writer["DATABASE_USER"], writer["DATABASE_AUTH"]) == ("postgres", "password")
    assert writer["POWERTOOLS_SERVICE_NAME"] == "log_writer"
    assert variables["Api"]["QUEUE_URL"] == "http://host.docker.internal:14566/0/predictions"


def test_every_variable_of_env_json_is_in_the_template_as_sam_requires(
    resources: dict[str, Any], variables: dict[str, Any]
) -> None:
    for name, values in variables.items():
        assert values.keys() <= resources[name]["Properties"]["Environment"]["Variables"].keys()


def test_a_bucket_is_set_under_each_of_its_variables(variables: dict[str, Any]) -> None:
    assert variables["Registrar"]["ARTIFACT_BUCKET"] == "predictions-unsent"


def test_only_the_user_can_read_the_database_password(folder: Path) -> None:
    assert stat.S_IMODE((folder / "env.json").stat().st_mode) == 0o600
    assert "of the laptop" not in (folder / "template.json").read_text()


def test_without_a_running_system_only_literal_values_are_set(
    folder: Path, resources: dict[str, Any]
) -> None:
    found, _ = synthesize((folder / "again").resolve(), ARCHITECTURE)
    values = make_variables(found, {"Resources": resources}, {}, "host.docker.internal")
    assert values["Api"]["MODEL_DIR"] == "/var/task/model"
    assert "QUEUE_URL" not in values["Api"]


def test_the_template_passes_cfn_lint(folder: Path) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, folder / "template.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "expected"), [("log_writer", "LogWriter"), ("GET /reports/{proxy+}", "GETReportsProxy")]
)
def test_an_id_is_alphanumeric_as_cloudformation_requires(words: str, expected: str) -> None:
    assert title(words) == expected
