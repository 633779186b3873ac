"""The models that the serving benchmarks run, in the formats that the contenders load."""

from dataclasses import dataclass
from pathlib import Path

MODELS = ("embedded (384 wide)", "DistilBERT-base (random)")


@dataclass(frozen=True)
class Built:
    """One model in the formats that the contenders load."""

    checkpoint: Path
    artifact: Path
    onnx: Path


def build(name: str, folder: Path) -> Built:
    """Create the checkpoint, artifact and plain ONNX export of one of MODELS."""
    import torch
    from optimum.exporters.onnx import onnx_export_from_model
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from training.data.rows import Rows
    from training.export.candidates import Gate
    from training.export.export import build_artifact
    from training.finetune.model import load_classifier

    labels = ["negative", "positive"]
    torch.manual_seed(0)
    model, tokenizer = load_classifier("embedded", labels)
    if name == MODELS[1]:
        model = DistilBertForSequenceClassification(DistilBertConfig())
    checkpoint = folder / "checkpoint"
    model.eval().save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    artifact = build_artifact(
        checkpoint,
        rows := Rows(["good", "bad"], [1, 0]),
        rows,
        max_length=512,
        truncation="head",
        labels=labels,
        artifacts=folder,
        card_fields={"base_model": name},
        wide_rows=rows,  # its weights are 0, but it costs as much as any
        gate=Gate(max_accuracy_loss=1, max_flipped=1),
    )
    onnx = folder / "onnx"
    onnx_export_from_model(model, onnx, opset=18, task="text-classification", do_validation=False)
    tokenizer.save_pretrained(onnx)
    return Built(checkpoint, artifact.folder, onnx)
