"""An invalid artifact never serves: each kind of damage is rejected with one clear message."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sentiment.exceptions import ModelError

from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tiny_artifact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_artifact, tmp_path / "artifact")


def serve(folder: Path) -> Classifier:
    return Classifier(load_artifact(folder), threads=1, cache_entries=0)


def edit_card(folder: Path, edit: Edit) -> None:
    card = json.loads((folder / "model.json").read_text())
    edit(card)
    (folder / "model.json").write_text(json.dumps(card))


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and its record in the card."""
    (folder / name).write_bytes(content)
    record = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit_card(folder, lambda card: card["files"].update({name: record}))


def test_a_complete_artifact_serves(folder: Path) -> None:
    assert serve(folder).predict("A wonderful film.").sentiment == "positive"


@pytest.mark.parametrize("name", ["model.json", "model.onnx", "tokenizer.json", "reference.parquet"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing: train and export it again"):
        serve(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere: model\.json is missing"):
        serve(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.parquet"])
def test_a_truncated_file_is_named_with_both_sizes(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1])
    with pytest.raises(ModelError, match=f"{name} has {len(whole) - 1} bytes but its card says {len(whole)}"):
        serve(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.parquet"])
def test_one_flipped_bit_is_detected(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} has sha256 [0-9a-f]{{64}} but its card says"):
        serve(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card.update(schema_version=2), "schema_version: Input should be 1"),
        (lambda card: card.pop("max_length"), "max_length: Field required"),
        (lambda card: card.update(truncation="tail"), "truncation: Input should be 'head' or 'head_tail'"),
        (
            lambda card: card.update(text_cleaning=["lowercase"]),
            "text_cleaning.0: Input should be 'html_breaks'",
        ),
        (lambda card: card.update(labels=["good"]), "labels: List should have at least 2 items"),
        (lambda card: card.update(labels=["good", "good"]), "labels repeat: good, good"),
        (lambda card: card["files"].pop("model.onnx"), "files lacks model.onnx"),
        (
            lambda card: card["novelty"].update(output="hidden"),
            "novelty.output: Input should be 'pooled'",
        ),
        (
            lambda card: card["novelty"]["centroids"].pop("positive"),
            "novelty has centroids of negative, not of the labels",
        ),
        (
            lambda card: card["novelty"]["spread"].pop(),
            "novelty: vectors have different widths: [31, 32]",
        ),
        (lambda card: card["novelty"].update(spread=[0.0]), "spread.0: Input should be greater than 0"),
        (
            lambda card: card["novelty"]["centroids"]["positive"].append(float("nan")),
            "novelty.centroids.positive.32: Input should be a finite number",
        ),
        (
            lambda card: card.update(calibration={"temperature": 0}),
            "calibration.temperature: Input should be greater than 0",
        ),
        (lambda card: card["files"].update({"../etc": card["files"]["model.onnx"]}), "files"),
    ],
)
def test_an_invalid_card_is_rejected_with_the_field(folder: Path, edit: Edit, message: str) -> None:
    edit_card(folder, edit)
    with pytest.raises(ModelError, match=r"model\.json is not a valid model card") as refusal:
        serve(folder)
    assert message in str(refusal.value)


def test_a_card_that_is_not_json_is_rejected(folder: Path) -> None:
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match=r"model\.json is not a valid model card"):
        serve(folder)


def test_there_must_be_as_many_labels_as_logits(folder: Path) -> None:
    edit_card(folder, lambda card: card.update(labels=["bad", "so-so", "good"], novelty=None))
    with pytest.raises(ModelError, match=r"model\.onnx has 2 logits but model\.json has 3 labels"):
        serve(folder)


def test_centroids_must_have_the_width_of_pooled_vectors(folder: Path) -> None:
    centroids = {"negative": [0.1], "positive": [0.2]}
    narrow = {"output": "pooled", "centroids": centroids, "spread": [1.0], "common": []}
    edit_card(folder, lambda card: card.update(novelty=narrow))
    with pytest.raises(ModelError, match=r"pools into width 32 but model\.json has centroids of width 1:"):
        serve(folder)


@pytest.mark.parametrize("lacking", ["card", "graph"])
def test_an_artifact_without_novelty_still_serves(folder: Path, lacking: str) -> None:
    whole = serve(folder).predict("A wonderful film.")
    if lacking == "card":
        edit_card(folder, lambda card: card.pop("novelty"))
    else:
        graph = onnx.load_from_string((folder / "model.onnx").read_bytes())
        [pooled] = [output for output in graph.graph.output if output.name == "pooled"]
        graph.graph.output.remove(pooled)
        replace_file(folder, "model.onnx", graph.SerializeToString())
    old = serve(folder).predict("A wonderful film.")
    assert (whole.novelty is None, old.novelty) == (False, None)
    assert old.probabilities == whole.probabilities


def test_the_temperature_scales_confidence_and_changes_no_prediction(folder: Path) -> None:
    edit_card(folder, lambda card: card.pop("calibration"))  # as older exports wrote it
    raw = serve(folder).predict("A wonderful film.")
    edit_card(folder, lambda card: card.update(calibration={"temperature": 2.0}))
    milder = serve(folder).predict("A wonderful film.")
    log_odds = [
        np.log(one.confidence / (1 - one.confidence)) for one in (raw, milder)
    ]  # of two labels, so the difference of the logits
    assert milder.sentiment == raw.sentiment
    assert log_odds[1] == pytest.approx(log_odds[0] / 2)


def test_an_invalid_model_file_is_rejected(folder: Path) -> None:
    replace_file(folder, "model.onnx", b"not a model")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded"):
        serve(folder)


def test_an_invalid_tokenizer_file_is_rejected(folder: Path) -> None:
    replace_file(folder, "tokenizer.json", b"{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json cannot be read"):
        serve(folder)


def test_a_token_id_that_the_model_does_not_have_raises_an_error(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["film"] = 10_000_000
    replace_file(folder, "tokenizer.json", json.dumps(tokenizer).encode())
    with pytest.raises(ModelError, match="the model could not run"):
        serve(folder).predict("film")


def test_a_link_that_changes_while_loading_gives_one_version(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "model"
    link.symlink_to(folder)
    assert load_artifact(link).card.model_version == load_artifact(folder).card.model_version
