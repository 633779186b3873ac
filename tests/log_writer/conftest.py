import socket

import pytest

from tests.fixtures.postgres import database, empty_database, migrated_template, postgres, server_folder

__all__ = ["database", "empty_database", "migrated_template", "postgres", "server_folder"]


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
