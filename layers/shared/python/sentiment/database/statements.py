"""SQL building blocks that the query modules share.

Values are bound as parameters and names come from the models, so SQL never contains a caller's text. A
batch's rows are sent as one JSON parameter: the driver is pure Python, and encoding each value separately was
six times slower (`python -m benchmarks.database.log_writer`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, Text, cast, column, func, literal, tuple_
from sqlalchemy.dialects.postgresql import JSON, Insert, insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias

from sentiment.database.models import Record
from sentiment.exceptions import InvalidInputError

MessageT = TypeVar("MessageT", bound=BaseModel)


def recordset(array: bytes, columns: Mapping[str, Any]) -> TableValuedAlias:
    """Return a JSON array of objects, sent as one parameter, as a table with these columns and types."""
    rows = cast(literal(array.decode(), Text), JSON)
    typed = [column(name, type_) for name, type_ in columns.items()]
    return func.json_to_recordset(rows).table_valued(*typed).render_derived(with_types=True)


def replace_nul(message: MessageT, *fields: str) -> MessageT:
    """Replace NUL, which JSON allows but Postgres cannot store, with the replacement character."""
    texts = {name: getattr(message, name) for name in fields}
    cleaned = {name: text.replace("\0", "\ufffd") for name, text in texts.items() if text and "\0" in text}
    return message.model_copy(update=cleaned) if cleaned else message


def upsert(model: type[Record], key: Sequence[Any], values: Mapping[str, Any]) -> Insert:
    """Insert a row, or update the columns of the row that has the same key."""
    return insert(model).values(**values).on_conflict_do_update(index_elements=key, set_=dict(values))


def page(
    session: Session, query: Select[Any], table: Any, time: Any, limit: int, before: UUID | None
) -> Select[Any]:
    """Order by time, newest first, after the row `before`; raises InvalidInputError if it is missing."""
    if before is not None:
        last = session.get(table, before)
        if last is None:
            raise InvalidInputError("before: no such row; use the next_before of the previous page")
        query = query.where(tuple_(time, table.id) < (getattr(last, time.key), before))
    return query.order_by(time.desc(), table.id.desc()).limit(limit)
