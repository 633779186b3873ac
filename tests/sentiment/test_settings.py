from pathlib import Path

import pytest
from pydantic import ValidationError
from sentiment.exceptions import ConfigurationError
from sentiment.settings import PLACEHOLDERS, Secret, Settings, read_settings


class ExampleSettings(Settings):
    queue_url: str
    threads: int = 1
    token: Secret


@pytest.fixture(autouse=True)
def _a_folder_without_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_settings_come_from_the_environment_and_then_from_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("QUEUE_URL=from-the-file\nTOKEN=3f1c\nSOMETHING_ELSE=x\n")
    monkeypatch.setenv("QUEUE_URL", "from-the-environment")

    settings = read_settings(ExampleSettings)

    assert (settings.queue_url, settings.token.get_secret_value()) == ("from-the-environment", "3f1c")


def test_every_invalid_variable_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS", "many")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(ExampleSettings)
    message = str(caught.value)
    assert "QUEUE_URL: is not set" in message
    assert "TOKEN: is not set" in message
    assert "THREADS: " in message
    assert ".env" in message
    assert "\n" not in message


@pytest.mark.parametrize("placeholder", [*sorted(PLACEHOLDERS - {""}), "ChangeMe", " secret ", "<token>"])
def test_a_placeholder_is_not_a_valid_secret(monkeypatch: pytest.MonkeyPatch, placeholder: str) -> None:
    monkeypatch.setenv("QUEUE_URL", "q")
    monkeypatch.setenv("TOKEN", placeholder)
    with pytest.raises(ConfigurationError, match=r"TOKEN: .*is a placeholder; set a real secret"):
        read_settings(ExampleSettings)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", "q")
    monkeypatch.setenv("TOKEN", "3f1c9a")
    assert "3f1c9a" not in repr(read_settings(ExampleSettings))

    monkeypatch.setenv("THREADS", "3f1c9a")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(ExampleSettings)
    assert "3f1c9a" not in str(caught.value)


def test_settings_do_not_change_once_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", "q")
    monkeypatch.setenv("TOKEN", "3f1c9a")
    with pytest.raises(ValidationError):
        read_settings(ExampleSettings).threads = 2
