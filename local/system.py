"""The whole system on one machine: Postgres, moto, the functions, and the event sources that connect them.

It differs from AWS only in the values of environment variables. Nothing here knows more of the functions than
their handlers and events.
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

from local import function_specs
from local.deployment import read_card, record_champion
from local.logs import shown_warnings
from local.postgres.external import environment_of, wait_for
from local.postgres.server import PostgresServer, running_postgres
from local.processes import ProcessRegister
from local.progress import Steps
from local.settings import function_settings, local_settings
from local.stand_ins.event_source import EventSource
from local.stand_ins.gateway import invoke_api
from local.stand_ins.lambda_runtime import Function, FunctionSpec, emulator, start_function
from local.stand_ins.moto_server import LocalAws, running_aws
from local.stand_ins.sns_delivery import SnsDelivery
from local.stand_ins.traffic_counter import TrafficCounter
from local.state import StateFolder, owned_state, write_environment

DRAIN_SECONDS = 15.0
MAIL_FOLDER = "mail"


@dataclass(frozen=True)
class Ports:
    """The ports of the stand-ins; None uses a free port."""

    postgres: int | None = None
    aws: int | None = None


@dataclass(frozen=True)
class System:
    """The running system."""

    folder: Path
    processes: ProcessRegister
    model_dir: Path
    card: dict[str, Any]
    deployment_id: UUID
    postgres: PostgresServer | None  # None: an external one is used
    database: dict[str, str]  # the variables with which functions connect to it
    aws: LocalAws
    engine: Engine
    api: Function
    log_writer: Function
    reports: Function
    drift_monitor: Function
    event_source: EventSource  # from the queue to the log writer
    alert_source: EventSource  # from the alert topic to email and Slack
    traffic_counter: TrafficCounter

    @property
    def mail_folder(self) -> Path:
        """Return the folder with the emails that were sent."""
        return self.folder / MAIL_FOLDER

    def check_health(self) -> None:
        """Check the API's /health; raises ModelError that names the failing checks."""
        status, health, _ = invoke_api(self.api, "GET", "/health")
        if status != 200:
            raise ModelError(f"the API is not healthy: {', '.join(health.get('failing', [str(health)]))}")


@contextmanager
def running_system(
    folder: Path,
    steps: Steps,
    *,
    model_dir: Path,
    ports: Ports = Ports(),
    external: DatabaseSettings | None = None,
    slack_webhook_url: str | None = None,
    monitor_settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[System]:
    """Run the system while the block runs, on a state folder that keeps its data between runs.

    `external` is a Postgres to use instead of the embedded one; `monitor_settings` override the drift
    monitor's settings. A handler's process starts with its first call, so an unused function costs 20 ms.

    At the end the queues are drained; undelivered messages are saved in the folder and sent by the next run.
    Raises ConfigurationError when the folder or a port is in use, and ModelError when there is no artifact.
    """
    card = read_card(model_dir)
    with ExitStack() as stack:
        state = stack.enter_context(owned_state(folder))
        if state.leftovers:
            steps.console.print(f"[yellow]ended {state.leftovers} processes of an interrupted run[/]")
        stack.enter_context(shown_warnings())
        if emulator() is None:
            steps.console.print(
                "[yellow]no Lambda emulator: handlers run in this process, cold starts are not real[/]"
            )
        secrets = state.secrets()
        postgres, database = _database(stack, state, steps, ports, secrets["DATABASE_PASSWORD"], external)
        with steps.step("start AWS stand-ins"):
            aws = stack.enter_context(
                running_aws(
                    state,
                    port=ports.aws,
                    slack_webhook_url=slack_webhook_url,
                    with_state_machine={**function_settings(), **monitor_settings}.get("ON_DRIFT")
                    == "retrain",
                )
            )
        with steps.step("migrate the database"):
            _invoke_once(state, function_specs.migrations(aws, database))
        engine = make_engine(DatabaseSettings.model_validate(_lower(database)), pool_size=2)
        stack.callback(engine.dispose)
        deployment_id = record_champion(engine, model_dir, card)
        with steps.step("start the functions"):
            key = local_settings().input_hash_key
            hash_key = key.get_secret_value() if key else secrets["INPUT_HASH_KEY"]
            api = _start(stack, state, function_specs.api(aws, model_dir, deployment_id, hash_key))
            log_writer = _start(stack, state, function_specs.log_writer(aws, database))
            reports = _start(stack, state, function_specs.reports(aws, database, model_dir))
            drift_monitor = _start(
                stack, state, function_specs.drift_monitor(aws, database, model_dir, monitor_settings)
            )
            slack = _start(stack, state, function_specs.slack_notifier(aws)) if slack_webhook_url else None
            sqs = aws.client("sqs")
            event_source = EventSource(sqs, aws.queue_url, log_writer)
            delivery = SnsDelivery(state.path / MAIL_FOLDER, slack)
            alert_source = EventSource(sqs, aws.alert_queue_url, delivery, batch_size=1, window_seconds=0)
            undelivered = state.path / "undelivered.jsonl"
            aws.restore_messages(undelivered)
            stack.callback(_stop_delivery, event_source, alert_source, aws, undelivered, steps)
            event_source.start()
            alert_source.start()
            traffic_counter = TrafficCounter(api, sqs, aws.queue_url)
            stack.callback(traffic_counter.stop)
        environment = {
            **aws.environment(),
            **database,
            **monitor_settings,
            "MODEL_DIR": str(model_dir.resolve()),
        }
        write_environment(state.path / "system.env", environment)
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
            event_source=event_source,
            alert_source=alert_source,
            traffic_counter=traffic_counter,
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
        with steps.step(f"connect to Postgres at {external.database_host}:{external.database_port}"):
            wait_for(external)
        return None, environment_of(external)
    with steps.step("start Postgres"):
        postgres = stack.enter_context(
            running_postgres(state.path / "postgres", password=password, port=ports.postgres)
        )
    return postgres, postgres.environment()


def _invoke_once(state: StateFolder, spec: FunctionSpec) -> None:
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
    event_source: EventSource, alert_source: EventSource, aws: LocalAws, undelivered: Path, steps: Steps
) -> None:
    with suppress(KeyboardInterrupt), steps.step("drain the queues"):
        event_source.drain(DRAIN_SECONDS)
        alert_source.drain(DRAIN_SECONDS)
    event_source.stop()
    alert_source.stop()
    if count := aws.save_messages(undelivered):
        steps.console.print(
            f"[yellow]{count} messages are not delivered: saved to {undelivered} for the next run[/]"
        )


def _lower(environment: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in environment.items()}
