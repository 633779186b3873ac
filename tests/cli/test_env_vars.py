import os
from pathlib import Path

import pytest
from sentiment.exceptions import ConfigurationError

from cli.env_vars import load_environment, required
from local.state import owned_state, write_environment


def test_the_environment_overrides_the_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / ".env").write_text("QUEUE_URL=http://from-file\nUNSENT_BUCKET=bucket\n")
    monkeypatch.setenv("QUEUE_URL", "http://from-environment")
    load_environment(None)
    assert (required("QUEUE_URL", "x"), required("UNSENT_BUCKET", "x")) == (
        "http://from-environment",
        "bucket",
    )


def test_only_a_running_local_system_is_found(
    empty_folder: Path,
) -> None:
    folder = empty_folder / ".local" / "up"
    with owned_state(folder):
        write_environment(folder / "system.env", {"QUEUE_URL": "http://local"})
        load_environment(None)
        assert required("QUEUE_URL", "x") == "http://local"
    del os.environ["QUEUE_URL"]
    load_environment(None)
    with pytest.raises(ConfigurationError, match="QUEUE_URL is not set"):
        required("QUEUE_URL", "the queue")


def test_a_local_system_is_not_mixed_with_the_queue_of_env(empty_folder: Path) -> None:
    (empty_folder / ".env").write_text("QUEUE_URL=https://sqs.cloud/queue\n")
    folder = empty_folder / ".local" / "up"
    with owned_state(folder):
        write_environment(
            folder / "system.env", {"AWS_ENDPOINT_URL": "http://local", "QUEUE_URL": "http://local"}
        )
        load_environment(None)
    assert os.environ["QUEUE_URL"] == "https://sqs.cloud/queue"
    assert "AWS_ENDPOINT_URL" not in os.environ


def test_a_given_file_must_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.env is not a file"):
        load_environment(Path("missing.env"))
