"""The demo on the tiny artifact: its checks pass, and fail when something is missing."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.demo.demo import DemoError, demonstrate, held_out_reviews, raise_failed_checks
from local.demo.report import Measurements, make_report, percentiles
from local.progress import Steps
from local.reviews import Review
from local.settings import LocalSettings
from local.system import System


@pytest.fixture
def artifacts(tmp_path: Path, tiny_artifact: Path) -> Path:
    folder = tmp_path / "artifacts"
    shutil.copytree(tiny_artifact, folder / "model")
    return folder


@pytest.mark.slow
def test_the_demo_checks_that_served_predictions_are_stored_and_reports_it(
    artifacts: Path, tmp_path: Path
) -> None:
    console = Console(file=StringIO(), width=110)
    settings = LocalSettings(state_dir=tmp_path / "state")
    few = {"MINIMUM_ROWS": "50", "SUFFICIENT_ROWS": "50"}
    report = demonstrate(
        settings,
        Steps(console),
        artifacts=artifacts,
        reused=False,
        singles=44,
        batch=16,
        monitor_settings=few,
    )
    assert all(report["checks"].values()), report["checks"]
    assert report["stored"]["served"] == report["stored"]["predictions"] == 60
    assert report["stored"]["feedback"] == 20
    assert report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    assert json.loads((artifacts / "demo" / "report.json").read_text()) == report
    assert (artifacts / "demo" / "report.svg").read_text().startswith("<svg")
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("60 of 60 predictions", "cold start", "p99", "every served prediction is stored"):
        assert expected in printed


def test_a_prediction_that_is_not_stored_fails_the_demo(system: System, tmp_path: Path) -> None:
    response = {
        "prediction_id": "019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21",
        "sentiment": "positive",
        "confidence": 0.9,
    }
    measurements = Measurements([(Review("A film.", "positive"), response)], [1.0, 2.0], feedback=1)
    report = make_report(system, measurements, stored=[], reused=True)
    with pytest.raises(DemoError, match=r"every served prediction is stored; .*all feedback is stored"):
        raise_failed_checks(report, tmp_path / "report.json")


def test_reviews_are_held_out_and_deterministic(tiny_artifact: Path) -> None:
    reviews = held_out_reviews(tiny_artifact, 10)
    assert len(reviews) == 10
    assert reviews == held_out_reviews(tiny_artifact, 10)
    assert {review.label for review in reviews} == {"positive", "negative"}


def test_percentiles() -> None:
    assert percentiles([float(number) for number in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
