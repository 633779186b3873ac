"""A new version is called until it is warm, and calls that fail while it is cold are tolerated."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.release_check.settings import settings
from tests.api.driver import Api
from tests.release_check.conftest import (
    Handler,
    Release,
    deployed,
    served,
)


def cold(starts: int, version: Handler) -> Handler:
    """A version whose first calls fail, as when a large image starts for the first time."""
    calls = iter(range(1_000))

    def handle(event: dict[str, Any]) -> Any:
        if next(calls) < starts:
            raise TimeoutError("Task timed out after 29.00 seconds")
        return version(event)

    return handle


def test_failed_calls_of_a_cold_version_are_tolerated(
    release: Release, make_api: Callable[..., Api], reasons: Callable[[], str]
) -> None:
    release.deploy(cold(4, served(make_api())))
    assert release.hook() == "Succeeded"
    warmed = next(line for line in map(json.loads, reasons().splitlines()) if line["message"] == "warmed up")
    assert (warmed["failed"], warmed["calls"]) == (4, 8)


def test_warm_up_ends_early_after_two_warm_rounds(
    release: Release, monkeypatch: pytest.MonkeyPatch, reasons: Callable[[], str]
) -> None:
    monkeypatch.setenv("WARM_UP_CALLS", "400")
    monkeypatch.setenv("WARM_CALL_MS", "60000")
    settings.cache_clear()
    release.hook()
    warmed = next(line for line in map(json.loads, reasons().splitlines()) if line["message"] == "warmed up")
    assert (warmed["warm"], warmed["calls"]) == (True, 8)


def test_a_version_that_stays_cold_is_still_checked(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARM_CALL_MS", "0.001")
    settings.cache_clear()
    assert deployed(release)["warm"] is False
