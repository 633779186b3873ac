from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local.stand_ins.lambda_runtime import Function, FunctionSpec, start_function
from local.stand_ins.moto_server import LocalAws, make_resources, running_aws
from local.state import StateFolder, owned_state

HANDLERS = Path(__file__).parent / "stand_ins"

StartFunction = Callable[..., Function]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateFolder]:
    with owned_state(tmp_path_factory.mktemp("state")) as state:
        yield state


@pytest.fixture(scope="module")
def moto_url(state: StateFolder) -> Iterator[str]:
    with running_aws(state) as aws:
        yield aws.endpoint_url


@pytest.fixture
def aws(moto_url: str) -> LocalAws:
    httpx.post(f"{moto_url}/moto-api/reset").raise_for_status()
    return make_resources(moto_url)


@pytest.fixture(scope="module")
def start(state: StateFolder) -> Iterator[StartFunction]:
    """Return a function that starts a handler of handlers.py by name; all are stopped at the end."""
    started: list[Function] = []

    def start(
        handler: str, *, timeout_seconds: int = 5, memory_mb: int = 512, **environment: str
    ) -> Function:
        spec = FunctionSpec(
            name=handler,
            handler=f"handlers.{handler}",
            environment={"PYTHONPATH": str(HANDLERS)} | environment,
            memory_mb=memory_mb,
            timeout_seconds=timeout_seconds,
        )
        started.append(start_function(spec, state))
        return started[-1]

    yield start
    for function in started:
        function.close()
