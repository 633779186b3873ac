"""The runtimes that `benchmarks.serving` compares.

Each function creates a contender: text in, scores out, on one thread, up to 512 tokens, with tokenization.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

MAX_LENGTH = 512
Contender = Callable[[str], Any]


def our_classifier(artifact: Path) -> Contender:
    """Return the classifier of the handler without the handler, comparable with the others."""
    from functions.api.model.artifact import load_artifact
    from functions.api.model.classifier import Classifier

    return Classifier(load_artifact(artifact), threads=1, cache_entries=0).predict


def transformers_pipeline(checkpoint: Path) -> Contender:
    """Return the Hugging Face pipeline as in its documentation: eager PyTorch, fp32."""
    import torch
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(checkpoint), device="cpu")

    def predict(text: str) -> Any:
        with torch.inference_mode():
            return classify(text, truncation=True, max_length=MAX_LENGTH)

    return predict


def onnxruntime_fp32(checkpoint: Path, folder: Path) -> Contender:
    """Return an fp32 ONNX export fused by ONNX Runtime's transformer optimizer, with attention mask."""
    import onnxruntime
    from transformers import AutoModelForSequenceClassification

    from training.export.graph import trace_and_fuse

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    trace_and_fuse(model, folder).save_model_to_file(str(folder / "fused.onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "fused.onnx"), options)
    tokenizer = _tokenizer(checkpoint)

    def predict(text: str) -> Any:
        ids = np.array([tokenizer.encode(text).ids])
        return session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    return predict


def torch_dynamic_int8(checkpoint: Path) -> Contender:
    """Return PyTorch's dynamic quantization of every linear layer."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    tokenizer = _tokenizer(checkpoint)

    def predict(text: str) -> Any:
        with torch.inference_mode():
            return quantized(torch.tensor([tokenizer.encode(text).ids])).logits

    return predict


def ctranslate2_int8(checkpoint: Path, folder: Path) -> Contender:
    """Return CTranslate2's int8 encoder with the classification head in NumPy."""
    import ctranslate2
    from safetensors.numpy import load_file
    from transformers import AutoModel

    encoder_folder = folder / "encoder"
    AutoModel.from_pretrained(checkpoint).save_pretrained(encoder_folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (checkpoint / name).exists():
            (encoder_folder / name).write_bytes((checkpoint / name).read_bytes())
    converter = ctranslate2.converters.TransformersConverter(str(encoder_folder))
    converter.convert(str(folder / "ctranslate2"), quantization="int8", force=True)
    encoder = ctranslate2.Encoder(
        str(folder / "ctranslate2"), compute_type="int8", inter_threads=1, intra_threads=1
    )
    head = load_file(checkpoint / "model.safetensors")
    tokenizer = _tokenizer(checkpoint)

    def predict(text: str) -> Any:
        output = encoder.forward_batch([tokenizer.encode(text).ids])
        first = np.array(output.last_hidden_state)[0, 0]
        hidden = np.maximum(head["pre_classifier.weight"] @ first + head["pre_classifier.bias"], 0)
        return head["classifier.weight"] @ hidden + head["classifier.bias"]

    return predict


def _tokenizer(checkpoint: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
