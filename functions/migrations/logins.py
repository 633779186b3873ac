"""Makes the logins of the functions that reach Postgres, each with the least it needs.

Nothing is granted beyond the five tables: not on partitions, which are reached through their parent, not on
Alembic's own table, and nothing lets a login make, drop or empty a table. On RDS they log in by IAM token
only; elsewhere the roles have no password and so stay unused until somebody gives them one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from sentiment.database.models import Record
from sqlalchemy import Connection, text

Login = Literal["log_writer", "reports", "drift_monitor", "registrar"]
LOGINS: tuple[Login, ...] = get_args(Login)
IAM_ROLE = "rds_iam"  # exists on RDS; whoever has it logs in by token and never by password
EVERYTHING = tuple(sorted(Record.metadata.tables))


@dataclass(frozen=True)
class Grants:
    """The tables a login may read, add rows to, and change: all columns of a row, or only those named."""

    reads: tuple[str, ...]
    inserts: tuple[str, ...] = ()
    updates: dict[str, tuple[str, ...]] = field(default_factory=dict)


GRANTS: dict[Login, Grants] = {
    "log_writer": Grants(
        reads=("prediction_logs", "dataset_metrics"),
        inserts=("prediction_logs", "dataset_metrics"),
        updates={
            "prediction_logs": ("feedback_label", "feedback_comment", "feedback_at"),
            "dataset_metrics": (),  # what the API counted in a span of time may be counted again
        },
    ),
    "reports": Grants(reads=EVERYTHING),
    "drift_monitor": Grants(
        reads=EVERYTHING,
        inserts=("monitoring_alerts", "dataset_metrics"),
        updates={"monitoring_alerts": (), "dataset_metrics": ()},
    ),
    "registrar": Grants(
        reads=("experiment_runs", "model_deployments", "dataset_metrics"),
        inserts=("experiment_runs", "model_deployments", "dataset_metrics"),
        updates={
            "experiment_runs": (),
            "model_deployments": ("is_active", "retired_at"),  # the rest of a row is history
            "dataset_metrics": (),
        },
    ),
}


def refresh_logins(connection: Connection, logins: Sequence[Login] = LOGINS) -> None:
    """Make the logins that are missing and give each exactly its grants, in the caller's transaction.

    Safe to repeat, and to be called after each migration: what an earlier version granted beyond that is
    taken back.
    """
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    iam = connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": IAM_ROLE})
    run = [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",  # who connects is said below
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    ]
    for login in logins:
        run += [
            _create(login),
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {login}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {login}",
            f"GRANT CONNECT ON DATABASE {database} TO {login}",
            f"GRANT USAGE ON SCHEMA public TO {login}",
            *_grants(login),
        ]
        if iam:
            run.append(f"GRANT {IAM_ROLE} TO {login}")
    for statement in run:
        connection.execute(text(statement))


def _create(login: Login) -> str:
    # Roles belong to the whole server: another database's migration may make the same one at this moment.
    return (
        f"DO $$ BEGIN CREATE ROLE {login} LOGIN; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )


def _grants(login: Login) -> list[str]:
    grants = GRANTS[login]
    statements = [f"GRANT SELECT ON {', '.join(grants.reads)} TO {login}"]
    if grants.inserts:
        statements.append(f"GRANT INSERT ON {', '.join(grants.inserts)} TO {login}")
    for table, columns in grants.updates.items():
        what = f"UPDATE ({', '.join(columns)})" if columns else "UPDATE"
        statements.append(f"GRANT {what} ON {table} TO {login}")
    return statements
