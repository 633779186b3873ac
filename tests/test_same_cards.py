"""Training writes the model card and sentiment.model_card reads it, without shared code: both agree."""

import shutil
from pathlib import Path

import pytest
from sentiment.exceptions import ModelError
from sentiment.model_card import CARD_FILE, ModelCard, read_card, read_file, verify_files

from functions.api.model.artifact import Card as ServedCard
from functions.drift_monitor.detection.reference import Card as MonitoredCard
from functions.registrar.artifact import RegisteredCard
from training.errors import ModelError as TrainingError
from training.evaluation.served import read_artifact


@pytest.fixture
def folder(tiny_artifact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_artifact, tmp_path / "artifact")


@pytest.mark.parametrize("card_class", [ModelCard, ServedCard, RegisteredCard, MonitoredCard])
def test_every_reader_accepts_the_card_that_training_wrote(folder: Path, card_class: type[ModelCard]) -> None:
    card = read_card(folder, card_class)
    written = read_artifact(folder).card
    assert (card.model_version, card.labels) == (written["model_version"], written["labels"])
    assert {path.name for path in folder.iterdir()} == {CARD_FILE, *card.files}
    verify_files(folder, card)
    assert read_file(folder, "model.onnx", card) == (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.parquet", "golden.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "removed"])
def test_both_sides_refuse_a_damaged_file(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    card = read_card(folder, ModelCard)
    with pytest.raises(ModelError, match=name):
        verify_files(folder, card)
    with pytest.raises(ModelError, match=name):
        read_file(folder, name, card)
    with pytest.raises(TrainingError, match=name):
        read_artifact(folder)
