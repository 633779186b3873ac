"""The commands on a running system and its stored data."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.session import transaction
from sentiment.database.tables import count_rows
from sentiment.exceptions import InvalidInputError, UnknownNameError
from typer.testing import CliRunner

from cli.main import app
from local.processes import free_port
from local.stand_ins.gateway import invoke_api, running_gateway
from local.system import System


@pytest.fixture
def run(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a command in an empty folder, pointed at the running system by its environment file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    for name, value in (system.aws.environment() | system.database).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_rows_shows_stored_rows(system: System, run: Any) -> None:
    _, answer, _ = invoke_api(system.api, "POST", "/predict", {"text": "A [bold]great[/] film."})
    system.event_source.drain(10)
    result = run("rows", "prediction_logs", "--columns", "id,text,sentiment", "--limit", "100000")
    assert answer["prediction_id"] in result.output
    assert "A [bold]great[/] film." in result.output, "text is not interpreted as markup"


def test_rows_too_wide_for_the_terminal_are_shown_line_by_line(
    system: System, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = run("rows", "model_deployments").output
    assert any(
        line.split() == ["model_version", system.card["model_version"]] for line in output.splitlines()
    )


def test_export_writes_all_rows_as_csv_and_jsonl(system: System, run: Any, tmp_path: Path) -> None:
    for suffix in ("csv", "jsonl"):
        assert run("export", "model_deployments", "--to", f"rows.{suffix}").exit_code == 0
    with (tmp_path / "rows.csv").open() as file:
        (from_csv,) = csv.DictReader(file)
    (from_jsonl,) = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert from_csv["id"] == from_jsonl["id"] == str(system.deployment_id)
    assert json.loads(from_csv["metrics"]) == from_jsonl["metrics"] == system.card["metrics"]


@pytest.mark.parametrize(
    "name", ["nope", "prediction_logs; DROP TABLE prediction_logs", "pg_catalog.pg_user", ""]
)
def test_an_unknown_table_is_an_error_and_leaves_no_file(run: Any, tmp_path: Path, name: str) -> None:
    assert isinstance(run("rows", name).exception, UnknownNameError)
    assert isinstance(run("export", name, "--to", "rows.csv").exception, UnknownNameError)
    assert list(tmp_path.iterdir()) == []


def test_export_supports_two_formats(run: Any) -> None:
    assert isinstance(run("export", "prediction_logs", "--to", "rows.xlsx").exception, InvalidInputError)


def test_predict_uses_a_running_system(system: System, run: Any) -> None:
    with running_gateway(system.api) as url:
        result = run("predict", "A superb film.", "--url", url)
        assert result.output.startswith("positive (")
        assert system.card["model_version"] in result.output
        assert "422" in str(run("predict", " ", "--url", url).exception)


def test_the_checks_of_doctor_pass_on_a_running_system(system: System, run: Any, tiny_artifact: Path) -> None:
    ports = {variable: str(free_port()) for variable in ("API_PORT", "POSTGRES_PORT", "AWS_PORT")}
    result = CliRunner(env={"MODEL_DIR": str(tiny_artifact), **ports}).invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "messages waiting" in result.output
    assert "predictions" in result.output


def test_migrate_upgrades_and_asks_for_confirmation_before_it_drops_tables(system: System, run: Any) -> None:
    command = [str(Path(sys.executable).with_name("sentiment")), "migrate"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"revision"' in done.stdout
    refused = subprocess.run(
        [*command, "--down-to", "base"], check=False, capture_output=True, text=True, input="n\n"
    )
    assert refused.returncode == 1
    assert "drops every table" in refused.stdout + refused.stderr
    with transaction(system.engine) as session:
        assert count_rows(session, "model_deployments") == 1
