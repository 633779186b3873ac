import os
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from sentiment.exceptions import ConfigurationError, UnknownNameError

from cli.main import app, exit_code
from training.__main__ import _parser
from training.config import TrainingConfig
from training.errors import DataError, GateError, ModelError
from training.options import EVALUATE, SEARCH, TRAIN, Option
from training.search.trials import SearchPlan

SENTIMENT = str(Path(sys.executable).with_name("sentiment"))
COMMANDS = [
    "doctor",
    "train",
    "search",
    "evaluate",
    "promote",
    "demo",
    "up",
    "predict",
    "monitor",
    "drift run",
    "migrate",
    "replay",
    "redrive",
    "rows",
    "export",
    "export-feedback",
    "audit",
    "deployments",
    "rollback",
    "clean-data",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run: Any, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"sentiment {command}" in " ".join(result.output.split("Example")[1:])


def test_help_names_every_command_and_the_exit_codes(run: Any) -> None:
    output = run("--help").output
    assert all(command.split()[0] in output for command in COMMANDS)
    assert "130 stopped by Ctrl-C" in output


def seconds_of_help() -> float:
    started = time.perf_counter()
    subprocess.run([SENTIMENT, "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    assert min(seconds_of_help() for _ in range(3)) < 1
    script = "import sys, cli.main; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "boto3",
        "fastapi",
        "mlflow",
        "onnxruntime",
        "pandas",
        "pydantic",
        "sqlalchemy",
        "torch",
        "transformers",
    }
    assert heavy.isdisjoint(modules)


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    environment = os.environ | {"MODEL_DIR": "nowhere"}
    result = subprocess.run(
        [SENTIMENT, "up"], check=False, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert result.returncode == 1
    assert result.stderr == "error: there is no model in nowhere; train one with `sentiment train --quick`\n"
    traced = subprocess.run(
        [SENTIMENT, "--debug", "up"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert traced.returncode == 1
    assert "Traceback" in traced.stderr


def test_invalid_usage_exits_2(run: Any) -> None:
    assert run("predict").exit_code == 2
    assert run("no-such-command").exit_code == 2


def test_exit_codes_are_those_of_the_errors() -> None:
    assert exit_code(ConfigurationError("x")) == 1
    assert exit_code(UnknownNameError("x")) == 1
    assert exit_code(DataError("x")) == 2
    assert exit_code(GateError("x")) == 3
    assert exit_code(ValueError("a bug")) is None


def test_training_options_reach_the_configuration_and_are_checked_there(run: Any) -> None:
    result = run("train", "--max-length", "7", "--labels", "a, b", "--quick")
    assert "max_length" in str(result.exception)
    result = run("train", "--data", "missing.csv")
    assert isinstance(result.exception, DataError)


def test_search_and_evaluate_check_their_options_too(run: Any) -> None:
    assert isinstance(run("search", "--data", "missing.csv").exception, DataError)
    assert isinstance(run("evaluate", "--model", "missing").exception, ModelError)
    assert run("search", "--trials", "many").exit_code == 2


def test_predict_says_how_to_start_a_system_if_none_can_be_reached(run: Any) -> None:
    result = run("predict", "A film.", "--url", "http://127.0.0.1:9")
    assert "start it with `sentiment up`" in str(result.exception)
    assert "begin with http" in str(run("predict", "A film.", "--url", "file:///etc/passwd").exception)


def command_options(name: str) -> dict[str, Any]:
    """Return the options that Typer made of a command, by parameter name."""
    commands: Any = typer.main.get_command(app)
    return {str(parameter.name): parameter for parameter in commands.commands[name].params}


@pytest.mark.parametrize(("command", "table"), [("train", TRAIN), ("search", SEARCH), ("evaluate", EVALUATE)])
def test_both_command_lines_have_every_option_of_the_table(command: str, table: tuple[Option, ...]) -> None:
    names = {option.name for option in table}
    here = set(command_options(command)) - {"on", "env", "follow"}
    assert here - ({"trials"} if command == "train" else set()) == names
    assert set(vars(_parser().parse_args([command]))) == names | {"command", "debug"}


def test_every_field_of_a_run_is_an_option() -> None:
    assert set(TrainingConfig.model_fields) - {option.name for option in TRAIN} == set()
    # Only a search's starting point and a preset are not fields.
    assert {option.name for option in TRAIN} - set(TrainingConfig.model_fields) == {"quick", "parameters"}
    assert {option.name for option in SEARCH} - set(TrainingConfig.model_fields) == {
        "quick",
        "study",
        *(field.name for field in fields(SearchPlan) if field.name != "fixed"),
    }


def test_help_shows_the_defaults_of_a_run(run: Any) -> None:
    output = " ".join(run("train", "--help").output.split())
    assert "[default: 0.01]" in output
    assert "[default: length-grouped]" in output


def test_options_that_are_not_set_are_left_to_the_run() -> None:
    options = command_options("train")
    unset = {name for name, option in options.items() if option.default is None}
    assert unset >= set(TrainingConfig.model_fields)
