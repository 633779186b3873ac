"""The options of `train`, `search` and `evaluate`: the one table behind every way to set them.

`sentiment`, `python -m training` and the SageMaker job read it. Importing it loads only the standard library,
so that help is instant. `training.config` defines which values are valid, and the defaults of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

DATA, MODEL, RECIPE, RUNNING = "Data", "Model", "Recipe", "Running"


@dataclass(frozen=True)
class Option:
    """One option; `name` is the field of `TrainingConfig` or the parameter that it sets."""

    name: str
    type: Callable[[str], Any]
    help: str
    group: str | None = None
    # value: --name VALUE; values: may be repeated; flag: --name turns it on; switch: --name or --no-name
    kind: Literal["value", "values", "flag", "switch"] = "value"
    metavar: str | None = None
    aliases: tuple[str, ...] = ()
    default: Any = None  # None: not set, so that the default of the run applies

    @property
    def flag(self) -> str:
        """Return the option as written on a command line."""
        return f"--{self.name.replace('_', '-')}"


def run_default(name: str) -> Any:
    """Return the default of a run's option as `TrainingConfig` defines it; None if there is none to show."""
    from training.config import TrainingConfig

    field = TrainingConfig.model_fields.get(name)
    return None if field is None or field.default in ((), {}) else field.default


def names(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


# What a run is: its data, model and recipe, and where and how it runs.
RUN = (
    Option(
        "quick",
        bool,
        "4,000 reviews and one epoch: minutes on two cores. Sets defaults of its own.",
        kind="flag",
        default=False,
    ),
    Option("data", str, "embedded, a CSV, Parquet or JSONL file, a folder, or a hub data set.", DATA),
    Option("source", str, "Embedded reviews: imdb or rotten_tomatoes.", DATA),
    Option("subset", str, "Configuration name of a hub data set.", DATA),
    Option("split", str, "Split of a hub data set.", DATA),
    Option("test_split", str, "Test split of a hub data set: auto, none or a name.", DATA),
    Option("text_column", str, "Column with the texts.", DATA),
    Option("label_column", str, "Column with the labels.", DATA),
    Option("labels", names, "Label names in order, separated by commas.", DATA, metavar="NAME,NAME"),
    Option(
        "drop_bad_rows",
        bool,
        "Drop and count rows with no text or an unknown label, instead of stopping.",
        DATA,
        kind="flag",
    ),
    Option("streaming", bool, "Keep rows on disk, for a file larger than memory.", DATA, kind="flag"),
    Option(
        "extra_data",
        Path,
        "More rows to train on, such as those of `sentiment export-feedback`. Can be repeated.",
        DATA,
        kind="values",
        metavar="FILE",
    ),
    Option(
        "source_weights",
        str,
        "Loss weights by source, such as feedback.jsonl=2; the others weigh 1.",
        DATA,
        metavar="NAME=WEIGHT,…",
    ),
    Option("train_rows", int, "Maximum number of training rows.", DATA),
    Option("validation_rows", int, "Maximum number of validation rows.", DATA),
    Option("test_rows", int, "Maximum number of test rows.", DATA),
    Option("seed", int, "Seed of the split and of training.", DATA),
    Option("model", str, "embedded, a folder written by save_pretrained, or a hub model.", MODEL),
    Option("max_length", int, "Tokens in evaluation and serving, 8 to 512.", MODEL),
    Option("train_max_length", int, "Tokens in training, if fewer.", MODEL),
    Option("truncation", str, "auto (measured), head or head_tail.", MODEL),
    Option(
        "wide",
        bool,
        "Add a linear part over words and pairs of words of the whole text.",
        MODEL,
        kind="switch",
    ),
    Option("student_layers", int, "Distill the model into this many of its layers.", MODEL),
    Option(
        "teacher", str, "Folder of a fine-tuned classifier to distill; otherwise one is trained first.", MODEL
    ),
    Option("epochs", int, "Passes over the training rows.", RECIPE),
    Option("batch_size", int, "Texts per step and device.", RECIPE),
    Option("accumulation", int, "Batches per optimizer step (gradient accumulation).", RECIPE),
    Option("learning_rate", float, "Peak learning rate; 2e-4 for the embedded model.", RECIPE),
    Option("layer_decay", float, "Learning rate factor per layer below the head; 1: none.", RECIPE),
    Option("scheduler", str, "Learning rate schedule: linear or cosine.", RECIPE),
    Option("warmup", float, "Share of the steps with a rising learning rate.", RECIPE),
    Option("weight_decay", float, "AdamW weight decay.", RECIPE),
    Option(
        "label_smoothing", float, "Share of a label's probability that is spread over the others.", RECIPE
    ),
    Option("dropout", float, "Dropout of all layers, instead of the model's own.", RECIPE),
    Option("frozen_layers", int, "Number of frozen layers, from the input.", RECIPE),
    Option(
        "freeze_embeddings",
        bool,
        "Freeze the word embeddings; on for the embedded model.",
        RECIPE,
        kind="switch",
    ),
    Option(
        "length_grouped",
        bool,
        "Batch texts of similar length, for less padding.",
        RECIPE,
        kind="switch",
    ),
    Option("gradient_checkpointing", bool, "Use less memory and more time.", RECIPE, kind="switch"),
    Option("torch_compile", bool, "Compile the model first, about a minute.", RECIPE, kind="switch"),
    Option("precision", str, "auto, fp32, bf16 or fp16.", RECIPE),
    Option("evaluate_every", int, "Steps between evaluations.", RECIPE),
    Option("patience", int, "Evaluations without improvement before stopping; 0: never stop.", RECIPE),
    Option("artifacts", Path, "Folder to publish in.", RUNNING, aliases=("--output",)),
    Option("cache", Path, "Folder for cached tokens, safe to delete. Default: cache in artifacts.", RUNNING),
)
TRAIN = (
    *RUN,
    Option("resume", bool, "Continue from the last finished epoch.", RUNNING, kind="flag"),
    Option("parameters", Path, "Use what a search found: its best.json.", RUNNING, metavar="BEST"),
)
# How a search is made; a study with other options than these is another one only in `pruner` and `pareto`.
PLAN = (
    Option("trials", int, "Trials of the study in total.", RUNNING, default=20),
    Option("workers", int, "Processes that share the study.", RUNNING, default=1),
    Option("pruner", str, "median or hyperband.", RUNNING, default="median"),
    Option(
        "pareto",
        bool,
        "Weigh accuracy against latency at the median length, without pruning.",
        RUNNING,
        kind="flag",
        default=False,
    ),
    Option(
        "storage",
        str,
        "postgresql://… or sqlite:///…, to share the study between machines.",
        RUNNING,
        metavar="URL",
    ),
)
SEARCH = (
    *RUN,
    *PLAN,
    Option("study", Path, "Folder of the study. Default: one per search, in artifacts/searches.", RUNNING),
)
EVALUATE = (
    Option("model", Path, "Folder of the artifact.", default=Path("artifacts/model")),
    Option("page", Path, "File to write.", default=Path("evaluation.html")),
)
