"""The monitoring stack of two environments."""

import pytest

from tests.fixtures.templates import PLAIN, RICH, Template, synthesize


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(PLAIN)["Monitoring"]


@pytest.fixture(scope="module")
def rich() -> Template:
    return synthesize(RICH)["Monitoring"]
