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
def test_a_function_gets_its_event_and_only_its_own_environment(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    answer = start("echo", memory_mb=1024, GREETING="hello").invoke({"é": [1, 2.5, None]})
    assert answer["event"] == {"é": [1, 2.5, None]}
    assert answer["memory_mb"] == "1024"
    assert answer["environment"]["GREETING"] == "hello"
    assert "SECRET_OF_THE_CALLER" not in answer["environment"]


@needs_emulator
def test_concurrent_calls_queue_up_in_front_of_one_instance(start: Any) -> None:
    function = start("echo")
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda i=i: answers.append(function.invoke({"i": i}))) for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["event"]["i"] for answer in answers) == list(range(20))
    assert len({answer["pid"] for answer in answers}) == 1


@needs_emulator
def test_every_way_to_fail_is_one_error_and_the_next_call_works(start: Any) -> None:
    function = start("misbehave", timeout_seconds=1)
    for what, message in [
        ("raise", "misbehave: ValueError: that will not do"),
        ("sleep", "misbehave: Task timed out after 1.00 seconds"),
        ("die", "misbehave: Runtime.ExitError: .*exit status 3"),
    ]:
        with pytest.raises(FunctionError, match=message):
            function.invoke({"do": what})
        assert function.invoke({}) == {"fine": True}


@needs_emulator
def test_an_emulator_that_was_killed_is_replaced(start: Any) -> None:
    function = start("misbehave")
    assert isinstance(function, EmulatedFunction)
    psutil.Process(function._process.pid).kill()
    with pytest.raises(FunctionError, match="the emulator died"):
        function.invoke({})
    assert function.invoke({}) == {"fine": True}


@needs_emulator
def test_a_handler_that_cannot_be_imported_says_so(start: Any) -> None:
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
        monkeypatch.setenv(variable, "")  # so that monkeypatch puts them back
    function = InProcessFunction(spec, state)
    answer = function.invoke({"a": 1})
    assert (answer["event"], answer["environment"]["GREETING"]) == ({"a": 1}, "hello")
    assert function.cold_start_ms is not None
    failing = InProcessFunction(FunctionSpec("misbehave", "handlers.misbehave", {}), state)
    with pytest.raises(FunctionError, match="misbehave: ValueError"):
        failing.invoke({"do": "raise"})
    function.close()
    failing.close()
    assert "echoing" in (state.logs / "echo.log").read_text()
    assert capsys.readouterr().out == "", "what a handler prints belongs in its log"
