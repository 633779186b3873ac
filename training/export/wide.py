"""Add the wide part to an exported graph, as ONNX operators: hash, gather and sum.

The graph gets another input, `text_ids` (batch, tokens): the ids of the whole text with its special tokens,
including the tokens that the deep part does not read. `logits` becomes the sum of both parts. The output
`wide` (batch, features, labels) holds what each feature adds: first the tokens, then the pairs of neighbors.
With zero tokens in `text_ids`, `logits` are those of the deep part with the bias.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto, helper, numpy_helper

from training.wide.features import BIGRAM_FACTORS, BIGRAM_OFFSET, UNIGRAM_FACTOR
from training.wide.fit import WidePart
from training.wide.stacking import Stacking

TEXT_IDS = "text_ids"
WIDE = "wide"
_DEEP = "deep_logits"


class WideModel(NamedTuple):
    """A wide part, and how it is added to the deep one."""

    part: WidePart
    stacking: Stacking

    def logits(self, deep: NDArray[np.floating[Any]], whole: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the logits (texts, labels) of both parts; `whole` are the ids of each whole text."""
        return self.stacking.logits(deep, self.part.logits(whole))

    def card_field(self) -> dict[str, Any]:
        """Return the field of the model card."""
        return {
            "features": "unigrams and bigrams of token ids, hashed and counted over the whole text",
            "buckets": len(self.part.table),
            "used_buckets": int(self.part.table.any(axis=1).sum()),
            "rows": self.part.rows,
            "deep_weight": self.stacking.deep_weight,
            "wide_weight": self.stacking.wide_weight,
            "bias": self.stacking.bias.tolist(),
        }


def add_wide(source: Path, target: Path, part: WidePart, stacking: Stacking) -> Path:
    """Write the graph of `source` with the wide part added to its logits to `target`; return the path."""
    model = onnx.load(source)
    graph = model.graph
    _rename(graph, "logits", _DEEP)
    size = np.array(len(part.table), np.int64)
    first, second = (_constant(graph, f"factor_{n}", _int(one)) for n, one in enumerate(BIGRAM_FACTORS))
    buckets = _constant(graph, "buckets", size)
    begin, one, last, end = (
        _constant(graph, name, np.array([value], np.int64))
        for name, value in (("begin", 0), ("one", 1), ("last", -1), ("end", np.iinfo(np.int64).max))
    )
    token = _add(graph, "Mul", TEXT_IDS, _constant(graph, "factor", _int(UNIGRAM_FACTOR)))
    # Slices along axis 1, which is also the number one.
    left = _add(graph, "Mul", _add(graph, "Slice", TEXT_IDS, begin, last, one), first)
    right = _add(graph, "Mul", _add(graph, "Slice", TEXT_IDS, one, end, one), second)
    pair = _add(graph, "Add", left, right)
    pair = _add(graph, "Add", pair, _constant(graph, "offset", _int(BIGRAM_OFFSET)))
    hashed = _add(graph, "Mod", _add(graph, "Concat", token, pair, axis=1), buckets)
    weights = _add(graph, "Gather", _constant(graph, "table", part.table), hashed, axis=0)
    weights = _add(graph, "Cast", weights, to=TensorProto.FLOAT)
    scale = stacking.wide_weight * part.label_scale
    _add(graph, "Mul", weights, _constant(graph, "scale", scale.astype(np.float32)), output=WIDE)
    added = _add(graph, "ReduceSum", WIDE, one, keepdims=0)
    deep = _add(graph, "Mul", _DEEP, _constant(graph, "deep_weight", np.float32(stacking.deep_weight)))
    biased = _add(graph, "Add", deep, _constant(graph, "bias", stacking.bias))
    _add(graph, "Add", biased, added, output="logits")
    tokens: list[str | int] = ["batch_size", "text_length"]
    graph.input.append(helper.make_tensor_value_info(TEXT_IDS, TensorProto.INT64, tokens))
    features: list[str | int] = ["batch_size", "features", part.labels]
    graph.output.append(helper.make_tensor_value_info(WIDE, TensorProto.FLOAT, features))
    onnx.save(model, target)
    return target


def _rename(graph: GraphProto, output: str, name: str) -> None:
    """Rename an output of a node, and keep the graph's output of the old name for another node."""
    for node in graph.node:
        node.output[:] = [name if one == output else one for one in node.output]
        node.input[:] = [name if one == output else one for one in node.input]


def _int(value: int) -> NDArray[np.int64]:
    return np.array(value, np.int64)


def _constant(graph: GraphProto, name: str, value: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"wide/{name}"))
    return f"wide/{name}"


def _add(graph: GraphProto, operator: str, *inputs: str, output: str = "", **given: int) -> str:
    """Append a node; return the name of its output."""
    output = output or f"wide/{operator}_{len(graph.node)}"
    graph.node.append(helper.make_node(operator, list(inputs), [output], name=f"{output}/node", **given))
    return output
