"""Distill a fine-tuned classifier into fewer of its layers, for lower latency.

The student is the teacher with some layers removed (Sanh et al. 2019, "DistilBERT"). From each training row
it learns the label, the teacher's probabilities (Hinton et al. 2015, "Distilling the Knowledge in a Neural
Network"), and the first token's hidden states in the teacher's layers, which the head reads (Sun et al. 2019,
"Patient Knowledge Distillation for BERT Model Compression"). The teacher's outputs are computed once, before
training, and stay in memory. `training.finetune.tune` trains the student like any other model.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize, softmax
from transformers import PreTrainedModel

from training.errors import ConfigError, Interrupted, ModelError
from training.finetune.distributed import any_process
from training.finetune.model import Classifier, encoder_layers, read_config
from training.progress import Progress, silent

# Patient distillation searches hard-label shares from 0.3 to 0.8 and temperatures from 5 up; two labels need
# less softening.
HARD_SHARE = 0.5
TEMPERATURE = 2.0
STATES_WEIGHT = 1.0
_BATCH = 32
# Their layers are equal and in one list. Other families share layers (ALBERT) or vary them by position
# (ModernBERT), so the remaining layers would not compute what they do in the teacher.
FAMILIES = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")


def layers_to_keep(teacher: int, student: int) -> list[int]:
    """Return the layers that the student keeps: first, last and evenly spaced between; one: the last."""
    if not 1 <= student <= teacher:
        raise ConfigError(f"student_layers: the teacher has {teacher} layers; give 1 to {teacher}")
    if student == 1:
        return [teacher - 1]
    return [round(index * (teacher - 1) / (student - 1)) for index in range(student)]


def keep_layers(model: PreTrainedModel, layers: Sequence[int]) -> None:
    """Remove all other layers from the model's encoder, in place."""
    blocks = encoder_layers(model)
    kept = torch.nn.ModuleList(blocks[layer] for layer in layers)
    for module in model.base_model.modules():
        for name, child in list(module.named_children()):
            if child is blocks:
                setattr(module, name, kept)
    model.config.num_hidden_layers = len(layers)


def check_student(model: str, student_layers: int, labels: Sequence[str], *, teacher: str | None) -> None:
    """Raise ConfigError or ModelError unless the teacher has these labels, in this order, and enough layers.

    Reads only its configuration, so that a mistake is reported before a teacher is fine-tuned.
    """
    config = read_config(teacher or model)
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"cannot remove layers from a model of type {config.model_type}; distill one of "
            f"{', '.join(FAMILIES)}"
        )
    layers_to_keep(int(config.num_hidden_layers), student_layers)
    names = [config.id2label[index] for index in sorted(config.id2label)]
    if teacher is not None and names != list(labels):
        raise ModelError(
            f"teacher {teacher} has the labels {', '.join(names)}, the data has {', '.join(labels)}; "
            "fine-tune it on data with the same labels"
        )


def compute_teacher_outputs(
    teacher: Classifier,
    encoded: Sequence[list[int]],
    layers: Sequence[int],
    progress: Progress = silent,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, NDArray[Any]]:
    """Return the teacher's outputs for the texts: `teacher_logits` (texts, labels) and `teacher_states`.

    The latter are the first token's hidden states after each of these layers, (texts, layers, width), of unit
    length and in half precision. Raises Interrupted once `should_stop` returns true in any process.
    """
    model = teacher.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    longest_first = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    logits = np.empty((len(encoded), model.config.num_labels), np.float32)
    states = np.empty((len(encoded), len(layers), model.config.hidden_size), np.float16)
    for start in range(0, len(encoded), _BATCH):
        if any_process(should_stop()):
            raise Interrupted(
                "stop requested while computing the teacher's outputs; a resumed run computes them again"
            )
        progress("Computing the teacher's outputs", start, len(encoded))
        rows = longest_first[start : start + _BATCH]
        batch = teacher.tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            outputs = model(**batch.to(model.device), output_hidden_states=True)
        logits[rows] = outputs.logits.cpu()
        first_tokens = _first_tokens(outputs, [layer + 1 for layer in layers])
        states[rows] = normalize(first_tokens, dim=-1).cpu()
    return {"teacher_logits": logits, "teacher_states": states}


def distillation_loss(hard: Tensor, outputs: Any, logits: Tensor, states: Tensor) -> Tensor:
    """Return each row's loss from its label (`hard`) and the teacher's `logits` and `states`.

    Shapes: `hard` (rows,), `logits` (rows, labels), `states` (rows, layers, width).
    """
    soft = kl_div(
        log_softmax(outputs.logits / TEMPERATURE, dim=-1),
        softmax(logits / TEMPERATURE, dim=-1),
        reduction="none",
    ).sum(dim=-1)
    own = normalize(_first_tokens(outputs, range(1, states.shape[1] + 1)), dim=-1)
    distance = (own - states).square().sum(dim=-1).mean(dim=-1)
    return HARD_SHARE * hard + (1 - HARD_SHARE) * TEMPERATURE**2 * soft + STATES_WEIGHT * distance


def _first_tokens(outputs: Any, layers: Sequence[int]) -> Tensor:
    """Return the first token's hidden states (rows, layers, width); layer 0 is the embeddings."""
    return torch.stack([outputs.hidden_states[layer][:, 0] for layer in layers], dim=1)
