"""Export a fine-tuned checkpoint to the ONNX graph for serving, and quantize it.

The graph takes one unpadded text at a time, which allows three exact savings over a plain export (measured by
`make bench`; the numbers are in docs/decisions/0002-serving-graph.md):

- no attention mask, as nothing is padded;
- the last block of DistilBERT is computed for the first token only, which is all that its head reads;
- layer normalization is expanded to vectorized operators: ONNX Runtime's CPU kernel for
  SkipLayerNormalization is scalar and took over a quarter of the int8 forward pass.

The input of the classification head is a second output, from which serving computes the novelty of a text. It
is computed anyway; the output costs a copy of one vector.

`training.export.export` decides which quantized candidate is good enough.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.onnx_model import OnnxModel
from onnxruntime.transformers.optimizer import optimize_model
from optimum.exporters.onnx import onnx_export_from_model
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from training.errors import ModelError

OPSET = 18
# The input of the classification head: the encoder's last hidden state of the first token.
POOLED = "pooled"


@dataclass(frozen=True)
class Quantization:
    """A quantization of the weights to signed int8; activations are quantized at run time."""

    name: str
    reduce_range: bool  # 7-bit weights: cannot saturate the 16-bit sums of x86 processors without VNNI
    embeddings: bool  # also quantize the embedding table, half of a small model


QUANTIZATIONS = (
    Quantization("per_channel-reduce_range-embeddings", reduce_range=True, embeddings=True),
    Quantization("per_channel-embeddings", reduce_range=False, embeddings=True),
    Quantization("per_channel-reduce_range", reduce_range=True, embeddings=False),
    Quantization("per_channel", reduce_range=False, embeddings=False),
)


class FirstTokenBlock(torch.nn.Module):
    """A DistilBERT block that attends over all tokens but computes only the first one's output.

    Maps (batch, tokens, width) to (batch, 1, width), exactly the first token of the whole block's output.
    """

    def __init__(self, block: torch.nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor]:
        """Ignore the masks that DistilBERT passes: served texts are not padded."""
        first = x[:, :1]
        attended = self.block.attention(query=first, key=x, value=x, mask=None)[0]
        attended = self.block.sa_layer_norm(attended + first)
        return (self.block.output_layer_norm(self.block.ffn(attended) + attended),)


def export_graph(checkpoint: Path, folder: Path) -> Path:
    """Write the fused fp32 graph of a sequence-classification checkpoint to `folder`; return its path.

    Inputs are `input_ids` (batch, tokens) and others that the architecture needs. Outputs are
    `logits` (batch, labels) and, if the head reads only the first token, `pooled` (batch, width). Raises
    ModelError when the architecture cannot be exported.
    """
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, attn_implementation="sdpa").eval()
    if model.config.model_type == "distilbert":
        keep_first_token(model)
    graph = trace_and_fuse(model, folder)
    drop_mask(graph)
    expand_layer_norms(graph.model)
    expose_pooled(graph, model.config.hidden_size)
    fused = folder / "fused.onnx"
    graph.save_model_to_file(str(fused))
    return fused


def keep_first_token(model: PreTrainedModel) -> None:
    """Make the last block of a DistilBERT classifier compute only what its head reads, in place."""
    blocks = model.distilbert.transformer.layer
    blocks[-1] = FirstTokenBlock(blocks[-1])


def trace_and_fuse(model: PreTrainedModel, folder: Path) -> OnnxModel:
    """Trace a model into `folder` and fuse attention, GELU and layer normalization."""
    with _quiet():
        _trace(model, folder)
        return optimize_model(
            str(folder / "model.onnx"),
            model_type="bert",  # "distilbert" fuses nothing
            num_heads=model.config.num_attention_heads,
            hidden_size=model.config.hidden_size,
            opt_level=0,
            use_gpu=False,
        )


def quantize(fused: Path, target: Path, quantization: Quantization) -> Path:
    """Quantize a fused graph to int8 and write it to `target`; return the path."""
    operators = ["MatMul", "Gemm", "Attention"]
    if quantization.embeddings:
        operators += ["Gather", "EmbedLayerNormalization"]
    with _quiet():
        quantize_dynamic(
            str(fused),
            str(target),
            op_types_to_quantize=operators,
            per_channel=True,
            reduce_range=quantization.reduce_range,
            weight_type=QuantType.QInt8,
            # The fused operators have no shape inference, so their output type must be given.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    return target


def drop_mask(graph: OnnxModel) -> None:
    """Remove the mask from the fused operators, and from the inputs if nothing else reads it."""
    for operator, mask_position in (("Attention", 3), ("EmbedLayerNormalization", 7)):
        for node in graph.get_nodes_by_op_type(operator):
            if len(node.input) > mask_position:
                node.input[mask_position] = ""
    graph.prune_graph(allow_remove_graph_inputs=True)


def expose_pooled(graph: OnnxModel, width: int) -> None:
    """Expose the input of the classification head as the output POOLED, if it is one token's vector.

    Walks back from the logits through operators with one computed input to the one that selects the first
    token, and renames its output; no operator is added. Graphs of another structure are left unchanged.
    """
    producers = graph.output_name_to_node()
    node = producers["logits"]
    while not _selects_first_token(graph, node):
        computed = [
            name for name in node.input if name in producers and producers[name].op_type != "Constant"
        ]
        if len(computed) != 1:
            return
        node = producers[computed[0]]
    graph.replace_input_of_all_nodes(node.output[0], POOLED)
    node.output[0] = POOLED
    shape: list[str | int] = ["batch_size", width]
    graph.model.graph.output.append(helper.make_tensor_value_info(POOLED, onnx.TensorProto.FLOAT, shape))


def _selects_first_token(graph: OnnxModel, node: NodeProto) -> bool:
    if node.op_type != "Gather" or [attribute.i for attribute in node.attribute] != [1]:
        return False
    position = graph.get_constant_value(node.input[1])
    return position is not None and position.shape == () and int(position) == 0


def expand_layer_norms(model: ModelProto) -> None:
    """Replace every SkipLayerNormalization with elementwise operators, in place.

    The variance uses Mul instead of Pow, so that ONNX Runtime does not fuse the pattern again at load.
    """
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "SkipLayerNormalization":
            nodes += _elementwise_layer_norm(model, node)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _elementwise_layer_norm(model: ModelProto, node: NodeProto) -> Iterator[NodeProto]:
    x, skip, scale, shift, *bias = [name for name in node.input if name]
    out = node.output[0]
    epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
    axes_name, epsilon_name = f"{out}/axes", f"{out}/epsilon"
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), axes_name))
    model.graph.initializer.append(numpy_helper.from_array(np.array(epsilon, dtype=np.float32), epsilon_name))

    def step(operator: str, *inputs: str, to: str, **attributes: Any) -> NodeProto:
        return helper.make_node(operator, list(inputs), [to], name=f"{to}/{operator}", **attributes)

    if bias:
        yield step("Add", x, bias[0], to=f"{out}/biased")
        x = f"{out}/biased"
    yield step("Add", x, skip, to=f"{out}/sum")
    yield step("ReduceMean", f"{out}/sum", axes_name, to=f"{out}/mean", keepdims=1)
    yield step("Sub", f"{out}/sum", f"{out}/mean", to=f"{out}/centered")
    yield step("Mul", f"{out}/centered", f"{out}/centered", to=f"{out}/squared")
    yield step("ReduceMean", f"{out}/squared", axes_name, to=f"{out}/variance", keepdims=1)
    yield step("Add", f"{out}/variance", epsilon_name, to=f"{out}/stable")
    yield step("Sqrt", f"{out}/stable", to=f"{out}/deviation")
    yield step("Div", f"{out}/centered", f"{out}/deviation", to=f"{out}/normed")
    yield step("Mul", f"{out}/normed", scale, to=f"{out}/scaled")
    yield step("Add", f"{out}/scaled", shift, to=out)


def _trace(model: PreTrainedModel, folder: Path) -> None:
    try:
        onnx_export_from_model(
            model, folder, opset=OPSET, task="text-classification", do_validation=False, no_post_process=True
        )
    except (KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{model.config.model_type} checkpoints cannot be exported to ONNX: {str(error).splitlines()[0]} "
            "(use a DistilBERT, BERT or RoBERTa checkpoint)"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence messages of the tracer, optimizer and quantizer that users cannot act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
