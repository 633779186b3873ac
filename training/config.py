"""The configuration of a training run: everything that determines its result is a field.

Nothing here reads data or trains.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from training.errors import ConfigError

MODEL_NAME = "serverless-sentiment"

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]


def _read_weights(given: Any) -> Any:
    """Parse `a=2,b=0.5`, as in a command line or a hyperparameter."""
    if not isinstance(given, str):
        return given
    pairs = [part.rpartition("=") for part in given.split(",") if part.strip()]
    if not all(name and weight for name, _, weight in pairs):
        raise ValueError("give name=weight, separated by commas, such as feedback.jsonl=2")
    return {name.strip(): weight for name, _, weight in pairs}


Weights = Annotated[
    dict[str, Annotated[float, Field(ge=0.0, allow_inf_nan=False)]], BeforeValidator(_read_weights)
]


class TrainingConfig(BaseModel):
    """One run. The defaults are those of a full run; `configure` applies the presets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Data
    data: str = "embedded"  # or a file, a folder, or a data set of the hub
    source: str = "imdb"  # of the embedded data: imdb or rotten_tomatoes
    subset: str | None = None  # configuration name of a hub data set
    split: str = "train"
    test_split: str = "auto"  # auto: the data set's own `test` if it has one; none: taken from `split`
    text_column: str = "text"
    label_column: str = "label"
    labels: tuple[str, ...] | None = None  # in the model's order; None: from the data set
    drop_bad_rows: bool = False
    streaming: bool = False  # keep the rows of `data`, a file, on disk
    extra_data: tuple[Path, ...] = ()  # files with more training rows
    source_weights: Weights = {}  # loss weights by source, as named in the card; others weigh 1
    train_rows: Count | None = None  # without extra rows; None: all that are left
    validation_rows: Count = 1_000
    test_rows: Count = 1_000
    seed: int = Field(default=0, ge=0, lt=2**32)

    # Model
    model: str = "embedded"  # or a folder, or a model of the hub
    max_length: int = Field(default=256, ge=8, le=512)  # tokens in evaluation and serving
    train_max_length: int | None = Field(default=None, ge=8, le=512)  # None: max_length
    truncation: Literal["auto", "head", "head_tail"] = (
        "auto"  # auto: the more accurate on the validation rows
    )
    wide: bool = True  # add a linear part that reads the whole text

    # Recipe
    epochs: Count = 3
    batch_size: Count = 16
    accumulation: Count = 1
    learning_rate: float = Field(default=5e-5, gt=0.0, lt=1.0)
    layer_decay: float = Field(default=1.0, gt=0.0, le=1.0)  # learning rate factor per layer below the head
    scheduler: Literal["linear", "cosine"] = "linear"
    warmup: Share = 0.1  # share of all steps
    weight_decay: Share = 0.01
    label_smoothing: Share = 0.0
    dropout: Share | None = None  # None: the model's own
    freeze_embeddings: bool = False
    frozen_layers: int = Field(default=0, ge=0)  # counted from the input
    student_layers: Count | None = None  # distill into that many; None: no distillation
    teacher: str | None = None  # folder of a fine-tuned classifier; None: fine-tune `model` first
    length_grouped: bool = True
    gradient_checkpointing: bool = False  # less memory, about a third more time
    torch_compile: bool = False
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    evaluate_every: Count = 500  # steps; each epoch also ends with an evaluation
    patience: int = Field(default=4, ge=0)  # evaluations without improvement before stopping; 0: never

    # Where to write, and whether to resume
    artifacts: Path = Path("artifacts")
    cache: Path | None = None  # for tokens and streamed rows; None: in `artifacts`
    resume: bool = False

    @model_validator(mode="after")
    def _check_combinations(self) -> "TrainingConfig":
        if self.labels is not None and len(set(self.labels)) != max(len(self.labels), 2):
            raise ValueError("labels: give two or more different names")
        if self.training_length > self.max_length:
            raise ValueError("train_max_length: must not exceed max_length")
        if self.teacher is not None and self.student_layers is None:
            raise ValueError("teacher: give student_layers too, the number of layers to distill into")
        return self

    @property
    def training_length(self) -> int:
        """Return the number of tokens of each text in training."""
        return self.train_max_length or self.max_length

    @property
    def cache_folder(self) -> Path:
        """Return the folder for files that can be rebuilt."""
        return self.cache or self.artifacts / "cache"

    def recipe(self) -> dict[str, Any]:
        """Return every field that determines the result, so not where it is written or whether it resumes.

        The paths of extra rows do not count either: the rows are part of the data's fingerprint.
        """
        return self.model_dump(mode="json", exclude={"artifacts", "cache", "extra_data", "resume"})


# The embedded encoder is small and trains well at a higher learning rate than DistilBERT-base.
_EMBEDDED: dict[str, Any] = {"learning_rate": 2e-4, "freeze_embeddings": True}
# Minutes on two cores. Keeping both ends of a review in 128 tokens loses little. Without dropout, which a
# single epoch does not need, and with the lowest layer frozen, a step takes a quarter less time, which pays
# for more reviews.
_QUICK: dict[str, Any] = {
    "train_rows": 4_000,
    "train_max_length": 128,
    "epochs": 1,
    "dropout": 0.0,
    "frozen_layers": 1,
}


def configure(
    *, quick: bool = False, parameters: Mapping[str, Any] | None = None, **options: Any
) -> TrainingConfig:
    """Build the configuration of a full or quick run with `options` on top; None means not set.

    `parameters` are the result of a search: they override the preset, and `options` override them. Raises
    ConfigError naming each option that is unknown or out of range.
    """
    given = {name: value for name, value in options.items() if value is not None}
    preset = dict(_EMBEDDED) if given.get("model", "embedded") == "embedded" else {}
    if quick:
        preset |= _QUICK
        served = {**(parameters or {}), **given}.get("max_length", 512)
        preset["train_max_length"] = min(_QUICK["train_max_length"], served)
    try:
        return TrainingConfig(**{**preset, **(parameters or {}), **given})
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'options'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigError("; ".join(problems)) from error
