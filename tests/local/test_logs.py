"""The local system's log records have the fields of CONTRIBUTING, and its warnings are readable."""

import logging

import pytest
from botocore.exceptions import ClientError

from local.logs import error_fields, shown_warnings

REJECTED = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "SendMessage")


def test_an_error_is_its_class_or_the_code_of_the_service() -> None:
    assert error_fields(ValueError("no rows")) == {"error": "ValueError", "reason": "no rows"}
    assert error_fields(REJECTED)["error"] == "Throttling"
    assert "Rate exceeded" in error_fields(REJECTED)["reason"]


def test_a_warning_is_shown_with_its_reason_while_the_system_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("local.stand_ins.example")
    with shown_warnings():
        logger.warning("queue not reached", extra=error_fields(REJECTED))
        logger.warning("handled messages not deleted")
        first, second = capsys.readouterr().err.splitlines()
    assert "queue not reached: An error occurred (Throttling)" in first
    assert second.endswith("handled messages not deleted")
    logger.warning("after the system")
    assert "after the system" not in capsys.readouterr().err
