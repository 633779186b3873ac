"""What the function imports and when, what it writes, and which settings it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sentiment.exceptions import ConfigurationError, InvalidInputError
from sqlalchemy import Engine

from functions.drift_monitor.handler import handler
from functions.drift_monitor.settings import settings
from tests.drift_monitor.conftest import Aws

EVENTS = Path(__file__).parents[2] / "events"
# Prints every file opened for writing, and every attempt to reach another machine.
AUDIT = """
import json, os, sys
from pathlib import Path
sys.dont_write_bytecode = True
from functions.drift_monitor.detection.reference import read_reference
table = read_reference(Path(sys.argv[1])).table  # py3langid may unpack its model in /tmp
seen = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        seen.append(str(arguments[0]))
    elif event in ("os.mkdir", "socket.connect", "socket.getaddrinfo"):
        seen.append(f"{event} {arguments[0]}")
sys.addaudithook(watch)
from functions.drift_monitor.detection.domain_classifier import add_domain_scores
from functions.drift_monitor.detection.effect_sizes import render
from functions.drift_monitor.detection.features import FEATURES
render(*add_domain_scores(table, table), dict.fromkeys(FEATURES, 0.2), verdicts={})
print(json.dumps(seen))
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        cwd=Path(__file__).parents[2],
    )
    return done.stdout.strip().splitlines()[-1]


def test_slow_imports_wait_for_the_first_run() -> None:
    slow = ["pandas", "numpy", "evidently", "scipy", "sklearn", "pyarrow"]
    code = f"import sys, functions.drift_monitor.handler; print([m for m in {slow} if m in sys.modules])"
    assert run(code) == "[]"


def test_imports_only_what_its_group_installs() -> None:
    foreign = [
        "torch",
        "fastapi",
        "onnxruntime",
        "transformers",
        "alembic",
        "mlflow",
        "matplotlib",
        "datasets",
    ]
    code = f"import sys, functions.drift_monitor.run; print([m for m in {foreign} if m in sys.modules])"
    assert run(code) == "[]"


def test_evidently_writes_no_file_and_opens_no_connection(artifact: Path) -> None:
    seen = json.loads(run(AUDIT, str(artifact)))
    assert [what for what in seen if not what.startswith("/dev/null")] == []


def test_the_example_event_is_understood(monitored: Engine, aws: Aws) -> None:
    result = handler(json.loads((EVENTS / "drift_monitor_hourly.json").read_text()), None)
    assert (result["judged"], result["cause"]) == (False, "empty_window")


def test_an_invalid_time_is_refused(monitored: Engine) -> None:
    with pytest.raises(InvalidInputError, match="ISO 8601"):
        handler({"scheduled_at": "soon"}, None)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ON_DRIFT": "retrain"}, "STATE_MACHINE_ARN is required when ON_DRIFT is retrain"),
        ({"MINIMUM_ROWS": "5000", "MAXIMUM_ROWS": "1000"}, "MAXIMUM_ROWS must be at least MINIMUM_ROWS"),
        ({"ALERT_TOPIC_ARN": ""}, "ALERT_TOPIC_ARN: is not set"),
        ({"DRIFT_THRESHOLD": "1"}, "DRIFT_THRESHOLD"),
    ],
)
def test_settings_under_which_it_could_not_work_are_refused(
    monitored: Engine, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        settings()
