import inspect
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sentiment.exceptions import ConfigurationError, UnknownNameError

from cli.main import exit_code
from cli.train import train
from training.__main__ import _parser
from training.config import TrainingConfig
from training.errors import DataError, GateError

SENTIMENT = str(Path(sys.executable).with_name("sentiment"))
COMMANDS = [
    "doctor",
    "train",
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


def test_predict_says_how_to_start_a_system_if_none_can_be_reached(run: Any) -> None:
    result = run("predict", "A film.", "--url", "http://127.0.0.1:9")
    assert "start it with `sentiment up`" in str(result.exception)
    assert "begin with http" in str(run("predict", "A film.", "--url", "file:///etc/passwd").exception)


def test_every_part_of_a_run_can_be_given_on_both_command_lines() -> None:
    of_a_run = set(TrainingConfig.model_fields)
    here = set(inspect.signature(train).parameters)
    there = set(vars(_parser().parse_args(["train"])))
    assert of_a_run - here == set()
    assert of_a_run - there == set()
