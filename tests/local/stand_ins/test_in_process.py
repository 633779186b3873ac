"""A handler called in this process gets JSON and a context, and its output is kept apart from results."""

import io
from typing import Any

import pytest

from local.stand_ins.in_process import call_in_process


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    print("a log line")
    return {
        "event": event,
        "function": context.function_name,
        "arn": context.invoked_function_arn,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "pair": (1, 2),
    }


handler.__module__ = "functions.echo.handler"


def test_event_and_response_pass_through_json() -> None:
    response = call_in_process(handler, {"pair": (1, 2)})
    assert response["event"] == {"pair": [1, 2]}
    assert response["pair"] == [1, 2]
    with pytest.raises(TypeError, match="not JSON serializable"):
        call_in_process(handler, {"not": object()})


def test_the_context_has_the_name_of_the_function_and_the_remaining_time() -> None:
    response = call_in_process(handler, {}, timeout_seconds=5)
    assert response["function"] == "echo"
    assert response["arn"].endswith(":function:echo")
    assert 4000 < response["remaining_ms"] <= 5000
    assert call_in_process(handler, {}, name="other")["function"] == "other"


def test_output_goes_to_standard_error_or_to_the_given_file(capsys: pytest.CaptureFixture[str]) -> None:
    call_in_process(handler, {})
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a log line\n")
    output = io.StringIO()
    call_in_process(handler, {}, output=output)
    assert output.getvalue() == "a log line\n"
    assert capsys.readouterr() == ("", "")
