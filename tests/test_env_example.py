"""`.env.example` documents every setting that exists, and none that does not."""

import re
from pathlib import Path

from functions.api.settings import ApiSettings
from functions.drift_monitor.settings import DriftMonitorSettings
from functions.log_writer.settings import DatabaseSettings
from functions.migrations.settings import MigrationsSettings
from functions.registrar.settings import RegistrarSettings
from functions.release_check.settings import ReleaseCheckSettings
from functions.slack_notifier.settings import SlackNotifierSettings
from functions.traffic_counter.settings import TrafficCounterSettings
from local.settings import LocalSettings

EXAMPLE = (Path(__file__).parent.parent / ".env.example").read_text()
# Read by libraries or by the command line, not by a settings class.
OTHERS = {
    "DEAD_LETTER_QUEUE_URL",
    "HF_HUB_OFFLINE",
    "LOG_LEVEL",
    "MLFLOW_TRACKING_URI",
    "SENTIMENT_TOKEN",
    "SENTIMENT_URL",
}
# Read by compose.yaml, beside those that the system in it knows too.
CONTAINERS = {
    "GRAFANA_PASSWORD",
    "GRAFANA_PORT",
    "MLFLOW_PORT",
    "POSTGRES_PASSWORD",
    "PROMETHEUS_PORT",
    "READER_PASSWORD",
}


def test_the_example_names_exactly_the_settings_that_exist() -> None:
    classes = (
        ApiSettings,
        DatabaseSettings,
        DriftMonitorSettings,
        LocalSettings,
        MigrationsSettings,
        RegistrarSettings,
        ReleaseCheckSettings,
        SlackNotifierSettings,
        TrafficCounterSettings,
    )
    existing = {name.upper() for settings in classes for name in settings.model_fields}
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, flags=re.MULTILINE))
    assert named == existing | OTHERS | CONTAINERS


def test_the_example_holds_no_value_a_secret_could_keep() -> None:
    secrets = re.findall(r"^#?\w+(?:PASSWORD|KEY|TOKEN|SECRET)=(\S*)", EXAMPLE, flags=re.MULTILINE)
    assert secrets and set(secrets) <= {"", "#"}
