"""Call a function's handler in this process: for commands, and where Lambda's emulator does not run."""

import contextlib
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

DEFAULT_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Context:
    """The context object that a handler receives, as far as ours use it."""

    function_name: str
    memory_limit_in_mb: int
    deadline: float  # of time.monotonic()
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"

    @property
    def invoked_function_arn(self) -> str:
        """Return an ARN in the format of a real one."""
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def call_in_process(
    handler: Callable[..., Any],
    event: Mapping[str, Any],
    *,
    name: str | None = None,
    memory_mb: int = 0,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    output: TextIO | None = None,
) -> Any:
    """Return a handler's response to an event, both passed through JSON as Lambda does.

    The handler's standard output, which is its log, goes to `output` (default: standard error). The name of
    `functions.NAME.handler` is taken from the handler if none is given. A handler that exceeds its time is
    not interrupted; it only sees in its context that no time is left.
    """
    context = Context(
        name or handler.__module__.split(".")[1], memory_mb, deadline=time.monotonic() + timeout_seconds
    )
    with contextlib.redirect_stdout(output or sys.stderr):
        return json.loads(json.dumps(handler(json.loads(json.dumps(event)), context)))
