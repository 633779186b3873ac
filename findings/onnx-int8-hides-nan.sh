#!/usr/bin/env bash
# onnxruntime 1.32.0: a dynamically quantized layer turns NaN into finite numbers.
#
# Expected: NaN in, NaN out, as in the fp32 graph, so that a broken model or input shows in its output.
# Seen: DynamicQuantizeLinear ignores NaN when it takes the range and then stores NaN as the integer of 0. The
# int8 MatMul returns finite logits, and softmax makes confident probabilities of them.
# So: check the fp32 graph for NaN before quantizing; the int8 graph cannot show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
weights = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["logits"])],
    "layer",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
    [numpy_helper.from_array(weights, "w")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), "fp32.onnx")
quantize_dynamic("fp32.onnx", "int8.onnx", weight_type=QuantType.QInt8)

x = np.linspace(-1, 1, 8, dtype=np.float32)[None]
x[0, 3] = np.nan
logits = {}
for name in ("fp32", "int8"):
    session = onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"])
    (logits[name],) = session.run(None, {"x": x})
    print("onnxruntime", onnxruntime.__version__, name, logits[name].tolist())
if not np.isnan(logits["fp32"]).all():
    raise SystemExit("changed: fp32 does not pass NaN on")
if not np.isfinite(logits["int8"]).all():
    raise SystemExit("changed: int8 passes NaN on")
PYTHON
