"""Fine-tune a classifier with the Hugging Face Trainer; a killed run goes on from its last epoch.

Whatever is measured here is measured in PyTorch; the exported model is judged by `training.export`.
"""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from training.callbacks import KeepBest, Log, Report
from training.config import TrainingConfig
from training.data import Dataset, Rows
from training.errors import ConfigError
from training.evaluate import classification_metrics, numbers
from training.model import Classifier, backend, freeze, load_classifier, max_positions
from training.progress import Progress, silent
from training.text import Truncation, encode_batch

BEST = "best"
# While both are still to be compared, train on both ends: a review's verdict is often its last sentence.
_TRAINING_TRUNCATION: Truncation = "head_tail"
_EVALUATION_BATCH = 16
_LOGGING_STEPS = 10
_CHECKPOINTS_KEPT = 2


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned checkpoint: a folder that `from_pretrained` reads, and what training it took."""

    checkpoint: Path
    steps: int
    resumed_from_step: int
    precision: str
    seconds: float  # of this call, so without what came before a resume


def fine_tune(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    *,
    progress: Progress = silent,
    log: Log = lambda _metrics, _step: None,
) -> Tuned:
    """Train on `data.train` and keep the weights with the best validation accuracy in `folder`/best.

    With `config.resume` training goes on from the last whole checkpoint in `folder`; otherwise what an
    earlier run left there is removed. `log` gets the metrics of each logging step and each evaluation.
    """
    progress("Loading the model")
    set_seed(config.seed)
    model, tokenizer = load_classifier(config.model, data.labels, dropout=config.dropout)
    limit = max_positions(model)
    if config.max_length > limit:
        raise ConfigError(f"max_length: the model reads at most {limit} tokens, not {config.max_length}")
    freeze(model, embeddings=config.freeze_embeddings, layers=config.frozen_layers)
    checkpoint = _last_checkpoint(folder) if config.resume else None
    if checkpoint is None and folder.exists():
        shutil.rmtree(folder)
    best = KeepBest(Classifier(model, tokenizer), folder / BEST)
    callbacks: list[TrainerCallback] = [best, Report(progress, log)]
    if config.patience:
        callbacks.append(EarlyStoppingCallback(config.patience))
    precision = choose_precision(config.precision)
    trainer = Trainer(
        model=model,
        args=_arguments(config, folder, precision),
        train_dataset=_examples(config, tokenizer, data.train),
        eval_dataset=_examples(config, tokenizer, data.validation),
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=_trainer_metrics,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if not best.folder.exists():
        best.save()
    return Tuned(
        checkpoint=best.folder,
        steps=trainer.state.global_step,
        resumed_from_step=_step(checkpoint) if checkpoint else 0,
        precision=precision,
        seconds=time.monotonic() - started,
    )


def choose_precision(wanted: str) -> str:
    """Return the fastest precision this machine trains in, or `wanted` when it is not `auto`.

    Raises ConfigError for fp16 without CUDA, which has no half-precision training.
    """
    cuda = torch.cuda.is_available()
    if wanted == "fp16" and not cuda:
        raise ConfigError("precision: fp16 needs a CUDA device; choose auto, fp32 or bf16")
    if wanted != "auto":
        return wanted
    if cuda:
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    # With AMX a step of the embedded model took a third less processor time in bf16. AVX-512 alone also knows
    # bf16, but whether it gains was not measured, so it stays with fp32.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bf16" if has_amx() else "fp32"


def _arguments(config: TrainingConfig, folder: Path, precision: str) -> TrainingArguments:
    return TrainingArguments(
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
        disable_tqdm=True,
        use_cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _examples(config: TrainingConfig, tokenizer: PreTrainedTokenizerFast, rows: Rows) -> list[dict[str, Any]]:
    truncation = _TRAINING_TRUNCATION if config.truncation == "auto" else config.truncation
    encoded = encode_batch(backend(tokenizer), rows.texts, config.training_length, truncation)
    return [{"input_ids": ids, "labels": label} for ids, label in zip(encoded, rows.labels, strict=True)]


def _trainer_metrics(prediction: EvalPrediction) -> dict[str, float]:
    logits = np.asarray(prediction.predictions, dtype=np.float64)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return numbers(classification_metrics(np.asarray(prediction.label_ids), probabilities))


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end: the Trainer writes its state file last."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return checkpoint
    return None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
