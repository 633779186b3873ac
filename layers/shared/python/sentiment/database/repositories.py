"""Everything that is asked of the five tables. Each function takes the caller's session and never commits.

Values travel as parameters and names come from the models, so no SQL is ever built from a caller's text. A
batch's rows go to Postgres as one JSON parameter: the driver is pure Python, and encoding each value on its
own was six times slower (`python -m benchmarks.log_writer`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Table, Text, Uuid, cast, column, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSON, Insert, insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias

from sentiment.database.history import TRAFFIC_DATASET, WINDOW_SPLIT
from sentiment.database.models import (
    DatasetMetric,
    ExperimentRun,
    ModelDeployment,
    MonitoringAlert,
    PredictionLog,
    Record,
)
from sentiment.exceptions import UnknownNameError
from sentiment.messages import FeedbackGiven, PredictionMade, TrafficCounted

MessageT = TypeVar("MessageT", PredictionMade, FeedbackGiven)
_predictions = TypeAdapter(Sequence[PredictionMade])
_feedback = TypeAdapter(Sequence[FeedbackGiven])


def store_predictions(session: Session, predictions: Sequence[PredictionMade]) -> None:
    """Insert the predictions in one statement, skipping ids that are stored already.

    They are inserted in the order of their ids, so that concurrent writers never wait in circles.
    """
    if not predictions:
        return
    columns = [c for c in PredictionLog.__table__.columns if not c.name.startswith("feedback_")]
    fields = {c.name: "prediction_id" if c.name == "id" else c.name for c in columns}
    storable = [_storable(prediction, "text") for prediction in predictions]
    rows = _recordset(_predictions.dump_json(storable), {fields[c.name]: c.type for c in columns})
    statement = (
        insert(PredictionLog)
        .from_select(list(fields), select(*rows.c).order_by(rows.c.prediction_id))
        .on_conflict_do_nothing(index_elements=[PredictionLog.id])
    )
    session.execute(statement)


def store_feedback(session: Session, feedback: Sequence[FeedbackGiven]) -> set[UUID]:
    """Write each prediction's latest feedback unless a later one is stored; return the unknown ids."""
    if not feedback:
        return set()
    latest = {given.prediction_id: given for given in sorted(feedback, key=lambda given: given.given_at)}
    log = PredictionLog
    storable = [_storable(given, "label", "comment") for given in latest.values()]
    new = _recordset(
        _feedback.dump_json(storable),
        {
            "prediction_id": Uuid(),
            "label": log.feedback_label.type,
            "comment": log.feedback_comment.type,
            "given_at": log.feedback_at.type,
        },
    )
    statement = (
        update(log)
        .where(log.id == new.c.prediction_id)
        .where(or_(log.feedback_at.is_(None), log.feedback_at < new.c.given_at))
        .values(feedback_label=new.c.label, feedback_comment=new.c.comment, feedback_at=new.c.given_at)
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)
    return set(latest) - stored_ids(session, latest)


def store_traffic(session: Session, counts: Sequence[TrafficCounted]) -> None:
    """Write what the API counted in each span of time; counting a span again replaces what was written."""
    for counted in counts:
        figures = counted.model_dump(mode="json", exclude={"type"})
        record_dataset_metrics(
            session,
            dataset=TRAFFIC_DATASET,
            fingerprint=f"{counted.since.isoformat()} {counted.until.isoformat()}",
            split=WINDOW_SPLIT,
            rows=counted.predictions,
            metrics=figures,
        )


def stored_ids(session: Session, ids: Mapping[UUID, Any] | Sequence[UUID]) -> set[UUID]:
    """Return those of the ids that are stored."""
    return set(session.scalars(select(PredictionLog.id).where(PredictionLog.id.in_(list(ids)))))


def count_rows(session: Session, table_name: str) -> int:
    """Return the number of rows; raises UnknownNameError when the models have no such table."""
    return session.scalar(select(func.count()).select_from(table_named(table_name))) or 0


def rows_of(
    session: Session, table_name: str, *, columns: Sequence[str] | None = None, page_rows: int = 1000
) -> Iterator[dict[str, Any]]:
    """Yield a table's rows by key, read page by page, with the columns asked for or all.

    Raises UnknownNameError, before anything is read, for a table or column that the models do not define.
    """
    table = table_named(table_name)
    if unknown := sorted(set(columns or ()) - set(table.columns.keys())):
        raise UnknownNameError(
            f"{table.name} has no column {unknown[0]!r}; it has {', '.join(table.columns.keys())}"
        )
    (key,) = table.primary_key
    wanted = [table.columns[name] for name in columns] if columns is not None else list(table.columns)

    def pages(last: object = None) -> Iterator[dict[str, Any]]:
        while True:
            query = select(key.label("page_key"), *wanted).order_by(key).limit(page_rows)
            rows = session.execute(query if last is None else query.where(key > last)).all()
            for row in rows:
                yield dict(zip((c.name for c in wanted), row[1:], strict=True))
            if len(rows) < page_rows:
                return
            last = rows[-1][0]

    return pages()


def table_named(name: str) -> Table:
    """Return the models' table of that name; raises UnknownNameError for any other text."""
    try:
        return Record.metadata.tables[name]
    except KeyError:
        tables = ", ".join(sorted(Record.metadata.tables))
        raise UnknownNameError(f"there is no table {name!r}; there are {tables}") from None


def record_deployment(session: Session, deployment: ModelDeployment) -> None:
    """Add the deployment as its type's active one and retire the one before, in the caller's transaction.

    A champion also retires the candidate that it was. Of two at the same time the later fails on the unique
    index, and is safe to repeat.
    """
    superseded = ModelDeployment.deployment_type == deployment.deployment_type
    if deployment.deployment_type == "champion":
        superseded |= (ModelDeployment.deployment_type == "candidate") & (
            ModelDeployment.model_version == deployment.model_version
        )
    session.execute(
        update(ModelDeployment)
        .where(superseded, ModelDeployment.is_active)
        .values(is_active=False, retired_at=func.now())
    )
    session.add(deployment)
    session.flush()


def active_deployment(session: Session, deployment_type: str = "champion") -> ModelDeployment | None:
    """Return the deployment of that type that takes traffic now."""
    query = select(ModelDeployment).where(
        ModelDeployment.deployment_type == deployment_type, ModelDeployment.is_active
    )
    return session.scalar(query)


def record_experiment_run(session: Session, **values: Any) -> None:
    """Store a run of MLflow, or bring the stored one up to date; keywords are ExperimentRun's columns."""
    session.execute(_upsert(ExperimentRun, [ExperimentRun.run_id], values))


def record_dataset_metrics(session: Session, **values: Any) -> UUID:
    """Store what a split looks like, once per fingerprint and split, and return the row's id.

    Keywords are DatasetMetric's columns.
    """
    statement = _upsert(DatasetMetric, [DatasetMetric.fingerprint, DatasetMetric.split], values)
    return session.scalars(statement.returning(DatasetMetric.id)).one()


def raise_alert(
    session: Session,
    *,
    kind: str,
    cause: str,
    severity: str,
    message: str,
    details: Mapping[str, Any],
    at: datetime | None = None,
) -> MonitoringAlert:
    """Open an alert, or bring the open one of the same kind and cause up to date, and return it.

    `at` is when it was found, now unless given; here and below, whoever judges a span of time gives its end.
    """
    seen_at = at or func.now()
    new = {"severity": severity, "message": message, "details": dict(details), "seen_at": seen_at}
    statement = (
        insert(MonitoringAlert)
        .values(kind=kind, cause=cause, raised_at=seen_at, **new)
        .on_conflict_do_update(
            index_elements=[MonitoringAlert.kind, MonitoringAlert.cause],
            index_where=MonitoringAlert.resolved_at.is_(None),
            set_=new,
        )
        .returning(MonitoringAlert)
    )
    return session.scalars(statement, execution_options={"populate_existing": True}).one()


def resolve_alert(session: Session, *, kind: str, cause: str, at: datetime | None = None) -> None:
    """Close the open alert of that kind and cause, if there is one."""
    session.execute(
        update(MonitoringAlert)
        .where(
            MonitoringAlert.kind == kind,
            MonitoringAlert.cause == cause,
            MonitoringAlert.resolved_at.is_(None),
        )
        .values(resolved_at=at or func.now())
    )


def mark_notified(session: Session, alert_id: UUID, *, at: datetime | None = None) -> None:
    """Remember that people were told of the alert, and how severe it was."""
    session.execute(
        update(MonitoringAlert)
        .where(MonitoringAlert.id == alert_id)
        .values(notified_at=at or func.now(), notified_severity=MonitoringAlert.severity)
    )


def last_told(session: Session, *, kind: str, cause: str) -> MonitoringAlert | None:
    """Return the alert of that kind and cause, open or over, that people were told of last."""
    query = (
        select(MonitoringAlert)
        .where(
            MonitoringAlert.kind == kind,
            MonitoringAlert.cause == cause,
            MonitoringAlert.notified_at.is_not(None),
        )
        .order_by(MonitoringAlert.notified_at.desc())
        .limit(1)
    )
    return session.scalar(query)


def open_alerts(session: Session) -> Sequence[MonitoringAlert]:
    """Return the alerts that nobody has resolved, oldest first."""
    query = (
        select(MonitoringAlert)
        .where(MonitoringAlert.resolved_at.is_(None))
        .order_by(MonitoringAlert.raised_at)
    )
    return session.scalars(query).all()


def _recordset(array: bytes, columns: Mapping[str, Any]) -> TableValuedAlias:
    """Read a JSON array of objects, sent as one parameter, as rows with columns of those names and types."""
    rows = cast(literal(array.decode(), Text), JSON)
    typed = [column(name, type_) for name, type_ in columns.items()]
    return func.json_to_recordset(rows).table_valued(*typed).render_derived(with_types=True)


def _storable(message: MessageT, *fields: str) -> MessageT:
    """Replace NUL, which JSON may carry and Postgres cannot store, with the replacement character."""
    texts = {name: getattr(message, name) for name in fields}
    mended = {name: text.replace("\0", "\ufffd") for name, text in texts.items() if text and "\0" in text}
    return message.model_copy(update=mended) if mended else message


def _upsert(model: type[Record], key: Sequence[Any], values: Mapping[str, Any]) -> Insert:
    return insert(model).values(**values).on_conflict_do_update(index_elements=key, set_=dict(values))
