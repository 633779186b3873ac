"""Lambda functions on the laptop: the real runtime client (awslambdaric) under AWS's own emulator.

Each function is a process of its own with nothing but its own environment, so a variable that the cloud stack
would have to set is missed here too, and cold start and memory are real. An emulator serves one call at a
time, as one Lambda instance does, and each function has one emulator, so further calls wait. Where the
emulator does not run (macOS) the handler is called in this process: same events, no isolation, no real cold
start.
"""

import contextlib
import http.client
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil
from sentiment.exceptions import SentimentError

from local.processes import HOST, accepts, free_port, stop, wait_until
from local.state import StateFolder

START_SECONDS = 10.0
INIT_SECONDS = 10.0  # Lambda's own limit for the init phase
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
PORT_ATTEMPTS = 3


class FunctionError(SentimentError):
    """A function raised, timed out or died; the message carries the error type that Lambda reports."""

    code: ClassVar[str] = "function_error"
    status: ClassVar[int] = 502


class Function(Protocol):
    """What the gateway, the event source and the demo need of a function."""

    name: str
    cold_start_ms: float | None  # of the first call: process start, init and the call itself

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's answer; raises FunctionError."""

    def peak_memory_mb(self) -> float | None:
        """Return the most memory it ever had resident, in MiB, where that can be told."""

    def retire(self) -> None:
        """Give its memory back until the next call."""

    def close(self) -> None:
        """Stop it; safe to repeat."""


@dataclass(frozen=True)
class FunctionSpec:
    """What the cloud stack would say about a function."""

    name: str
    handler: str  # module.function
    environment: Mapping[str, str] = field(repr=False)
    memory_mb: int = 1769  # one vCPU
    timeout_seconds: int = 30

    def runtime_environment(self) -> dict[str, str]:
        """Return its variables together with those that Lambda sets."""
        return {
            **self.environment,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_seconds),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_REGION": self.environment.get("AWS_DEFAULT_REGION", ""),
        }


def emulator() -> Path | None:
    """Return the emulator's binary for this machine, or None where there is none."""
    architecture = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    path = Path(sys.prefix, "lambda-emulator/samcli/local/rapid", f"aws-lambda-rie-{architecture}")
    installed = importlib.util.find_spec("awslambdaric") is not None
    return path if sys.platform == "linux" and installed and os.access(path, os.X_OK) else None


def start_function(spec: FunctionSpec, state: StateFolder) -> Function:
    """Start a function under the emulator where there is one, else in this process."""
    binary = emulator()
    return EmulatedFunction(spec, state, binary) if binary else InProcessFunction(spec, state)


class EmulatedFunction:
    """One function under the emulator; its output goes to `logs/<name>.log` in the state folder."""

    def __init__(self, spec: FunctionSpec, state: StateFolder, binary: Path) -> None:
        self.name = spec.name
        self.cold_start_ms: float | None = None
        self.log = state.logs / f"{spec.name}.log"
        self._spec, self._state, self._binary = spec, state, binary
        self._one_at_a_time = threading.Lock()
        self._peak_memory_mb = 0.0
        self._process, self._port = self._start()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's answer; waits while another call runs, and raises FunctionError."""
        body = json.dumps(event).encode()
        with self._one_at_a_time:
            started = time.perf_counter()
            try:
                status, answer = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self._begin_anew()
                raise FunctionError(f"{self.name}: the emulator died ({error}); see {self.log}") from None
            if self.cold_start_ms is None:
                self.cold_start_ms = (time.perf_counter() - started) * 1000
        return self._read(status, answer)

    def peak_memory_mb(self) -> float | None:
        """Return the most memory the handler's process ever had resident, in MiB (Linux: VmHWM)."""
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            for runtime in psutil.Process(self._process.pid).children(recursive=True):
                for line in Path(f"/proc/{runtime.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self._peak_memory_mb = max(self._peak_memory_mb, int(line.split()[1]) / 1024)
        return self._peak_memory_mb or None

    def retire(self) -> None:
        """Give the handler's memory back, as Lambda does with an idle instance; the next call starts cold."""
        with self._one_at_a_time:
            self.peak_memory_mb()
            self._begin_anew()

    def close(self) -> None:
        """Stop the emulator and the handler's process."""
        self.peak_memory_mb()  # remember it: the process is about to go
        stop(self._process)

    def _begin_anew(self) -> None:
        stop(self._process)
        self._process, self._port = self._start()

    def _start(self) -> "tuple[subprocess.Popen[bytes], int]":
        for _ in range(PORT_ATTEMPTS):  # somebody may take a free port before the emulator does
            port, runtime_port = free_port(), free_port()
            process = self._state.processes.start(
                [
                    self._binary,
                    *("--runtime-interface-emulator-address", f"{HOST}:{port}"),
                    *("--runtime-api-address", f"{HOST}:{runtime_port}"),
                    *(sys.executable, "-m", "awslambdaric", self._spec.handler),
                ],
                log=self.log,
                environment=self._spec.runtime_environment(),
                # As in Lambda, not where the project's .env would be read behind our back.
                folder=self._state.path,
            )
            wait_until(lambda: accepts(port) or process.poll() is not None, seconds=START_SECONDS)  # noqa: B023
            if process.poll() is None and accepts(port):
                return process, port
            stop(process)
        raise FunctionError(f"the emulator for {self.name} did not start; see {self.log}")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        patience = self._spec.timeout_seconds + INIT_SECONDS + 5
        connection = http.client.HTTPConnection(HOST, self._port, timeout=patience)
        try:
            connection.request("POST", INVOKE_PATH, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _read(self, status: int, body: bytes) -> Any:
        """Tell an answer from an error: the emulator says 200 to nearly everything."""
        text = body.decode(errors="replace")
        if text.startswith("Task timed out after"):
            raise FunctionError(f"{self.name}: {text}")
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            raise FunctionError(f"{self.name}: not JSON (HTTP {status}); see {self.log}") from None
        if status != http.HTTPStatus.OK or (isinstance(answer, dict) and "errorType" in answer):
            error = answer if isinstance(answer, dict) else {}
            kind, message = error.get("errorType", f"HTTP {status}"), error.get("errorMessage", "")
            raise FunctionError(f"{self.name}: {kind}: {' '.join(str(message).split())}")
        return answer


@dataclass(frozen=True)
class Context:
    """What a handler may ask of its context object."""

    function_name: str
    memory_limit_in_mb: int
    deadline: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"

    @property
    def invoked_function_arn(self) -> str:
        """Return an ARN in the shape of a real one."""
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class InProcessFunction:
    """A handler called in this process, which can host one system only: handlers read their settings once."""

    # One for all of them: variables and standard output, which becomes the log, belong to the whole process.
    _one_at_a_time: ClassVar = threading.Lock()

    def __init__(self, spec: FunctionSpec, state: StateFolder) -> None:
        self.name = spec.name
        self.cold_start_ms: float | None = None
        self.log = state.logs / f"{spec.name}.log"
        self._spec = spec
        self._output = self.log.open("a")

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's answer; raises FunctionError, but cannot end a handler that takes too long."""
        context = Context(
            self.name, self._spec.memory_mb, deadline=time.monotonic() + self._spec.timeout_seconds
        )
        module, _, function = self._spec.handler.rpartition(".")
        with self._one_at_a_time, contextlib.redirect_stdout(self._output):
            started = time.perf_counter()
            os.environ.update(self._spec.runtime_environment())
            try:
                handler = getattr(importlib.import_module(module), function)
                answer = json.loads(json.dumps(handler(json.loads(json.dumps(event)), context)))
            except Exception as error:
                raise FunctionError(f"{self.name}: {type(error).__name__}: {error}") from error
            if self.cold_start_ms is None:
                self.cold_start_ms = (time.perf_counter() - started) * 1000
            return answer

    def peak_memory_mb(self) -> float | None:
        """Return None: this process holds more than the function."""
        return None

    def retire(self) -> None:
        """Do nothing: what was imported stays with this process."""

    def close(self) -> None:
        """Close the log."""
        self._output.close()
