import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from sentiment.exceptions import ConfigurationError

from local.processes import accepts, free_port, wait_until
from local.stand_ins.moto_server import running_aws
from local.state import owned_state, running_owner


def test_secrets_are_generated_once_and_only_the_user_can_read_them(tmp_path: Path) -> None:
    with owned_state(tmp_path) as state:
        first = state.secrets()
    with owned_state(tmp_path) as state:
        assert state.secrets() == first
    assert set(first) == {"DATABASE_PASSWORD", "INPUT_HASH_KEY"}
    assert all(len(value) == 64 for value in first.values())
    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600


def test_a_second_process_on_a_folder_fails_with_the_id_of_the_owner(tmp_path: Path) -> None:
    assert running_owner(tmp_path) is None
    with owned_state(tmp_path):
        assert running_owner(tmp_path) == os.getpid()
        with (
            pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"),
            owned_state(tmp_path),
        ):
            pass
    assert running_owner(tmp_path) is None


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from local.stand_ins.moto_server import running_aws
from local.state import owned_state
with owned_state(Path(sys.argv[1])) as state, running_aws(state, port=int(sys.argv[2])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_processes_of_a_killed_run_are_ended_by_the_next(tmp_path: Path) -> None:
    port = free_port()
    subprocess.run([sys.executable, "-c", INTERRUPTED, tmp_path, str(port)], check=False)
    assert accepts(port), "the stand-in should survive the killed run"
    with owned_state(tmp_path) as state:
        assert state.leftovers == 1
        assert not accepts(port)
        with running_aws(state, port=port):
            assert accepts(port)
    assert not accepts(port)


def test_a_process_that_reuses_a_pid_is_not_ended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "processes.jsonl").write_text(f'{{"pid": {other.pid}, "created": 1.0}}\nnot json\n')
        with owned_state(tmp_path) as state:
            assert state.leftovers == 0
        assert psutil.Process(other.pid).is_running()
        other.kill()


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    with owned_state(tmp_path) as state, running_aws(state) as aws:
        port = int(aws.endpoint_url.rpartition(":")[2])
        with (
            pytest.raises(ConfigurationError, match=f"port {port} is taken.*AWS_PORT"),
            running_aws(state, port=port),
        ):
            pass


def test_a_stand_in_that_cannot_start_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        owned_state(tmp_path) as state,
        pytest.raises(ConfigurationError, match=r"aws\.log"),
        running_aws(state),
    ):
        pass


def test_waiting_ends_at_the_deadline() -> None:
    assert wait_until(lambda: True, seconds=0)
    assert not wait_until(lambda: False, seconds=0.05)
