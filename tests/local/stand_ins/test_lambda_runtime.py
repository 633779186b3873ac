import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.processes import is_alive
from local.stand_ins.lambda_runtime import (
    EmulatedFunction,
    FunctionError,
    FunctionSpec,
    InProcessFunction,
    emulator,
)
from local.state import StateFolder

needs_emulator = pytest.mark.skipif(emulator() is None, reason="the emulator is not installed here")


@needs_emulator
def test_a_function_receives_its_event_and_only_its_own_environment(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    response = start("echo", memory_mb=1024, GREETING="hello").invoke({"é": [1, 2.5, None]})
    assert response["event"] == {"é": [1, 2.5, None]}
    assert response["memory_mb"] == "1024"
    assert response["environment"]["GREETING"] == "hello"
    assert "SECRET_OF_THE_CALLER" not in response["environment"]


@needs_emulator
def test_concurrent_calls_wait_for_one_instance(start: Any) -> None:
    function = start("echo")
    responses: list[Any] = []
    threads = [
        threading.Thread(target=lambda i=i: responses.append(function.invoke({"i": i}))) for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(response["event"]["i"] for response in responses) == list(range(20))
    assert len({response["pid"] for response in responses}) == 1


@needs_emulator
def test_every_kind_of_failure_raises_and_the_next_call_works(start: Any) -> None:
    function = start("fail_on_request", timeout_seconds=1)
    for what, message in [
        ("raise", "fail_on_request: ValueError: invalid value"),
        ("sleep", "fail_on_request: Task timed out after 1.00 seconds"),
        ("die", "fail_on_request: Runtime.ExitError: .*exit status 3"),
    ]:
        with pytest.raises(FunctionError, match=message):
            function.invoke({"do": what})
        assert function.invoke({}) == {"fine": True}


@needs_emulator
def test_an_emulator_that_was_killed_is_replaced(start: Any) -> None:
    function = start("fail_on_request")
    assert isinstance(function, EmulatedFunction)
    psutil.Process(function._process.pid).kill()
    with pytest.raises(FunctionError, match="the emulator crashed"):
        function.invoke({})
    assert function.invoke({}) == {"fine": True}


@needs_emulator
def test_a_handler_that_cannot_be_imported_is_named(start: Any) -> None:
    with pytest.raises(FunctionError, match="no_such_handler"):
        start("no_such_handler").invoke({})


@needs_emulator
def test_cold_start_and_memory_are_measured(start: Any) -> None:
    function = start("echo")
    assert function.cold_start_ms is None
    function.invoke({})
    cold = function.cold_start_ms
    assert cold is not None
    assert 5 < cold < 5000
    function.invoke({})
    assert function.cold_start_ms == cold
    assert 10 < function.peak_memory_mb() < 200


@needs_emulator
def test_closing_leaves_no_process_behind(start: Any) -> None:
    function = start("echo")
    runtime = psutil.Process(function.invoke({})["pid"])
    function.close()
    assert not is_alive(runtime)


def test_without_the_emulator_the_handler_runs_in_this_process(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    spec = FunctionSpec("echo", "handlers.echo", {"GREETING": "hello"})
    for variable in spec.runtime_environment():
        monkeypatch.setenv(variable, "")  # so that monkeypatch restores them
    function = InProcessFunction(spec, state)
    response = function.invoke({"a": 1})
    assert (response["event"], response["environment"]["GREETING"]) == ({"a": 1}, "hello")
    assert function.cold_start_ms is not None
    failing = InProcessFunction(FunctionSpec("fail_on_request", "handlers.fail_on_request", {}), state)
    with pytest.raises(FunctionError, match="fail_on_request: ValueError"):
        failing.invoke({"do": "raise"})
    function.close()
    failing.close()
    assert "echoing" in (state.logs / "echo.log").read_text()
    assert capsys.readouterr().out == "", "the output of a handler goes to its log"
