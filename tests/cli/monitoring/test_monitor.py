"""`sentiment monitor` live and for scripts, also while the system is unreachable."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.alerts import mark_notified, raise_alert
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.runs import record_dataset_metrics
from sentiment.database.traffic import store_traffic
from sentiment.logging import logger
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cli.monitoring.view import sparkline
from functions.reports.handler import handler
from functions.reports.settings import SERVICE
from local.processes import free_port, wait_until
from local.stand_ins.gateway import running_gateway
from tests.fixtures.messages import feedback, prediction, traffic
from tests.fixtures.postgres import database, migrated_template, postgres

__all__ = ["database", "migrated_template", "postgres"]

NOW = datetime.now(UTC)
SENTIMENT = str(Path(sys.executable).with_name("sentiment"))
KEYS = {
    *("status", "at", "source", "since", "until", "predictions", "over_time", "latency_ms", "mix"),
    *("model_versions", "confidence", "novelty", "truncated_share", "requests", "queue", "accuracy"),
    *("drift", "alerts"),
}
RUN = {
    "score": 0.75,
    "rows": 500,
    "model_version": "20261123-1a2b3c4d",
    "since": (NOW - timedelta(hours=1)).isoformat(),
    "until": NOW.isoformat(),
    "data_drift": {"drifted": True, "score": 0.75, "features": []},
    "prediction_drift": {"drifted": False, "score": 0.0, "features": []},
}


class Reports:
    """The reports function as the gateway calls it; a token is required as by an authorizer."""

    name, cold_start_ms = "reports", None

    def __init__(self, token: str | None = None) -> None:
        self._token = token

    def invoke(self, event: Mapping[str, Any]) -> Any:
        if self._token and event["headers"].get("authorization") != f"Bearer {self._token}":
            return {"statusCode": 401, "body": '{"message": "Unauthorized"}'}
        return handler(dict(event), None)  # type: ignore[arg-type]

    def peak_memory_mb(self) -> None: ...
    def retire(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def reports_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the logger before a command runs, because it keeps the standard output of its creation."""
    monkeypatch.delenv("REPORT_BUCKET", raising=False)  # only links to pages need it
    logger(SERVICE)


@pytest.fixture
def url(database: Engine) -> Iterator[str]:
    with running_gateway(Reports(), Reports()) as url:
        yield url


def fill(database: Engine) -> None:
    made = [prediction(NOW - timedelta(minutes=n), novelty=1.1, inference_time_ms=8.0) for n in range(1, 4)]
    with Session(database) as session, session.begin():
        store_predictions(session, [*made, prediction(NOW - timedelta(hours=2), sentiment="negative")])
        store_feedback(session, [feedback(made[0].prediction_id, label="positive")])
        store_traffic(session, [traffic(NOW - timedelta(minutes=1), server_errors=6)])
        record_dataset_metrics(
            session, dataset="prediction_logs", fingerprint="f", split="window", rows=500, metrics=RUN
        )


def alert(database: Engine, severity: str, kind: str = "data_drift") -> None:
    with Session(database) as session, session.begin():
        raised = raise_alert(
            session,
            kind=kind,
            cause=f"{kind} {severity}",
            severity=severity,
            message=f"[bold]{kind}[/] is {severity}",
            details={},
        )
        if severity != "info":
            mark_notified(session, raised.id)


def test_once_shows_the_stored_data_and_status_calm(database: Engine, run: Any, url: str) -> None:
    fill(database)
    result = run("monitor", "--once", "--url", url)
    assert result.exit_code == 0, result.output
    for expected in (
        "calm",
        "4 predictions in 24 h",
        "5.0% 5xx, 3.3% 4xx, of 120 requests",
        "p50 8.0",
        "negative 25%, positive 75%",
        "mean novelty 1.14",
        "100.0% on 1 labels (20.7% to 100.0%)",
        "data drift (score 0.75, 500 predictions)",
        "no open alerts",
    ):
        assert expected in result.output


def test_the_database_is_read_if_one_is_configured(database: Engine, run: Any) -> None:
    fill(database)
    result = run("monitor", "--once")
    assert result.exit_code == 0, result.output
    assert f"database {os.environ['DATABASE_HOST']}:{os.environ['DATABASE_PORT']}" in result.output
    assert "4 predictions in 24 h" in result.output


@pytest.mark.parametrize(
    ("alerts", "code"),
    [
        ([], 0),
        ([("info", "data_drift")], 0),  # not persistent enough for a notification
        ([("info", "monitor_failure")], 0),  # too little traffic at night
        ([("warning", "data_drift")], 5),
        ([("warning", "data_drift"), ("critical", "performance")], 6),
        ([("warning", "monitor_failure")], 6),  # there is no verdict, so calm would be wrong
    ],
)
def test_the_exit_code_is_that_of_the_worst_alert(
    database: Engine, run: Any, url: str, alerts: list[tuple[str, str]], code: int
) -> None:
    for severity, kind in alerts:
        alert(database, severity, kind)
    result = run("monitor", "--once", "--url", url)
    assert result.exit_code == code, result.output
    for severity, kind in alerts:
        assert f"[bold]{kind}[/] is {severity}" in result.output, "a message is text, not markup"


def test_json_has_the_same_keys_with_and_without_traffic(database: Engine, run: Any, url: str) -> None:
    empty = json.loads(run("monitor", "--json", "--url", url).output)
    fill(database)
    alert(database, "warning")
    result = run("monitor", "--json", "--url", url)
    figures = json.loads(result.output)
    assert set(empty) == set(figures) == KEYS
    assert (empty["status"], empty["drift"], empty["requests"], empty["novelty"]) == ("calm", *[None] * 3)
    assert (result.exit_code, figures["status"]) == (5, "warning")
    assert figures["predictions"] == sum(span["predictions"] for span in figures["over_time"]) == 4
    assert figures["mix"] == {"positive": 3, "negative": 1}
    assert figures["requests"]["error_rate"] == pytest.approx(0.05)
    assert figures["accuracy"]["labeled"]["labels"] == 1
    assert figures["drift"]["data_drift"]["drifted"]
    assert [alert_["kind"] for alert_ in figures["alerts"]] == ["data_drift"]


def test_an_unreachable_system_is_exit_code_1_as_text_and_as_json(run: Any) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    as_text = run("monitor", "--once", "--url", nowhere)
    assert as_text.exit_code == 1
    assert f"{nowhere} cannot be reached" in as_text.output
    as_json = run("monitor", "--json", "--url", nowhere)
    assert as_json.exit_code == 1
    assert json.loads(as_json.output)["status"] == "unreachable"


def test_an_unreachable_database_is_exit_code_1(
    run: Any, monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    monkeypatch.setenv("DATABASE_PORT", str(free_port()))
    result = run("monitor", "--once")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output


def test_an_address_of_another_service_is_reported(run: Any) -> None:
    class Elsewhere(Reports):
        def invoke(self, event: Mapping[str, Any]) -> Any:
            return {"statusCode": 200, "body": "<html>"}

    with running_gateway(Elsewhere()) as url:
        result = run("monitor", "--once", "--url", url)
    assert result.exit_code == 1
    assert "check the address" in result.output


def test_a_system_with_authentication_requires_a_token(
    database: Engine, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_gateway(Reports(), Reports(token="of-a-reader")) as url:
        refused = run("monitor", "--once", "--url", url)
        assert refused.exit_code == 1
        assert "SENTIMENT_TOKEN" in refused.output
        assert run("monitor", "--once", "--url", url, "--token", "of-a-reader").exit_code == 0
        monkeypatch.setenv("SENTIMENT_TOKEN", "of-a-reader")
        assert run("monitor", "--once", "--url", url).exit_code == 0


def test_the_live_view_keeps_the_last_values_while_the_server_is_down(
    database: Engine, tmp_path: Path
) -> None:
    fill(database)
    port = free_port()
    with Screen(SENTIMENT, "monitor", "--url", f"http://127.0.0.1:{port}", "--refresh", "1") as screen:
        with running_gateway(Reports(), Reports(), port=port):
            assert screen.shows("4 predictions in 24 h")
        screen.clear()
        assert screen.shows("cannot be reached")
        assert screen.shows("4 predictions in 24 h"), "the last values"
        with running_gateway(Reports(), Reports(), port=port):
            screen.clear()
            assert screen.shows("calm")
        assert screen.interrupt() == 0


class Screen:
    """A command on a pseudo-terminal, and its output."""

    def __init__(self, *command: str) -> None:
        ours, theirs = pty.openpty()
        environment = os.environ | {"COLUMNS": "100", "LINES": "50", "TERM": "xterm"}
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self._ours, self._output = ours, ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *problem: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        os.close(self._ours)

    def shows(self, text: str) -> bool:
        return wait_until(lambda: text in self._output, seconds=20)

    def clear(self) -> None:
        self._output = ""

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(10)

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self._output += piece.decode(errors="replace")
        except OSError:  # the process closed the terminal
            return


def test_a_sparkline_is_blank_only_for_zero() -> None:
    assert sparkline([0, 1, 50, 100]) == " ▁▄█"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""
