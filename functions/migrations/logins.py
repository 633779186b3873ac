"""Creates a database login for each function that uses Postgres, with least privilege.

Grants cover the five tables only: partitions are accessed through their parent, Alembic's table is not
granted, and no login can create, drop or truncate a table. On RDS they log in with IAM tokens only; elsewhere
the roles have no password and cannot be used until they get one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from sentiment.database.models import Record
from sqlalchemy import Connection, text

Login = Literal["log_writer", "reports", "drift_monitor", "registrar"]
LOGINS: tuple[Login, ...] = get_args(Login)
IAM_ROLE = "rds_iam"  # exists on RDS; members log in with a token and never with a password
ALL_TABLES = tuple(sorted(Record.metadata.tables))


@dataclass(frozen=True)
class Grants:
    """The tables a login may select from, insert into and update (only the listed columns; empty: all)."""

    reads: tuple[str, ...]
    inserts: tuple[str, ...] = ()
    updates: dict[str, tuple[str, ...]] = field(default_factory=dict)


GRANTS: dict[Login, Grants] = {
    "log_writer": Grants(
        reads=("prediction_logs", "dataset_metrics"),
        inserts=("prediction_logs", "dataset_metrics"),
        updates={
            "prediction_logs": ("feedback_label", "feedback_comment", "feedback_at"),
            "dataset_metrics": (),  # a span of traffic may be counted again
        },
    ),
    "reports": Grants(reads=ALL_TABLES),
    "drift_monitor": Grants(
        reads=ALL_TABLES,
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
    """Create missing logins and give each exactly its grants, in the caller's transaction.

    Safe to repeat, and called after each migration: additional grants of an earlier version are revoked.
    """
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    iam = connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": IAM_ROLE})
    statements = [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",  # granted per login below
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    ]
    for login in logins:
        statements += [
            _create(login),
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {login}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {login}",
            f"GRANT CONNECT ON DATABASE {database} TO {login}",
            f"GRANT USAGE ON SCHEMA public TO {login}",
            *_grants(login),
        ]
        if iam:
            statements.append(f"GRANT {IAM_ROLE} TO {login}")
    for statement in statements:
        connection.execute(text(statement))


def _create(login: Login) -> str:
    # Roles belong to the whole server: another database's migration may create the same one concurrently.
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
