"""The graph computes the wide part as training does, in one session, at little cost."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.training.export.linear_graph import linear_graph
from training.export.scorer import Scorer
from training.export.wide import WideModel, add_wide
from training.wide.features import buckets
from training.wide.fit import WidePart, bucket_count
from training.wide.stacking import Stacking


def deep_graph(folder: Path, labels: int) -> Path:
    return linear_graph(folder / "deep.onnx", np.linspace(-1e-5, 1e-5, labels).tolist())


def wide_model(labels: int) -> WideModel:
    rng = np.random.default_rng(0)
    columns = 1 if labels == 2 else labels
    table = rng.integers(-127, 128, (bucket_count(labels), columns)).astype(np.int8)
    scale = rng.uniform(0.001, 0.01, columns).astype(np.float32)
    bias = rng.normal(size=labels).astype(np.float32)
    return WideModel(WidePart(table, scale, labels, rows=10), Stacking(0.7, 1.3, bias))


@pytest.fixture(params=[2, 3, 30])
def labels(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_the_graph_gives_the_sum_of_both_parts_at_every_length(tmp_path: Path, labels: int) -> None:
    source, wide = deep_graph(tmp_path, labels), wide_model(labels)
    deep, both = Scorer(source), Scorer(add_wide(source, tmp_path / "both.onnx", *wide))
    rng = np.random.default_rng(1)
    whole = [rng.integers(0, 250_000, tokens).tolist() for tokens in (2, 3, 17, 300, 3_000)]
    read = [ids[:64] for ids in whole]
    scores = both.scores(read, whole)
    expected = wide.logits(deep.scores(read).logits, whole)
    assert np.allclose(scores.logits, expected, rtol=1e-4, atol=1e-4)
    assert scores.pooled is not None
    assert scores.pooled.tolist() == [[float(sum(ids))] for ids in read]


def test_the_output_wide_says_what_each_feature_adds(tmp_path: Path, labels: int) -> None:
    wide = wide_model(labels)
    session = onnxruntime.InferenceSession(add_wide(deep_graph(tmp_path, labels), tmp_path / "a.onnx", *wide))
    ids = [101, 7, 9, 7, 102]
    [added] = session.run(["wide"], {"input_ids": [ids], "text_ids": [ids]})
    rows = wide.part.table[buckets(ids, len(wide.part.table))].astype(np.float32)
    assert added.shape == (1, 2 * len(ids) - 1, labels)
    assert np.allclose(added[0], wide.stacking.wide_weight * rows * wide.part.label_scale, rtol=1e-5)


def test_without_the_text_the_deep_part_and_the_bias_remain(tmp_path: Path, labels: int) -> None:
    wide, source = wide_model(labels), deep_graph(tmp_path, labels)
    session = onnxruntime.InferenceSession(add_wide(source, tmp_path / "both.onnx", *wide))
    ids = np.array([[5, 6, 7], [8, 9, 10]])
    [logits] = session.run(["logits"], {"input_ids": ids, "text_ids": ids[:, :0]})
    deep = Scorer(source).scores(ids.tolist()).logits
    assert np.allclose(logits, 0.7 * deep + wide.stacking.bias, atol=1e-6)


def test_the_file_grows_by_a_megabyte_and_the_graph_by_operators_alone(tmp_path: Path) -> None:
    source = deep_graph(tmp_path, 2)
    both = add_wide(source, tmp_path / "both.onnx", *wide_model(2))
    assert both.stat().st_size - source.stat().st_size < 1.1e6
    domains = {node.domain for node in onnx.load(both).graph.node}
    assert domains == {""}, "only ONNX's own operators"
    onnx.checker.check_model(onnx.load(both))
