"""The whole system on one machine: Postgres, moto, the functions, and the event source that connects them.

What differs from the cloud is only what the environment variables say. Nothing here knows what the functions
do beyond their handlers and events.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sentiment.database.session import DatabaseSettings, make_engine
from sentiment.exceptions import ModelError
from sqlalchemy import Engine

from local import functions
from local.deployment import read_card, record_champion
from local.postgres.external import reach, variables
from local.postgres.server import PostgresServer, running_postgres
from local.processes import ProcessRegister
from local.settings import local_settings, passed_on
from local.stand_ins.aws import LocalAws, running_aws
from local.stand_ins.event_source import EventSource
from local.stand_ins.gateway import invoke_api
from local.stand_ins.lambda_runtime import Function, FunctionSpec, emulator, start_function
from local.stand_ins.notifications import Notices
from local.stand_ins.traffic_counter import TrafficCounter
from local.state import StateFolder, owned_state, write_environment
from local.steps import Steps

DRAIN_SECONDS = 15.0
MAIL = "mail"


@dataclass(frozen=True)
class Ports:
    """Where the stand-ins listen; None takes a free port."""

    postgres: int | None = None
    aws: int | None = None


@dataclass(frozen=True)
class System:
    """The running parts."""

    folder: Path
    processes: ProcessRegister
    model_dir: Path
    card: dict[str, Any]
    deployment_id: UUID
    postgres: PostgresServer | None  # None: somebody else's is used
    database: dict[str, str]  # the variables from which functions reach it
    aws: LocalAws
    engine: Engine
    api: Function
    log_writer: Function
    reports: Function
    drift_monitor: Function
    source: EventSource
    notices: EventSource
    traffic: TrafficCounter

    @property
    def mail(self) -> Path:
        """Return the folder with everything that people were told by mail."""
        return self.folder / MAIL

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
    external: DatabaseSettings | None = None,
    slack_webhook_url: str | None = None,
    judgement: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[System]:
    """Run everything for the length of the block, on a state folder that keeps its data between runs.

    `external` names a Postgres to use in place of one of our own, `judgement` holds settings of the drift
    monitor. A process starts with its function's first call, so one that is never called costs 20 ms.

    On the way out the queue is drained; messages that cannot be stored (Postgres is away) are kept in the
    folder and sent again by the next run. Raises ConfigurationError when the folder or a port is in use, and
    ModelError when there is no artifact.
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
        postgres, database = _database(stack, state, steps, ports, secrets["DATABASE_PASSWORD"], external)
        with steps.step("start AWS stand-ins"):
            aws = stack.enter_context(
                running_aws(
                    state,
                    port=ports.aws,
                    visibility_seconds=visibility_seconds,
                    slack_webhook_url=slack_webhook_url,
                    trains={**passed_on(), **judgement}.get("ON_DRIFT") == "retrain",
                )
            )
        with steps.step("migrate the database"):
            _call_once(state, functions.migrations(aws, database))
        engine = make_engine(DatabaseSettings.model_validate(_lower(database)), pool_size=2)
        stack.callback(engine.dispose)
        deployment_id = record_champion(engine, model_dir, card)
        with steps.step("start the functions"):
            key = local_settings().input_hash_key
            hash_key = key.get_secret_value() if key else secrets["INPUT_HASH_KEY"]
            api = _start(stack, state, functions.api(aws, model_dir, deployment_id, hash_key))
            log_writer = _start(stack, state, functions.log_writer(aws, database))
            reports = _start(stack, state, functions.reports(aws, database, model_dir))
            drift_monitor = _start(stack, state, functions.drift_monitor(aws, database, model_dir, judgement))
            slack = _start(stack, state, functions.slack_notifier(aws)) if slack_webhook_url else None
            sqs = aws.client("sqs")
            source = EventSource(sqs, aws.queue_url, log_writer)
            notices = EventSource(
                sqs, aws.alert_queue_url, Notices(state.path / MAIL, slack), batch_size=1, window_seconds=0
            )
            kept = state.path / "undelivered.jsonl"
            aws.restore_messages(kept)
            stack.callback(_stop_delivery, source, notices, aws, kept, steps)
            source.start()
            notices.start()
            traffic = TrafficCounter(api, sqs, aws.queue_url)
            stack.callback(traffic.stop)
        own = {**aws.environment(), **database, **judgement, "MODEL_DIR": str(model_dir.resolve())}
        write_environment(state.path / "system.env", own)
        stack.callback((state.path / "system.env").unlink, missing_ok=True)
        yield System(
            folder=state.path,
            processes=state.processes,
            model_dir=model_dir,
            card=card,
            deployment_id=deployment_id,
            postgres=postgres,
            database=database,
            aws=aws,
            engine=engine,
            api=api,
            log_writer=log_writer,
            reports=reports,
            drift_monitor=drift_monitor,
            source=source,
            notices=notices,
            traffic=traffic,
        )


def _database(
    stack: ExitStack,
    state: StateFolder,
    steps: Steps,
    ports: Ports,
    password: str,
    external: DatabaseSettings | None,
) -> tuple[PostgresServer | None, dict[str, str]]:
    if external is not None:
        with steps.step(f"reach Postgres at {external.database_host}:{external.database_port}"):
            reach(external)
        return None, variables(external)
    with steps.step("start Postgres"):
        postgres = stack.enter_context(
            running_postgres(state.path / "postgres", password=password, port=ports.postgres)
        )
    return postgres, postgres.environment()


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


def _stop_delivery(
    source: EventSource, notices: EventSource, aws: LocalAws, kept: Path, steps: Steps
) -> None:
    with suppress(KeyboardInterrupt), steps.step("store what is still queued"):
        source.drain(DRAIN_SECONDS)
        notices.drain(DRAIN_SECONDS)
    source.stop()
    notices.stop()
    if count := aws.keep_messages(kept):
        steps.console.print(
            f"[yellow]{count} messages are not delivered yet: kept in {kept} for the next start[/]"
        )


def _lower(environment: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in environment.items()}
