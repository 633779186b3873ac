"""The whole system on one machine: Postgres, moto, the functions, and the event source that connects them.

What differs from the cloud is only what the environment variables say. Nothing here knows what the functions
do beyond their handlers and events.
"""

import getpass
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sentiment.database.models import ModelDeployment
from sentiment.database.repositories import active_deployment, record_deployment
from sentiment.database.session import DatabaseSettings, make_engine, transaction
from sentiment.exceptions import ModelError
from sqlalchemy import Engine

from local.aws import LocalAws, running_aws
from local.event_source import EventSource
from local.gateway import invoke_api
from local.lambda_runtime import Function, FunctionSpec, emulator, start_function
from local.postgres import PostgresServer, running_postgres
from local.settings import local_settings, passed_on
from local.state import StateFolder, owned_state, write_environment
from local.steps import Steps

DRAIN_SECONDS = 15.0


@dataclass(frozen=True)
class Ports:
    """Where the stand-ins listen; None takes a free port."""

    postgres: int | None = None
    aws: int | None = None


@dataclass(frozen=True)
class System:
    """The running parts."""

    folder: Path
    card: dict[str, Any]
    deployment_id: UUID
    postgres: PostgresServer
    aws: LocalAws
    engine: Engine
    api: Function
    log_writer: Function
    source: EventSource

    def check_health(self) -> None:
        """Ask the API whether all its parts work; raises ModelError naming those that do not."""
        status, answer, _ = invoke_api(self.api, "GET", "/health")
        if status != 200:
            raise ModelError(f"the API is not healthy: {', '.join(answer.get('failing', [str(answer)]))}")


@contextmanager
def running_system(
    folder: Path,
    steps: Steps,
    *,
    model_dir: Path,
    ports: Ports = Ports(),
    visibility_seconds: int = 10,
    max_receives: int = 10,
) -> Iterator[System]:
    """Run everything for the length of the block, on a state folder that keeps its data between runs.

    On the way out the queue is drained; messages that cannot be stored (Postgres is away) are kept in the
    folder and sent again by the next run. Raises ConfigurationError when the folder or a port is in use, and
    ModelError when there is no artefact.
    """
    card = read_card(model_dir)
    with ExitStack() as stack:
        state = stack.enter_context(owned_state(folder))
        if state.leftovers:
            steps.console.print(f"[yellow]ended {state.leftovers} processes of an interrupted run[/]")
        if emulator() is None:
            steps.console.print(
                "[yellow]no Lambda emulator here: handlers run in this process; its cold start is not real[/]"
            )
        secrets = state.secrets()
        with steps.step("start Postgres"):
            postgres = stack.enter_context(
                running_postgres(
                    state.path / "postgres", password=secrets["DATABASE_PASSWORD"], port=ports.postgres
                )
            )
        with steps.step("start SQS, S3 and SNS stand-ins"):
            aws = stack.enter_context(
                running_aws(
                    state, port=ports.aws, visibility_seconds=visibility_seconds, max_receives=max_receives
                )
            )
        database = {**passed_on(), **aws.environment(), **postgres.environment()}
        with steps.step("migrate the database"):
            _call_once(
                state, FunctionSpec("migrations", _handler("migrations"), database, timeout_seconds=300)
            )
        engine = make_engine(DatabaseSettings.model_validate(_lower(postgres.environment())), pool_size=2)
        stack.callback(engine.dispose)
        deployment_id = _record_champion(engine, model_dir, card)
        with steps.step("start the functions"):
            key = local_settings().input_hash_key
            environment = {
                **passed_on(),
                **aws.environment(),
                "MODEL_DIR": str(model_dir.resolve()),
                "DEPLOYMENT_ID": str(deployment_id),
                "INPUT_HASH_KEY": key.get_secret_value() if key else secrets["INPUT_HASH_KEY"],
            }
            api = _start(stack, state, FunctionSpec("api", _handler("api"), environment))
            log_writer = _start(stack, state, FunctionSpec("log_writer", _handler("log_writer"), database))
            source = EventSource(aws.client("sqs"), aws.queue_url, log_writer)
            kept = state.path / "undelivered.jsonl"
            aws.restore_messages(kept)
            stack.callback(_stop_delivery, source, aws, kept, steps)
            source.start()
        write_environment(state.path / "system.env", aws.environment() | postgres.environment())
        stack.callback((state.path / "system.env").unlink, missing_ok=True)
        yield System(state.path, card, deployment_id, postgres, aws, engine, api, log_writer, source)


def read_card(model_dir: Path) -> dict[str, Any]:
    """Return the artefact's card; raises ModelError when there is none."""
    try:
        card: dict[str, Any] = json.loads((model_dir / "model.json").read_text())
    except FileNotFoundError:
        raise ModelError(
            f"there is no model in {model_dir}; train one with `sentiment train --quick`"
        ) from None
    except ValueError as error:
        raise ModelError(f"{model_dir / 'model.json'} is damaged ({error}); train again") from None
    return card


def _record_champion(engine: Engine, model_dir: Path, card: dict[str, Any]) -> UUID:
    """Return the id of the champion's row for this artefact, made unless it is the active one already."""
    uri = model_dir.resolve().as_uri()
    with transaction(engine) as session:
        active = active_deployment(session)
        if active is None or (active.model_version, active.artefact_uri) != (card["model_version"], uri):
            active = ModelDeployment(
                deployment_type="champion",
                model_version=card["model_version"],
                metrics=card["metrics"],
                artefact_uri=uri,
                deployed_by=_person(),
            )
            record_deployment(session, active)
        return active.id


def _call_once(state: StateFolder, spec: FunctionSpec) -> None:
    function = start_function(spec, state)
    try:
        function.invoke({"action": "upgrade"})
    finally:
        function.close()


def _start(stack: ExitStack, state: StateFolder, spec: FunctionSpec) -> Function:
    function = start_function(spec, state)
    stack.callback(function.close)
    return function


def _stop_delivery(source: EventSource, aws: LocalAws, kept: Path, steps: Steps) -> None:
    with suppress(KeyboardInterrupt), steps.step("store what is still queued"):
        source.drain(DRAIN_SECONDS)
    source.stop()
    if count := aws.keep_messages(kept):
        steps.console.print(
            f"[yellow]{count} messages are not stored yet: kept in {kept} for the next start[/]"
        )


def _handler(function: str) -> str:
    return f"functions.{function}.handler.handler"


def _lower(environment: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in environment.items()}


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
