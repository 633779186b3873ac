"""The Hugging Face Trainer, extended.

The order of the rows depends on seed and epoch alone; layer-wise learning rates, row weights and a teacher's
outputs are supported.
"""

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainingArguments

from training.finetune.distill import distillation_loss
from training.finetune.layerwise_lr import parameter_groups
from training.finetune.sampler import LengthGroupedSampler


class Arguments(TrainingArguments):
    """The Trainer's arguments, with a CPU device that torch can load a checkpoint to.

    Distributed CPU processes get `cpu:0`, which torch.load does not accept.
    """

    @property
    def device(self) -> torch.device:
        """Return the device of the model."""
        device: torch.device = super().device
        return torch.device("cpu") if device.type == "cpu" else device


class ClassifierTrainer(Trainer):
    """A Trainer of sequence classifiers.

    The Trainer's own grouping by length draws from the global random state: processes whose dropout differs
    would train on the same rows, and a run resumed within an epoch would repeat some.
    """

    layer_decay = 1.0
    optimizer: Any

    def create_optimizer(self) -> Any:
        """Create the Trainer's optimizer, with layer-wise learning rates if they differ."""
        if self.layer_decay < 1.0 and self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            groups = parameter_groups(
                self.model,
                learning_rate=self.args.learning_rate,
                layer_decay=self.layer_decay,
                weight_decay=self.args.weight_decay,
                decayed=self.get_decay_parameter_names(self.model),
            )
            self.optimizer = kind(groups, **options)
        return super().create_optimizer()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **counted: Any
    ) -> Any:
        """Return the mean loss of a batch: the Trainer's own, unless rows have weights or a teacher.

        Weights average to one over all rows, so the loss is divided by the batch size and not by its weights.
        Accumulated batches, or batches spread over processes, then equal one large batch.
        """
        weights, taught = inputs.pop("weights", None), inputs.pop("teacher_logits", None)
        states = inputs.pop("teacher_states", None)
        if weights is None and taught is None:
            return super().compute_loss(model, inputs, return_outputs, **counted)
        labels = inputs.pop("labels")
        outputs = model(**inputs, output_hidden_states=taught is not None)
        losses = cross_entropy(
            outputs.logits, labels, reduction="none", label_smoothing=self.args.label_smoothing_factor
        )
        if taught is not None:
            losses = distillation_loss(losses, outputs, taught, states)
        loss = (losses if weights is None else losses * weights).mean()
        return (loss, outputs) if return_outputs else loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if not self.args.group_by_length:
            return super()._get_train_sampler(train_dataset)
        return LengthGroupedSampler(
            self.train_dataset.lengths,
            self.args.train_batch_size * self.args.gradient_accumulation_steps,
            self.args.seed,
        )
