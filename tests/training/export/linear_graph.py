"""A tiny graph in place of a transformer."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper


def linear_graph(path: Path, factors: Sequence[float]) -> Path:
    """Write a graph whose logits are the sum of the ids times a factor per label; `pooled` is the sum."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["cast", "axis"], ["pooled"], keepdims=1),
        helper.make_node("Mul", ["pooled", "factors"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(factors)]),
            helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 1]),
        ],
        [
            helper.make_tensor("factors", TensorProto.FLOAT, [1, len(factors)], factors),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path
