"""Distil a fine-tuned classifier into fewer of its layers, for those who would rather have speed.

The student is the teacher with some layers taken out (Sanh et al. 2019, "DistilBERT"), and learns three
things of each training row: its label, the teacher's probabilities (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network"), and where the teacher's layers put the first token, which is what the head
reads (Sun et al. 2019, "Patient Knowledge Distillation for BERT Model Compression"). The teacher reads every
row once, before the training, and its answers stay in memory. Optimization is
`training.finetune.tune`, as for any other model.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize, softmax
from transformers import PreTrainedModel

from training.config import TrainingConfig
from training.errors import ConfigError, Interrupted, ModelError
from training.finetune.distributed import any_process
from training.finetune.model import Classifier, read_config, stack
from training.progress import Progress, silent

# Patient distillation searches shares of the hard labels from 0.3 to 0.8 and temperatures from 5 on; of two
# labels there is less to soften.
HARD_SHARE = 0.5
TEMPERATURE = 2.0
STATES_WEIGHT = 1.0
_BATCH = 32
# Their layers stand in one list and are alike. Others share them (ALBERT) or tell them apart by their place
# (ModernBERT), so that what is left would not be the teacher's.
FAMILIES = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")


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


def check(config: TrainingConfig, labels: Sequence[str]) -> None:
    """Raise ConfigError or ModelError unless the teacher has these labels, in this order, and enough layers.

    Reads its configuration alone, so that a mistake is told before a teacher is fine-tuned.
    """
    if config.student_layers is None:
        return
    model = read_config(config.teacher or config.model)
    if model.model_type not in FAMILIES:
        raise ModelError(
            f"cannot take layers out of a model of type {model.model_type}; distil one of "
            f"{', '.join(FAMILIES)}"
        )
    layers_to_keep(int(model.num_hidden_layers), config.student_layers)
    names = [model.id2label[index] for index in sorted(model.id2label)]
    if config.teacher is not None and names != list(labels):
        raise ModelError(
            f"teacher {config.teacher} tells {', '.join(names)} apart, and the data {', '.join(labels)}; "
            "fine-tune it on data of the same labels"
        )


def listen(
    teacher: Classifier,
    encoded: Sequence[list[int]],
    layers: Sequence[int],
    progress: Progress = silent,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, NDArray[Any]]:
    """Return what the teacher says of the texts: `teacher_logits` (texts, labels) and `teacher_states`.

    The latter are of the first token after each of these layers, (texts, layers, width), of unit length, for
    which half precision is enough. Once `stopping` returns true in any process, Interrupted is raised.
    """
    model = teacher.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    longest_first = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    logits = np.empty((len(encoded), model.config.num_labels), np.float32)
    states = np.empty((len(encoded), len(layers), model.config.hidden_size), np.float16)
    for start in range(0, len(encoded), _BATCH):
        if any_process(stopping()):
            raise Interrupted("told to stop while the teacher was asked; ready to go on, and ask it again")
        progress("Asking the teacher", start, len(encoded))
        rows = longest_first[start : start + _BATCH]
        batch = teacher.tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            outputs = model(**batch.to(model.device), output_hidden_states=True)
        logits[rows] = outputs.logits.cpu()
        first_tokens = _first_tokens(outputs, [layer + 1 for layer in layers])
        states[rows] = normalize(first_tokens, dim=-1).cpu()
    return {"teacher_logits": logits, "teacher_states": states}


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
