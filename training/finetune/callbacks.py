"""What happens between the steps of fine-tuning: evaluating, keeping the best, stopping, reporting."""

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


class KeepBest(TrainerCallback):
    """Evaluates at the end of each epoch too, and saves the model whenever an evaluation is the best yet.

    The Trainer's own `load_best_model_at_end` would tie checkpoints to evaluations.
    """

    def __init__(self, classifier: Classifier, folder: Path) -> None:
        self.classifier = classifier
        self.folder = folder

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask for an evaluation, unless it would be the only one."""
        # After a single epoch there is nothing to choose between, and both truncations are measured next.
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
        """Save the model if no earlier evaluation was as good; the Trainer notes the new best after this."""
        better = state.best_metric is None or metrics["eval_accuracy"] > state.best_metric
        if better and state.is_world_process_zero:
            self.save()

    def save(self) -> None:
        """Write model and tokenizer; a kill leaves the folder whole or absent."""
        unfinished = self.folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.classifier.model.save_pretrained(unfinished)
        self.classifier.tokenizer.save_pretrained(unfinished)
        shutil.rmtree(self.folder, ignore_errors=True)
        unfinished.rename(self.folder)


class Stop(TrainerCallback):
    """Saves a checkpoint and ends training after the step in which any process was told to stop."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.stopping = stopping
        self.stopped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask whether to stop."""
        # All processes must leave the loop after the same step, else those that stay wait for the others.
        if any_process(self.stopping()):
            self.stopped = control.should_save = control.should_training_stop = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask again: an evaluation may have taken a minute."""
        self.on_step_end(args, state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Leave out what the end of an epoch would do: there is no time to evaluate, and all is saved."""
        if self.stopped:
            control.should_evaluate = control.should_save = False


class Report(TrainerCallback):
    """Passes steps to the progress display and metrics to the experiment log."""

    def __init__(self, progress: Progress, log: Log) -> None:
        self.progress = progress
        self.log = log

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Show the bar, on a resumed run where it stopped."""
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
        """Pass on what the Trainer measured."""
        self.log({name: value for name, value in logs.items() if math.isfinite(value)}, state.global_step)
