"""Run the trials of a search: each is a fine-tuning, scored on the validation rows as they would be served.

With two objectives the int8 graph of every trial is timed too. `study` hands out the trials.
"""

import math
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import Trial, TrialState

from training.config import TrainingConfig
from training.data.rows import Dataset
from training.errors import ConfigError
from training.export.graph import QUANTIZATIONS, export_graph, quantize
from training.export.scorer import time_tokens
from training.export.truncation import more_accurate, score_truncations, truncation_metrics
from training.finetune.model import backend_tokenizer, load_classifier
from training.finetune.scoring import score_padded
from training.finetune.tune import fine_tune
from training.progress import Progress
from training.search.space import Space, fingerprint
from training.search.study import EVALUATIONS_PER_EPOCH, PRUNERS, SharedStudy
from training.text import encode_batch
from training.tracking import Run


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """The settings of a search; the numbers of trials and workers do not change what it searches."""

    trials: int
    fixed: frozenset[str] = frozenset()  # options that are not varied
    pruner: str = "median"
    pareto: bool = False
    workers: int = 1
    storage: str | None = None  # URL of a database that several machines share

    def __post_init__(self) -> None:
        if self.trials < 1 or self.workers < 1:
            raise ConfigError("trials and workers: give 1 or more")
        if self.pruner not in PRUNERS:
            raise ConfigError(f"pruner: give {' or '.join(PRUNERS)}, not {self.pruner!r}")


@dataclass(frozen=True)
class Objective:
    """The objective of the study, and what all trials of one worker share."""

    config: TrainingConfig
    data: Dataset
    folder: Path
    tracked: Run
    should_stop: Callable[[], bool]
    shared: SharedStudy
    plan: SearchPlan

    def evaluate(self, trial: Trial) -> tuple[TrialState, list[float] | None]:
        """Fine-tune with the trial's parameters and score the best weights; Interrupted is not caught."""
        parameters = trial.params
        config = self.config.model_copy(update={**parameters, "resume": True})
        if (
            config.training_length > config.max_length
        ):  # from a preset, for more tokens than this trial serves
            config = config.model_copy(update={"train_max_length": None})
        rows_per_evaluation = len(self.data.train) / EVALUATIONS_PER_EPOCH
        every = math.ceil(rows_per_evaluation / (config.batch_size * config.accumulation))
        config = config.model_copy(update={"evaluate_every": every})
        # Named by its parameters, so that a retried trial finds its checkpoint.
        folder = self.folder / "trials" / fingerprint(parameters)
        values: list[float] | None = None
        try:
            with self.tracked.child(f"trial {trial.number}", parameters) as run:
                log = _Pruning(trial, run, self.shared, prunes=not self.plan.pareto)
                tuned = fine_tune(config, self.data, folder, log=log, should_stop=self.should_stop)
                values = self._measure(tuned.checkpoint, config, run, tuned.steps)
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except torch.OutOfMemoryError:
            state = TrialState.FAIL  # other batch sizes may fit
        else:
            state = TrialState.COMPLETE
        shutil.rmtree(folder, ignore_errors=True)
        return state, values

    def _measure(self, checkpoint: Path, config: TrainingConfig, run: Run, step: int) -> list[float]:
        classifier = load_classifier(str(checkpoint), self.data.labels)
        tokenizer, rows = backend_tokenizer(classifier.tokenizer), self.data.validation
        scored = score_truncations(partial(score_padded, classifier), tokenizer, rows, config.max_length)
        measured = truncation_metrics(scored, rows.labels)
        truncation = more_accurate(measured) if config.truncation == "auto" else config.truncation
        run.log_metrics({"validation": measured}, step)
        accuracy = float(measured[truncation]["accuracy"])
        if not self.plan.pareto:
            return [accuracy]
        read = encode_batch(tokenizer, rows.texts, config.max_length, truncation)
        tokens = int(statistics.median(map(len, read)))
        with tempfile.TemporaryDirectory(prefix="trial-") as scratch:
            fused = export_graph(checkpoint, Path(scratch))
            graph = quantize(fused, Path(scratch) / "int8.onnx", QUANTIZATIONS[0])
            [latency_ms] = time_tokens([graph], tokens)
        run.log_metrics({"latency_ms": latency_ms, "median_tokens": tokens}, step)
        return [accuracy, latency_ms]


class _Pruning:
    """A metrics log that prunes a trial whose evaluations are worse than those of the others."""

    def __init__(self, trial: Trial, run: Run, shared: SharedStudy, *, prunes: bool) -> None:
        self.trial = trial
        self.run = run
        self.shared = shared
        self.prunes = prunes
        self.reported = 0

    def __call__(self, metrics: dict[str, Any], step: int) -> None:
        self.run.log_metrics(metrics, step)
        self.shared.heartbeat(self.trial)
        if "eval_accuracy" not in metrics or not self.prunes:
            return
        reached = round(metrics["epoch"] * EVALUATIONS_PER_EPOCH)
        if reached <= self.reported:
            return
        self.reported = reached
        self.trial.report(metrics["eval_accuracy"], reached)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def run_trials(objective: Objective, space: Space, progress: Progress, worker: int = 0) -> None:
    """Run one trial after the other until the study has as many as planned."""
    shared, plan = objective.shared, objective.plan
    while trial := shared.claim(space, plan.trials, seed=objective.config.seed, worker=worker):
        progress(f"Trial {trial.number + 1} of {plan.trials}")
        try:
            state, values = objective.evaluate(trial)
        except BaseException:
            shared.release(trial)
            raise
        shared.finish(trial, state, values)
        progress(
            f"Trial {trial.number + 1}: {_outcome(state, values)} with {format_parameters(trial.params)}"
        )


def _outcome(state: TrialState, values: list[float] | None) -> str:
    if values is None:
        return state.name.lower()
    return f"{values[0]:.1%}" + "".join(f" in {latency:.1f} ms" for latency in values[1:])


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Format parameters for display."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, int | float) else f"{name} {value}"
        for name, value in parameters.items()
    )
