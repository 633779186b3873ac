"""`sentiment up` as a process that is stopped, killed and restarted."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.processes import accepts, free_port, is_alive, wait_until

COMMAND = [str(Path(sys.executable).with_name("sentiment")), "up"]


@pytest.fixture
def environment(tmp_path: Path, tiny_artifact: Path) -> dict[str, str]:
    return os.environ | {
        "API_PORT": str(free_port()),
        "POSTGRES_PORT": str(free_port()),
        "AWS_PORT": str(free_port()),
        "MODEL_DIR": str(tiny_artifact),
        "STATE_DIR": str(tmp_path / "state"),
    }


class Up:
    """A running `sentiment up`."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.port = int(environment["API_PORT"])
        self.process = subprocess.Popen(
            COMMAND, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if not wait_until(lambda: accepts(self.port) or self.process.poll() is not None, seconds=60):
            self.process.kill()
        if self.process.poll() is not None:
            raise AssertionError(self.process.communicate()[0])
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def predicts(self) -> bool:
        response = httpx.post(
            f"http://127.0.0.1:{self.port}/predict", json={"text": "A superb film."}, timeout=30
        )
        return response.status_code == 200

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output


@pytest.fixture
def ups(environment: dict[str, str], tmp_path: Path) -> Iterator[list[Up]]:
    """Collect the started systems, and kill those that a failed test leaves running."""
    started: list[Up] = []
    yield started
    for up in started:
        for process in (
            [*up.children, psutil.Process(up.process.pid)] if up.process.poll() is None else up.children
        ):
            if is_alive(process):
                process.kill()


@pytest.mark.slow
def test_up_recovers_from_a_kill_and_ctrl_c_ends_every_process(
    environment: dict[str, str], tmp_path: Path, ups: list[Up]
) -> None:
    ups.append(Up(environment, tmp_path))
    killed = ups[0]
    assert killed.predicts()

    second = subprocess.run(
        COMMAND, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"in use by process {killed.process.pid}" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1

    killed.end(signal.SIGKILL)
    assert any(is_alive(process) for process in killed.children), "its stand-ins should survive it"

    ups.append(Up(environment, tmp_path))
    again = ups[1]
    assert not any(is_alive(process) for process in killed.children)
    assert again.predicts()
    code, output = again.end(signal.SIGINT)
    assert code == 0, output
    assert "ended" in output
    assert not any(is_alive(process) for process in again.children)
    assert not accepts(again.port)


@pytest.mark.slow
def test_the_monitor_finds_a_running_system(
    environment: dict[str, str], tmp_path: Path, ups: list[Up]
) -> None:
    ups.append(Up(environment, tmp_path))
    assert ups[0].predicts()
    monitor = [COMMAND[0], "monitor", "--json"]

    def read_monitor() -> dict[str, Any]:
        done = subprocess.run(
            monitor, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) | {"code": done.returncode}

    status = read_monitor()
    while status["predictions"] == 0:
        status = read_monitor()
    assert status["source"] == f"database 127.0.0.1:{environment['POSTGRES_PORT']}"
    assert (status["status"], status["code"]) == ("calm", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{ups[0].port}", timeout=30) as client:
        assert client.get("/reports/summary").json()["predictions"] == 1
    code, output = ups[0].end(signal.SIGINT)
    assert code == 0, output
    assert "sentiment monitor" in output


@pytest.mark.slow
def test_a_termination_signal_ends_every_process_too(
    environment: dict[str, str], tmp_path: Path, ups: list[Up]
) -> None:
    ups.append(Up(environment, tmp_path))
    code, output = ups[0].end(signal.SIGTERM)
    assert code == 143, output
    assert not any(is_alive(process) for process in ups[0].children)
