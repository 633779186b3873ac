"""Writes predictions, feedback and traffic counts from SQS to Postgres.

A message leaves the queue only after its fact is committed. An invalid message is reported alone, and SQS's
redrive policy moves it to the dead-letter queue; if Postgres is unavailable, the whole batch is retried.
Alarms watch the queues; this function sends no notifications.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError
from sentiment.database.session import make_engine, transaction
from sentiment.exceptions import InvalidInputError, SentimentError
from sentiment.logging import logger
from sentiment.messages import parse_message
from sentiment.validation import problems_of
from sqlalchemy import Engine

from functions.log_writer.batch import Facts, store
from functions.log_writer.settings import settings


@cache
def engine() -> Engine:
    """Create this instance's connection pool."""
    return make_engine(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Store a batch and return the messages to retry.

    Raises DatabaseError if Postgres is unavailable: Lambda then backs off and the whole batch stays queued.
    """
    facts, errors = _read(event["Records"])
    if facts:
        with transaction(engine()) as session:
            not_stored = store(session, facts)
        errors |= not_stored

    def raise_error(record: SQSRecord) -> None:
        if error := errors.get(record.message_id):
            raise error

    log = logger("log_writer")
    for message_id, error in errors.items():
        log.warning("message not stored", message_id=message_id, error=error.code, reason=str(error))
    log.info("batch stored", messages=len(event["Records"]), failed=len(errors))
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(
        event=event, record_handler=raise_error, processor=processor, context=context
    )


def _read(records: list[dict[str, Any]]) -> tuple[Facts, dict[str, SentimentError]]:
    """Parse the messages; errors name fields and rules, never values."""
    facts: Facts = {}
    errors: dict[str, SentimentError] = {}
    for record in records:
        try:
            facts[record["messageId"]] = parse_message(record["body"])
        except ValidationError as error:
            # pydantic's messages may quote values, and deeper paths contain keys of the input.
            problems = (f"{'.'.join(found.path[:2]) or 'body'}: {found.rule}" for found in problems_of(error))
            errors[record["messageId"]] = InvalidInputError(f"invalid message: {'; '.join(problems)}")
    return facts, errors
