"""`sentiment doctor`: check this machine's requirements and configuration.

Each check returns what it found, or raises an error that says how to fix it.
"""

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from sentiment.exceptions import ConfigurationError, DatabaseError, QueueError, SentimentError

MINIMUM_DISK_GB = 2.0  # data, artifact, checkpoints and experiment store of a quick run


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: [bold]sentiment doctor[/]. Exit code 1 when a check fails.")(doctor)


def doctor() -> None:
    """Check Python, disk, settings, ports, Lambda runtime, model, Postgres and queue."""
    console, failed = Console(), 0
    for name, check in CHECKS.items():
        with console.status(f"{name} …"):
            try:
                mark, finding = "[green]✓[/]", check()
            except SentimentError as error:
                mark, finding, failed = "[red]✗[/]", str(error), failed + 1
        console.print(f"{mark} [bold]{name:<12}[/] {escape(finding)}", highlight=False, soft_wrap=True)
    if failed:
        raise SentimentError(f"{failed} of {len(CHECKS)} checks failed; each line with ✗ says how to fix it")


def check_python() -> str:
    """Check that the lock file supports this Python."""
    found = platform.python_version()
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise ConfigurationError(
            f"Python {found}; 3.11 to 3.13 is needed: run `make PYTHON=python3.12 setup`"
        )
    return f"Python {found}"


def check_disk() -> str:
    """Check the free space for data, checkpoints and artifacts."""
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    if free_gb < MINIMUM_DISK_GB:
        raise ConfigurationError(
            f"{free_gb:.1f} GB free in {Path.cwd()}; make room for {MINIMUM_DISK_GB:.0f} GB"
        )
    return f"{free_gb:.0f} GB free"


def check_settings() -> str:
    """Check for malformed settings and placeholder secrets; a setting may be missing."""
    from pydantic import ValidationError
    from sentiment.validation import problems_of

    from functions.api.settings import ApiSettings
    from functions.drift_monitor.settings import DriftMonitorSettings
    from functions.migrations.settings import MigrationsSettings
    from local.settings import LocalSettings

    faults: dict[str, str] = {}
    for settings_class in (LocalSettings, ApiSettings, MigrationsSettings, DriftMonitorSettings):
        try:
            settings_class()
        except ValidationError as error:
            for problem in problems_of(error):
                if problem.rule != "missing":
                    faults[problem.location.upper() or settings_class.__name__] = problem.message
    if faults:
        listed = "; ".join(f"{name}: {message}" for name, message in faults.items())
        raise ConfigurationError(f"{listed} (set it in the environment or in .env; see .env.example)")
    return (
        ".env and environment are well-formed" if Path(".env").exists() else "no .env; the defaults are used"
    )


def check_ports() -> str:
    """Check that the ports of `sentiment up` are free, or used by the running system."""
    from local.processes import port_is_free
    from local.settings import local_settings
    from local.state import running_owner

    settings = local_settings()
    ports = {name: getattr(settings, name.lower()) for name in ("API_PORT", "POSTGRES_PORT", "AWS_PORT")}
    if owner := running_owner(settings.up_folder):
        return f"in use by the running system (process {owner})"
    if taken := [f"{name}={port}" for name, port in ports.items() if not port_is_free(port)]:
        raise ConfigurationError(
            f"another program uses {', '.join(taken)}: stop it, or set other ports in .env"
        )
    return f"{', '.join(map(str, ports.values()))} are free"


def check_runtime() -> str:
    """Find the Lambda emulator; without it handlers run in process."""
    from local.stand_ins.lambda_runtime import emulator

    binary = emulator()
    if binary is not None:
        return f"the emulator is {binary.name}"
    if platform.system() == "Linux":
        raise ConfigurationError(
            "the Lambda emulator is not installed in .venv; run `make setup` after `make clean`"
        )
    return "no emulator on this platform: handlers run in process, cold start and memory are not real"


def check_model() -> str:
    """Verify the artifact and its checksums as the API does."""
    from functions.api.model.artifact import load_artifact
    from local.settings import local_settings

    folder = local_settings().model_dir
    if not folder.exists():
        raise ConfigurationError(f"there is no model in {folder}: run `sentiment train --quick` (4 minutes)")
    card = load_artifact(folder).card
    return f"{card.model_version} in {folder}, {len(card.files)} files match their checksums"


def check_postgres() -> str:
    """Connect to the configured Postgres, or start a temporary one as the local system does."""
    if os.environ.get("DATABASE_HOST"):
        from sentiment.database.session import DatabaseSettings, make_engine, transaction
        from sentiment.database.tables import count_rows
        from sentiment.settings import read_settings

        engine = make_engine(read_settings(DatabaseSettings))
        try:
            with transaction(engine) as session:
                predictions = count_rows(session, "prediction_logs")
            return f"{engine.url.host}:{engine.url.port} holds {predictions} predictions"
        except DatabaseError as error:
            raise DatabaseError(
                f"{error}: start it, check DATABASE_*, or run `sentiment migrate` if it has no tables"
            ) from None
        finally:
            engine.dispose()
    from local.postgres.server import running_postgres

    with (
        tempfile.TemporaryDirectory(prefix="sentiment-doctor-") as folder,
        running_postgres(Path(folder), password=os.urandom(16).hex(), durable=False),
    ):
        pass
    return "not configured; the embedded one starts"


def check_queue() -> str:
    """Reach the configured queue, or find the stand-in installed."""
    if os.environ.get("QUEUE_URL"):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        from local.stand_ins.moto_server import count_messages

        try:
            sqs = boto3.client(
                "sqs", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
            )
            found = f"{count_messages(sqs, os.environ['QUEUE_URL'])} messages waiting"
            if dead_url := os.environ.get("DEAD_LETTER_QUEUE_URL"):
                dead = count_messages(sqs, dead_url)
                found += f", {dead} in the dead-letter queue{' (see `sentiment redrive`)' if dead else ''}"
            return found
        except (BotoCoreError, ClientError) as error:
            raise QueueError(
                f"QUEUE_URL cannot be reached ({error}); check it, AWS_ENDPOINT_URL and credentials"
            ) from None
    if importlib.util.find_spec("moto") is None:
        raise ConfigurationError("moto, the stand-in for SQS, is not installed; run `make setup`")
    return "not configured; the stand-in is installed"


CHECKS: dict[str, Callable[[], str]] = {
    "python": check_python,
    "disk": check_disk,
    "settings": check_settings,
    "ports": check_ports,
    "runtime": check_runtime,
    "model": check_model,
    "postgres": check_postgres,
    "queue": check_queue,
}
