"""Lambda functions on the laptop: the real runtime client (awslambdaric) under AWS's own emulator.

Each function runs in a separate process with only its own environment, so a variable that the stack does not
set is missing here too, and cold start and memory are real. Each function has one emulator, which serves one
call at a time like one Lambda instance, so further calls wait. Where the emulator does not run (macOS) the
handler is called in this process: same events, but no isolation and no real cold start.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil
from sentiment.exceptions import SentimentError

from local.processes import HOST, accepts, free_port, stop, wait_until
from local.stand_ins.in_process import call_in_process
from local.state import StateFolder

START_SECONDS = 10.0
INIT_SECONDS = 10.0  # Lambda's own limit for the init phase
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
PORT_ATTEMPTS = 3


class FunctionError(SentimentError):
    """A function failed, timed out or crashed; the message has the error type that Lambda reports."""

    code: ClassVar[str] = "function_error"
    status: ClassVar[int] = 502


class Function(Protocol):
    """A function as the gateway, the event source and the demo use it."""

    name: str
    cold_start_ms: float | None  # first call: process start, init and the call itself

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's response; raises FunctionError."""

    def peak_memory_mb(self) -> float | None:
        """Return its peak resident memory in MiB, None where it cannot be measured."""

    def retire(self) -> None:
        """Release its memory until the next call."""

    def close(self) -> None:
        """Stop it; idempotent."""


@dataclass(frozen=True)
class FunctionSpec:
    """A function's configuration, as its stack defines it."""

    name: str
    handler: str  # module.function
    environment: Mapping[str, str] = field(repr=False)
    memory_mb: int = 1769  # one vCPU
    timeout_seconds: int = 30

    def runtime_environment(self) -> dict[str, str]:
        """Return its variables and those that Lambda sets."""
        return {
            **self.environment,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_seconds),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_REGION": self.environment.get("AWS_DEFAULT_REGION", ""),
        }


def emulator() -> Path | None:
    """Return the emulator's binary for this machine, or None if there is none."""
    architecture = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    path = Path(sys.prefix, "lambda-emulator/samcli/local/rapid", f"aws-lambda-rie-{architecture}")
    installed = importlib.util.find_spec("awslambdaric") is not None
    return path if sys.platform == "linux" and installed and os.access(path, os.X_OK) else None


def start_function(spec: FunctionSpec, state: StateFolder) -> Function:
    """Start a function under the emulator if there is one, else in this process."""
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
        """Return the handler's response; waits while another call runs; raises FunctionError."""
        body = json.dumps(event).encode()
        with self._one_at_a_time:
            started = time.perf_counter()
            try:
                status, payload = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self._restart()
                raise FunctionError(f"{self.name}: the emulator crashed ({error}); see {self.log}") from None
            if self.cold_start_ms is None:
                self.cold_start_ms = (time.perf_counter() - started) * 1000
        return self._parse(status, payload)

    def peak_memory_mb(self) -> float | None:
        """Return the peak resident memory of the handler's process in MiB (VmHWM on Linux)."""
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            for runtime in psutil.Process(self._process.pid).children(recursive=True):
                for line in Path(f"/proc/{runtime.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self._peak_memory_mb = max(self._peak_memory_mb, int(line.split()[1]) / 1024)
        return self._peak_memory_mb or None

    def retire(self) -> None:
        """Release the handler's memory, as Lambda does when idle; the next call is a cold start."""
        with self._one_at_a_time:
            self.peak_memory_mb()
            self._restart()

    def close(self) -> None:
        """Stop the emulator and the handler's process."""
        self.peak_memory_mb()  # record it before the process ends
        stop(self._process)

    def _restart(self) -> None:
        stop(self._process)
        self._process, self._port = self._start()

    def _start(self) -> "tuple[subprocess.Popen[bytes], int]":
        for _ in range(PORT_ATTEMPTS):  # another program may take the free port first
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
                # As in Lambda, outside the project, so that the project's .env is not read.
                folder=self._state.path,
            )
            wait_until(lambda: accepts(port) or process.poll() is not None, seconds=START_SECONDS)  # noqa: B023
            if process.poll() is None and accepts(port):
                return process, port
            stop(process)
        raise FunctionError(f"the emulator for {self.name} did not start; see {self.log}")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        timeout_seconds = self._spec.timeout_seconds + INIT_SECONDS + 5
        connection = http.client.HTTPConnection(HOST, self._port, timeout=timeout_seconds)
        try:
            connection.request("POST", INVOKE_PATH, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _parse(self, status: int, body: bytes) -> Any:
        """Return the response or raise FunctionError: the emulator returns 200 for most errors too."""
        text = body.decode(errors="replace")
        if text.startswith("Task timed out after"):
            raise FunctionError(f"{self.name}: {text}")
        try:
            response = json.loads(text) if text else None
        except ValueError:
            raise FunctionError(f"{self.name}: not JSON (HTTP {status}); see {self.log}") from None
        if status != http.HTTPStatus.OK or (isinstance(response, dict) and "errorType" in response):
            error = response if isinstance(response, dict) else {}
            kind, message = error.get("errorType", f"HTTP {status}"), error.get("errorMessage", "")
            raise FunctionError(f"{self.name}: {kind}: {' '.join(str(message).split())}")
        return response


class InProcessFunction:
    """A handler called in this process, which can run one system only: handlers cache their settings."""

    # Shared by all functions: environment and standard output belong to the whole process.
    _one_at_a_time: ClassVar = threading.Lock()

    def __init__(self, spec: FunctionSpec, state: StateFolder) -> None:
        self.name = spec.name
        self.cold_start_ms: float | None = None
        self.log = state.logs / f"{spec.name}.log"
        self._spec = spec
        self._output = self.log.open("a")

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the handler's response; raises FunctionError, but does not interrupt a slow handler."""
        module, _, function = self._spec.handler.rpartition(".")
        with self._one_at_a_time:
            started = time.perf_counter()
            os.environ.update(self._spec.runtime_environment())
            try:
                with contextlib.redirect_stdout(self._output):  # loggers made at import write to it too
                    handler = getattr(importlib.import_module(module), function)
                response = call_in_process(
                    handler,
                    event,
                    name=self.name,
                    memory_mb=self._spec.memory_mb,
                    timeout_seconds=self._spec.timeout_seconds,
                    output=self._output,
                )
            except Exception as error:
                raise FunctionError(f"{self.name}: {type(error).__name__}: {error}") from error
            if self.cold_start_ms is None:
                self.cold_start_ms = (time.perf_counter() - started) * 1000
            return response

    def peak_memory_mb(self) -> float | None:
        """Return None: the process is shared."""
        return None

    def retire(self) -> None:
        """Do nothing: imported modules stay in memory."""

    def close(self) -> None:
        """Close the log."""
        self._output.close()
