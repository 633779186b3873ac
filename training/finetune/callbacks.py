"""Trainer callbacks: evaluate and save the best model, stop on request, report progress."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.finetune.distributed import any_process
from training.finetune.model import Classifier
from training.progress import Progress

Log = Callable[[dict[str, Any], int], None]


class SaveBest(TrainerCallback):
    """Evaluates at the end of each epoch too, and saves the model after each best evaluation.

    The Trainer's own `load_best_model_at_end` would tie checkpoints to evaluations.
    """

    def __init__(self, classifier: Classifier, folder: Path) -> None:
        self.classifier = classifier
        self.folder = folder

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate, unless it would be the only evaluation."""
        # After a single epoch there is nothing to choose from, and both truncations are measured next.
        only_one = state.num_train_epochs == 1 and state.max_steps <= args.eval_steps
        control.should_evaluate = not only_one

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **_: Any,
    ) -> None:
        """Save the model if this is the best evaluation; the Trainer updates its best metric afterwards."""
        better = state.best_metric is None or metrics["eval_accuracy"] > state.best_metric
        if better and state.is_world_process_zero:
            self.save()

    def save(self) -> None:
        """Write model and tokenizer; if killed, the folder is complete or missing."""
        unfinished = self.folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.classifier.model.save_pretrained(unfinished)
        self.classifier.tokenizer.save_pretrained(unfinished)
        shutil.rmtree(self.folder, ignore_errors=True)
        unfinished.rename(self.folder)


class StopOnRequest(TrainerCallback):
    """Saves a checkpoint and ends training after the step in which any process was asked to stop."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop
        self.stopped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop if requested."""
        # All processes must leave the loop after the same step; otherwise the others would wait forever.
        if any_process(self.should_stop()):
            self.stopped = control.should_save = control.should_training_stop = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Check again: an evaluation may have taken a minute."""
        self.on_step_end(args, state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Skip evaluation and saving at the end of the epoch: time is short, and the checkpoint is saved."""
        if self.stopped:
            control.should_evaluate = control.should_save = False


class ReportProgress(TrainerCallback):
    """Reports steps to the progress display and metrics to the experiment log."""

    def __init__(self, progress: Progress, log: Log) -> None:
        self.progress = progress
        self.log = log

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Show the bar, at the step that a resumed run continues from."""
        self.on_step_end(args, state, control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the bar."""
        self.progress(f"Fine-tuning ({args.num_train_epochs} epochs)", state.global_step, state.max_steps)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        """Log the metrics of the Trainer."""
        self.log({name: value for name, value in logs.items() if math.isfinite(value)}, state.global_step)
