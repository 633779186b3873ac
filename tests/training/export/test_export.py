"""The served graph computes what the checkpoint computes, and only a model that passes is published."""

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import torch
from onnxruntime.transformers.onnx_model import OnnxModel
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from training.data.rows import Rows
from training.errors import GateError
from training.export.artifact import Artifact, link_champion
from training.export.candidates import Gate
from training.export.export import build_artifact
from training.export.graph import QUANTIZATIONS, Quantization, export_graph, expose_pooled, quantize
from training.export.scorer import Scorer
from training.finetune.model import load_classifier

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")

NOUNS = ("film", "story", "cast", "ending", "script")
ROWS = Rows(
    [f"a good {noun}" for noun in NOUNS] + [f"a bad {noun}<br /><br />truly" for noun in NOUNS],
    [1] * 5 + [0] * 5,
)
EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)  # weights are signed, embeddings unsigned
ANYTHING = Gate(max_accuracy_loss=1, max_flipped=1)


def distilbert(**options: int) -> PreTrainedModel:
    shape = {"vocab_size": 30522, "dim": 24, "n_heads": 2, "n_layers": 2, "hidden_dim": 48} | options
    return DistilBertForSequenceClassification(DistilBertConfig(**shape)).eval()


SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 24, "intermediate_size": 48}


def bert() -> PreTrainedModel:
    return BertForSequenceClassification(BertConfig(**SHAPE)).eval()


def roberta() -> PreTrainedModel:
    config = RobertaConfig(**SHAPE, vocab_size=30522, max_position_embeddings=514, type_vocab_size=1)
    return RobertaForSequenceClassification(config).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    distilbert().save_pretrained(folder)
    load_classifier("embedded", ["negative", "positive"]).tokenizer.save_pretrained(folder)
    return folder


def build(checkpoint: Path, artifacts: Path, **options: object) -> Artifact:
    given = {
        "max_length": 8,
        "truncation": "head_tail",
        "labels": ["negative", "positive"],
        "artifacts": artifacts,
        "card_fields": {"base_model": "tiny"},
        "gate": ANYTHING,
    } | options
    return build_artifact(checkpoint, ROWS, ROWS, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model",
    [distilbert(), distilbert(n_layers=1), bert(), roberta()],
    ids=["distilbert", "one layer", "bert", "roberta"],
)
def test_the_fused_graph_gives_what_the_checkpoint_gives_for_every_length(
    model: PreTrainedModel, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    scorer = Scorer(export_graph(tmp_path, tmp_path))
    for length in (2, 3, 17, 300):
        ids = torch.randint(2, 30522, (1, length))
        with torch.no_grad():
            expected = model(ids).logits[0].numpy()
            first_token = model.base_model(ids).last_hidden_state[0, 0].numpy()
        assert np.allclose(scorer.logits(ids[0].tolist()), expected, atol=1e-4), length
        pooled = scorer.scores([ids[0].tolist()]).pooled
        assert pooled is not None
        assert np.allclose(pooled[0], first_token, atol=1e-4), length


def test_the_served_graph_reads_no_mask_and_computes_the_last_block_for_one_token(
    checkpoint: Path, tmp_path: Path
) -> None:
    graph = onnx.load(export_graph(checkpoint, tmp_path)).graph
    assert [graph_input.name for graph_input in graph.input] == ["input_ids"]
    operators = [node.op_type for node in graph.node]
    assert operators.count("Attention") == 1  # of two: the last block's is spelled out, for one query
    assert "SkipLayerNormalization" not in operators


def test_the_input_of_the_head_is_an_output_without_an_added_operator(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exposed = onnx.load(export_graph(checkpoint, tmp_path)).graph
    monkeypatch.setattr("training.export.graph.expose_pooled", lambda graph, width: None)
    plain = onnx.load(export_graph(checkpoint, tmp_path)).graph
    assert [output.name for output in exposed.output] == ["logits", "pooled"]
    assert [node.op_type for node in exposed.node] == [node.op_type for node in plain.node]


def test_a_head_that_reads_more_than_the_first_token_exposes_nothing() -> None:
    """As XLNet's or DeBERTa's might: here the mean over the tokens is classified."""
    nodes = [
        onnx.helper.make_node("ReduceMean", ["hidden", "axes"], ["mean"], keepdims=0),
        onnx.helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    weights = {"axes": np.array([1]), "weight": np.ones((4, 2), np.float32)}
    graph = onnx.helper.make_graph(
        nodes,
        "mean",
        [onnx.helper.make_tensor_value_info("hidden", onnx.TensorProto.FLOAT, ["batch", "tokens", 4])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = OnnxModel(onnx.helper.make_model(graph))
    expose_pooled(model, 4)
    assert [output.name for output in model.model.graph.output] == ["logits"]


@pytest.mark.parametrize("option", QUANTIZATIONS, ids=lambda option: option.name)
def test_quantized_graphs_stay_close_and_contain_integers(
    option: Quantization, checkpoint: Path, tmp_path: Path
) -> None:
    fused = export_graph(checkpoint, tmp_path)
    int8 = quantize(fused, tmp_path / "int8.onnx", option)
    ids = [101, 2023, 3185, 2003, 2307, 102]
    assert np.allclose(Scorer(int8).logits(ids), Scorer(fused).logits(ids), atol=0.05)
    quantized, exact = Scorer(int8).scores([ids]).pooled, Scorer(fused).scores([ids]).pooled
    assert quantized is not None and exact is not None
    assert np.corrcoef(quantized[0], exact[0])[0, 1] > 0.99
    stored = {weight.name: weight.data_type for weight in onnx.load(int8).graph.initializer}
    integer = [name for name, kind in stored.items() if kind in EIGHT_BITS and "zero_point" not in name]
    assert any("word_embeddings" in name for name in integer) == option.embeddings
    assert any("ffn" in name or "lin" in name or "MatMul" in name for name in integer)


def test_the_artifact_is_complete_and_described_by_its_card(checkpoint: Path, tmp_path: Path) -> None:
    artifact = build(checkpoint, tmp_path)
    link = artifact.folder
    card = json.loads((link / "model.json").read_text())
    assert card == artifact.card
    assert len((link / "model.json").read_text().splitlines()) < 200  # readable, with its vectors
    assert card["base_model"] == "tiny"
    assert (card["max_length"], card["truncation"], card["labels"]) == (
        8,
        "head_tail",
        ["negative", "positive"],
    )
    assert {candidate["name"] for candidate in card["export"]["candidates"]} == {
        q.name for q in QUANTIZATIONS
    }
    assert card["export"]["chosen"] in {q.name for q in QUANTIZATIONS}
    assert set(card["files"]) == {"model.onnx", "tokenizer.json", "reference.parquet"}
    for name, file in card["files"].items():
        assert hashlib.sha256((link / name).read_bytes()).hexdigest() == file["sha256"]


def test_the_reference_holds_the_test_rows_as_served(checkpoint: Path, tmp_path: Path) -> None:
    rows = pq.read_table(build(checkpoint, tmp_path).folder / "reference.parquet").to_pylist()
    assert [row["text"] for row in rows] == ROWS.texts
    long = rows[-1]
    assert (long["label"], long["tokens"], long["truncated"]) == ("negative", 6, False)
    assert {row["unknown_tokens"] for row in rows} == {0}
    assert all(row["novelty"] > 0 for row in rows)
    assert long["confidence"] == max(long["probabilities"])
    assert long["sentiment"] == ["negative", "positive"][int(np.argmax(long["probabilities"]))]


def test_a_second_export_keeps_the_first_and_leaves_it_serving(checkpoint: Path, tmp_path: Path) -> None:
    first = build(checkpoint, tmp_path, card_fields={"base_model": "first"})
    link_champion(tmp_path, first.folder.name)
    second = build(checkpoint, tmp_path, card_fields={"base_model": "second"})
    assert first.folder.is_dir() and second.folder.is_dir() and first.folder != second.folder
    assert (tmp_path / "model").resolve() == first.folder


def test_an_export_alone_serves_nothing(checkpoint: Path, tmp_path: Path) -> None:
    build(checkpoint, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_failed_gate_reports_the_losses_and_changes_nothing(checkpoint: Path, tmp_path: Path) -> None:
    served = build(checkpoint, tmp_path)
    link_champion(tmp_path, served.folder.name)
    with pytest.raises(GateError, match=r"per_channel.* loses .* points and flips .*%"):
        build(checkpoint, tmp_path, gate=Gate(max_accuracy_loss=-2, max_flipped=0))
    assert (tmp_path / "model").resolve() == served.folder
    assert [path.name for path in (tmp_path / "models").iterdir()] == [served.folder.name]


def test_an_export_that_fails_while_writing_leaves_the_served_artifact(
    checkpoint: Path, tmp_path: Path
) -> None:
    served = build(checkpoint, tmp_path)
    link_champion(tmp_path, served.folder.name)
    with pytest.raises(TypeError):
        build(checkpoint, tmp_path, card_fields={"not JSON": object()})
    assert (tmp_path / "model").resolve() == served.folder
    assert [path.name for path in (tmp_path / "models").iterdir()] == [served.folder.name]


KILLED = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from training.data.rows import Rows
from training.export.candidates import Gate
from training.export.export import build_artifact
def kill_while_writing(step, done=0, total=None):
    if step.startswith("Writing"):
        os.kill(os.getpid(), signal.SIGKILL)
rows = Rows(["good", "bad"], [1, 0])
build_artifact(
    Path(sys.argv[1]), rows, rows, max_length=8, truncation="head", labels=["n", "p"],
    artifacts=Path(sys.argv[2]), card_fields={}, gate=Gate(1, 1),
    progress=kill_while_writing,
)
"""


def test_an_export_killed_while_writing_leaves_the_served_artifact(
    checkpoint: Path, tmp_path: Path, warm_python: Path
) -> None:
    served = build(checkpoint, tmp_path)
    link_champion(tmp_path, served.folder.name)
    killed = subprocess.run([warm_python, "-c", KILLED, str(checkpoint), str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "model").resolve() == served.folder
    visible = [path.name for path in (tmp_path / "models").iterdir() if not path.name.startswith(".")]
    assert visible == [served.folder.name]


def test_the_first_candidate_that_passes_is_published_and_the_others_are_not_scored(
    checkpoint: Path, tmp_path: Path
) -> None:
    card = build(checkpoint, tmp_path).card
    scored = [one["name"] for one in card["export"]["candidates"] if one["passed"] is not None]
    assert scored == [card["export"]["chosen"]]
    assert all(one["latency_ms"] > 0 and one["size_mb"] > 0 for one in card["export"]["candidates"])
