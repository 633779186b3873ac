import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from sentiment.exceptions import ConfigurationError, DatabaseError, ModelError, QueueError

from cli.system import doctor
from local.processes import free_port


def test_it_runs_every_check_and_says_how_to_get_a_model(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("API_PORT", "POSTGRES_PORT", "AWS_PORT"):  # another program may use the defaults
        monkeypatch.setenv(variable, str(free_port()))
    result = run("doctor")
    assert all(name in result.output for name in doctor.CHECKS)
    assert "✗ model" in result.output
    assert "run `sentiment train --quick`" in result.output
    assert "embedded one starts" in result.output
    assert "1 of 8 checks failed" in str(result.exception)


def test_an_intact_artifact_passes_and_a_modified_one_fails(
    tiny_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(tiny_artifact, copy)
    monkeypatch.setenv("MODEL_DIR", str(copy))
    assert "match their checksums" in doctor.check_model()
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        doctor.check_model()


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("INPUT_HASH_KEY=changeme", "INPUT_HASH_KEY"),
        ("DATABASE_PASSWORD=<your password>", "DATABASE_PASSWORD"),
        ("API_PORT=99999", "API_PORT"),
        ("CORS_ORIGINS=*", "CORS_ORIGINS"),
        ("PRIVACY_MODE=sometimes", "PRIVACY_MODE"),
    ],
)
def test_a_placeholder_or_malformed_setting_is_named(empty_folder: Path, line: str, variable: str) -> None:
    (empty_folder / ".env").write_text(line + "\n")
    with pytest.raises(ConfigurationError, match=variable) as error:
        doctor.check_settings()
    assert line.split("=")[1] not in str(error.value) or variable in ("CORS_ORIGINS", "PRIVACY_MODE")


def test_missing_settings_are_valid() -> None:
    assert "defaults are used" in doctor.check_settings()


def test_a_taken_port_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        monkeypatch.setenv("AWS_PORT", str(port))
        with pytest.raises(ConfigurationError, match=f"AWS_PORT={port}"):
            doctor.check_ports()


def test_an_unreachable_database_or_queue_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [
        ("HOST", "127.0.0.1"),
        ("PORT", "9"),
        ("NAME", "x"),
        ("USER", "x"),
        ("AUTH", "password"),
    ]:
        monkeypatch.setenv(f"DATABASE_{name}", value)
    monkeypatch.setenv("DATABASE_PASSWORD", "a-real-one")
    monkeypatch.setenv("DATABASE_TLS", "off")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:9.*check DATABASE_"):
        doctor.check_postgres()
    for name, value in [
        ("ACCESS_KEY_ID", "x"),
        ("SECRET_ACCESS_KEY", "x"),
        ("DEFAULT_REGION", "eu-central-1"),
    ]:
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("QUEUE_URL", "http://127.0.0.1:9/0/queue")
    with pytest.raises(QueueError, match="QUEUE_URL cannot be reached"):
        doctor.check_queue()


def test_too_little_disk_space_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MINIMUM_DISK_GB", 1e9)
    with pytest.raises(ConfigurationError, match="make room"):
        doctor.check_disk()
