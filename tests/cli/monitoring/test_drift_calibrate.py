"""`sentiment drift calibrate` on a real artifact."""

import csv
import json
from pathlib import Path

import pytest
from sentiment.exceptions import ConfigurationError
from typer.testing import CliRunner

from cli.main import app
from functions.drift_monitor.detection import thresholds
from functions.drift_monitor.detection.domain_classifier import add_domain_scores, count_scored_texts
from functions.drift_monitor.detection.features import Feature, shared_features
from functions.drift_monitor.detection.reference import read_reference
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.settings import DetectionSettings
from local.drift_lab import experiment
from local.drift_lab.experiment import Experiment, ExperimentPlan
from local.drift_lab.predictions import PredictionCache, unseen_reviews
from local.drift_lab.shifts import SHIFTS
from training.config import configure
from training.data.sources import read

TINY = ExperimentPlan(
    sizes=(200,),
    strengths=(0.05, 1.0),
    unshifted_windows=5,
    shifted_windows=2,
    pool_rows=450,
    shifted_rows=60,
)


@pytest.fixture(scope="module")
def reviews_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """450 reviews from IMDB in a CSV file."""
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    table = read(configure())
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        step = len(table.texts) // 450
        for number in range(0, 450 * step, step):
            writer.writerow((table.texts[number], ("negative", "positive")[int(table.labels[number])]))
    return path


def test_calibrate_shows_writes_and_plots_the_results(
    tiny_artifact: Path, reviews_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "QUICK", TINY)
    monkeypatch.setenv("DRIFT_THRESHOLD", "0.4")
    monkeypatch.setenv("FALSE_ALARM_RATE", "0.02")
    to = tmp_path / "drift"
    command = ["drift", "calibrate", "--quick", "--model", tiny_artifact, "--data", reviews_file, "--to", to]

    done = CliRunner().invoke(app, [str(word) for word in command], catch_exceptions=False)

    assert done.exit_code == 0
    assert "Windows without a shift (configured rate 2.0%" in done.stdout and "broken_markup" in done.stdout
    figures = json.loads((to / "calibration.json").read_text())
    assert (figures["drift_threshold"], figures["false_alarm_rate"]) == (0.4, 0.02)
    assert [found["moved"]["windows"] for found in figures["false_alarms"]] == [5]
    assert {(found["shift"], found["strength"]) for found in figures["power"]} == {
        (name, strength) for name in SHIFTS for strength in TINY.strengths
    }
    markup = [found for found in figures["power"] if found["shift"] == "broken_markup"]
    assert markup[-1]["detected"]["share"] == 1.0
    for plot in ("false_alarms.png", "power.png"):
        assert (to / plot).read_bytes().startswith(b"\x89PNG")


def test_a_window_is_judged_with_the_settings_of_the_monitor(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "BOOTSTRAP_ROUNDS", 100)  # enough to distinguish the rates
    reference = read_reference(tiny_artifact).table
    window = reference.sample(n=100, replace=True, random_state=0).reset_index(drop=True)
    tables = add_domain_scores(reference, window)

    def calibrated(rate: float) -> dict[Feature, float]:
        texts = count_scored_texts(tables[1])
        return calibrate(reference, shared_features(*tables), rows=100, false_alarm_rate=rate, texts=texts)

    settings = DetectionSettings(drift_threshold=0.3, false_alarm_rate=0.2)
    verdicts = Experiment(reference, window, TINY, settings).judge(window)

    assert {verdict.drift_threshold for verdict in verdicts.values()} == {0.3}
    drifts = [drift for verdict in verdicts.values() for drift in verdict.features]
    assert {drift.feature: drift.threshold for drift in drifts} == calibrated(0.2)
    assert calibrated(0.2) != calibrated(0.01), "the rate must have an effect"


def test_predictions_are_those_of_the_api_and_cached(
    tiny_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a fine film", "a dull film", "a fine film"]
    advanced: list[int] = []
    first = PredictionCache(tiny_artifact, tmp_path).predict(texts, advanced.append)
    assert sum(advanced) == len(texts)
    assert first[0] == first[2]
    assert set(first[0]) >= {"tokens", "unknown_tokens", "sentiment", "confidence", "novelty"}

    def predicted_again(*_: object) -> None:
        raise AssertionError("this text is in the cache")

    monkeypatch.setattr("functions.api.model.classifier.Classifier.compute", predicted_again)
    assert PredictionCache(tiny_artifact, tmp_path).predict(texts) == first


def test_rows_of_the_reference_are_not_drawn(tiny_artifact: Path, reviews_file: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    reference = parquet.read_table(tiny_artifact / "reference.parquet").to_pylist()
    mixed = tmp_path / "mixed.csv"
    with mixed.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows((row["text"], row["label"]) for row in reference)
        writer.writerow(("Not in the reference.", "positive"))
    assert [review.text for review in unseen_reviews(tiny_artifact, mixed)] == ["Not in the reference."]


def test_a_model_of_other_data_requires_a_file(tiny_artifact: Path) -> None:
    with pytest.raises(ConfigurationError, match="--data FILE"):
        unseen_reviews(tiny_artifact)
