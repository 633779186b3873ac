"""Distil a fine-tuned classifier into fewer of its layers, for those who would rather have speed.

The student is the teacher with some layers taken out (Sanh et al. 2019, "DistilBERT"), and learns three
things of each training row: its label, the teacher's probabilities (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network"), and where the teacher's layers put the first token, which is what the head
reads (Sun et al. 2019, "Patient Knowledge Distillation for BERT Model Compression"). The teacher reads every
row once, before the training. The optimisation is `training.tune`, as of any other model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize, softmax
from transformers import AutoConfig, PreTrainedModel

from training.errors import ConfigError, ModelError
from training.model import Classifier, stack
from training.progress import Progress, silent

# Patient distillation searches shares of the hard labels from 0.3 to 0.8 and temperatures from 5 on; of two
# labels there is less to soften.
HARD_SHARE = 0.5
TEMPERATURE = 2.0
STATES_WEIGHT = 1.0
_BATCH = 32


def layers_to_keep(teacher: int, student: int) -> list[int]:
    """Return which layers the student keeps: first, last and evenly what is between; of one, the last."""
    if not 1 <= student <= teacher:
        raise ConfigError(f"student_layers: the teacher has {teacher} layers; give 1 to {teacher}")
    if student == 1:
        return [teacher - 1]
    return [round(place * (teacher - 1) / (student - 1)) for place in range(student)]


def keep_layers(model: PreTrainedModel, layers: Sequence[int]) -> None:
    """Take all other layers out of the model's encoder, in place."""
    blocks = stack(model)
    kept = torch.nn.ModuleList(blocks[layer] for layer in layers)
    for module in model.base_model.modules():
        for name, child in list(module.named_children()):
            if child is blocks:
                setattr(module, name, kept)
    model.config.num_hidden_layers = len(layers)


def check_teacher(folder: Path, labels: Sequence[str]) -> None:
    """Raise ModelError unless the folder holds a classifier of these labels, in this order."""
    try:
        names = AutoConfig.from_pretrained(folder).id2label
    except (OSError, ValueError) as error:
        raise ModelError(
            f"teacher {folder} cannot be read; give a folder such as artifacts/runs/<run>/checkpoints/best"
        ) from error
    if [names[index] for index in sorted(names)] != list(labels):
        raise ModelError(
            f"teacher {folder} tells {', '.join(names.values())} apart, and the data {', '.join(labels)}; "
            "fine-tune it on data of the same labels"
        )


def listen(
    teacher: Classifier, encoded: Sequence[list[int]], layers: Sequence[int], progress: Progress = silent
) -> list[dict[str, list[Any]]]:
    """Return what the teacher says of each text: `teacher_logits` (labels) and `teacher_states`.

    The latter are of the first token after each of these layers, (layers, width), of unit length.
    """
    model = teacher.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    longest_first = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    said: list[dict[str, list[Any]]] = [{}] * len(encoded)
    for start in range(0, len(encoded), _BATCH):
        progress("Asking the teacher", start, len(encoded))
        rows = longest_first[start : start + _BATCH]
        batch = teacher.tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            outputs = model(**batch.to(model.device), output_hidden_states=True)
        states = normalize(_first_tokens(outputs, [layer + 1 for layer in layers]), dim=-1)
        for row, logits, of_row in zip(rows, outputs.logits.tolist(), states.tolist(), strict=True):
            said[row] = {"teacher_logits": logits, "teacher_states": of_row}
    return said


def distillation_loss(hard: Tensor, outputs: Any, logits: Tensor, states: Tensor) -> Tensor:
    """Return the loss of each row: of its label (`hard`), the teacher's `logits` and its `states`.

    Shapes: (rows,), and of the teacher (rows, labels) and (rows, layers, width).
    """
    soft = kl_div(
        log_softmax(outputs.logits / TEMPERATURE, dim=-1),
        softmax(logits / TEMPERATURE, dim=-1),
        reduction="none",
    ).sum(dim=-1)
    own = normalize(_first_tokens(outputs, range(1, states.shape[1] + 1)), dim=-1)
    apart = (own - states).square().sum(dim=-1).mean(dim=-1)
    return HARD_SHARE * hard + (1 - HARD_SHARE) * TEMPERATURE**2 * soft + STATES_WEIGHT * apart


def _first_tokens(outputs: Any, places: Sequence[int]) -> Tensor:
    """Return the first token's hidden states (rows, places, width); place 0 is the embeddings."""
    return torch.stack([outputs.hidden_states[place][:, 0] for place in places], dim=1)
