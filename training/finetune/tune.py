"""Fine-tune a classifier with the Hugging Face Trainer; a killed run resumes from its last checkpoint.

Under torchrun every process runs this, and only the first writes the best weights and reports.

Metrics here are those of the PyTorch model; `training.export.export` measures the exported one.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from training.config import TrainingConfig
from training.data.examples import Examples, tokenized_examples
from training.data.rows import Dataset, Rows
from training.errors import ConfigError, Interrupted, ModelError
from training.finetune.callbacks import Log, ReportProgress, SaveBest, StopOnRequest
from training.finetune.distill import compute_teacher_outputs, keep_layers, layers_to_keep
from training.finetune.distributed import common_checkpoint_steps
from training.finetune.model import (
    Classifier,
    backend_tokenizer,
    encoder_layers,
    freeze,
    load_classifier,
    max_positions,
)
from training.finetune.trainer import Arguments, ClassifierTrainer
from training.metrics import classification_metrics, numbers
from training.progress import Progress, silent
from training.text import Truncation

BEST = "best"
# Before both are compared, train on both ends: the verdict of a review is often in its last sentence.
_TRAINING_TRUNCATION: Truncation = "head_tail"
_EVALUATION_BATCH = 16
_LOGGING_STEPS = 10
_CHECKPOINTS_KEPT = 2
_CHECKPOINT_FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt")


@dataclass(frozen=True)
class FineTuneResult:
    """A fine-tuned checkpoint, a folder for `from_pretrained`, and what its training took."""

    checkpoint: Path
    steps: int
    resumed_from_step: int
    precision: str
    processes: int
    seconds: float  # of this call, so since the last resume


def fine_tune(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    *,
    progress: Progress = silent,
    log: Log = lambda _metrics, _step: None,
    should_stop: Callable[[], bool] = lambda: False,
    teacher: Path | None = None,
) -> FineTuneResult:
    """Train on `data.train` and keep the weights with the best validation accuracy in `folder`/best.

    With `teacher`, the folder of a fine-tuned classifier, `config.student_layers` of its layers are trained
    as its student.

    With `config.resume` training continues from the last complete checkpoint in `folder`; otherwise the files
    of an earlier run are removed. `log` gets the metrics of each logging step and each evaluation. Once
    `should_stop` returns true in any process, a checkpoint is written and Interrupted raised.
    """
    progress("Loading the model")
    set_seed(config.seed)
    model, tokenizer = load_classifier(str(teacher or config.model), data.labels, dropout=config.dropout)
    progress("Tokenizing")
    examples = _examples(config, tokenizer, data.train)
    limit = max_positions(model)
    if config.max_length > limit:
        raise ConfigError(f"max_length: the model reads at most {limit} tokens, not {config.max_length}")
    freeze(model, embeddings=config.freeze_embeddings, layers=config.frozen_layers)
    precision = choose_precision(config.precision)
    arguments = _arguments(config, folder, precision)  # also connects the processes
    if teacher is not None and config.student_layers is not None:
        # After freezing, so that `frozen_layers` counts the layers of the teacher.
        kept = layers_to_keep(len(encoder_layers(model)), config.student_layers)
        examples.teacher_outputs = compute_teacher_outputs(
            Classifier(model, tokenizer), examples.ids, kept, progress, should_stop
        )
        keep_layers(model, kept)
    steps = common_checkpoint_steps(_complete_checkpoints(folder)) if config.resume else []
    checkpoint = folder / f"checkpoint-{steps[-1]}" if steps else None
    if checkpoint is None and arguments.local_process_index == 0:
        shutil.rmtree(folder, ignore_errors=True)
    best = SaveBest(Classifier(model, tokenizer), folder / BEST)
    stop = StopOnRequest(should_stop)
    callbacks: list[TrainerCallback] = [best, ReportProgress(progress, log), stop]
    if config.patience:
        callbacks.append(EarlyStoppingCallback(config.patience))
    trainer = ClassifierTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=_examples(config, tokenizer, data.validation),
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=_trainer_metrics,
        callbacks=callbacks,
    )
    trainer.layer_decay = config.layer_decay
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except RuntimeError as error:
        if checkpoint is None or "size mismatch" not in str(error):
            raise
        raise ModelError(
            f"{checkpoint} is a checkpoint of another model; remove it, or leave out --resume"
        ) from error
    if stop.stopped:
        raise Interrupted(f"stop requested after step {trainer.state.global_step}; saved, ready to continue")
    if trainer.is_world_process_zero() and not best.folder.exists():
        best.save()
    return FineTuneResult(
        checkpoint=best.folder,
        steps=trainer.state.global_step,
        resumed_from_step=steps[-1] if steps else 0,
        precision=precision,
        processes=arguments.world_size,
        seconds=time.monotonic() - started,
    )


def choose_precision(wanted: str) -> str:
    """Return `wanted`, or for `auto` the fastest precision on this machine.

    Raises ConfigError for fp16 without CUDA, where it cannot be trained.
    """
    cuda = torch.cuda.is_available()
    if wanted == "fp16" and not cuda:
        raise ConfigError("precision: fp16 needs a CUDA device; choose auto, fp32 or bf16")
    if wanted != "auto":
        return wanted
    if cuda:
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    # With AMX, a step of the embedded model took a third less CPU time in bf16. AVX-512 alone also supports
    # bf16, but its accuracy was not measured, so `auto` stays with fp32.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bf16" if has_amx() else "fp32"


def _arguments(config: TrainingConfig, folder: Path, precision: str) -> TrainingArguments:
    # TrainingArguments sets this variable and also reads it: after a run in bf16, one in fp32 in the same
    # process would be in bf16 too.
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no" if precision == "fp32" else precision
    return Arguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=_EVALUATION_BATCH,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.scheduler,
        warmup_ratio=config.warmup,
        weight_decay=config.weight_decay,
        label_smoothing_factor=config.label_smoothing,
        group_by_length=config.length_grouped,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        eval_strategy="steps",
        eval_steps=config.evaluate_every,
        metric_for_best_model="accuracy",
        greater_is_better=True,
        save_strategy="epoch",
        save_total_limit=_CHECKPOINTS_KEPT,
        restore_callback_states_from_checkpoint=True,
        logging_steps=_LOGGING_STEPS,
        seed=config.seed,
        report_to=[],
        remove_unused_columns=False,
        gradient_checkpointing=config.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},  # reentrant would need trainable embeddings
        torch_compile=config.torch_compile,
        disable_tqdm=True,
        use_cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _examples(config: TrainingConfig, tokenizer: PreTrainedTokenizerFast, rows: Rows) -> Examples:
    truncation = _TRAINING_TRUNCATION if config.truncation == "auto" else config.truncation
    return tokenized_examples(
        rows, backend_tokenizer(tokenizer), config.training_length, truncation, config.cache_folder
    )


def _trainer_metrics(prediction: EvalPrediction) -> dict[str, float]:
    logits = np.asarray(prediction.predictions, dtype=np.float64)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return numbers(classification_metrics(np.asarray(prediction.label_ids), probabilities))


def _complete_checkpoints(folder: Path) -> list[int]:
    """Return the steps of the complete checkpoints.

    The Trainer writes the state file last, but SageMaker uploads and restores files one by one in any order,
    so the other files must exist too.
    """
    steps = []
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        if not all((checkpoint / name).is_file() for name in _CHECKPOINT_FILES):
            continue
        steps.append(int(checkpoint.name.rpartition("-")[2]))
    return steps
