"""The search space, and reading the parameters that a search found."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from training.errors import ConfigError, DataError
from training.finetune.model import count_layers
from training.text import TRUNCATIONS

BEST = "best.json"

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution
Space = dict[str, Distribution]


def search_space(
    layers: int, max_length: int = 256, fixed: Collection[str] = (), *, pareto: bool = False
) -> Space:
    """Return the search space for a model with that many layers, without the fixed parameters.

    Learning rates cover those of DistilBERT-base (2e-5 to 5e-5) and the higher one of the small embedded
    encoder (2e-4). The number of served tokens is searched only if latency counts too (`pareto`), as more
    tokens always raise accuracy.
    """
    space: Space = {
        "learning_rate": FloatDistribution(1e-5, 5e-4, log=True),
        "layer_decay": FloatDistribution(0.7, 1.0),
        "batch_size": CategoricalDistribution((8, 16, 32)),
        "epochs": IntDistribution(1, 4),
        "warmup": FloatDistribution(0.0, 0.2),
        "weight_decay": FloatDistribution(0.0, 0.1),
        "frozen_layers": IntDistribution(0, layers // 2),
        "truncation": CategoricalDistribution(TRUNCATIONS),
    }
    lengths = sorted({max(8, max_length * quarters // 4) for quarters in (1, 2, 3, 4)})
    space["max_length" if pareto else "train_max_length"] = CategoricalDistribution(lengths)
    return {name: values for name, values in space.items() if name not in fixed}


def is_within(values: Distribution, value: Any) -> bool:
    """Return whether the value is part of the search space."""
    if isinstance(values, CategoricalDistribution):
        return value in values.choices
    return bool(values.low <= value <= values.high)


def space_to_json(space: Space) -> dict[str, Any]:
    """Return the space as JSON-serializable values."""
    return {name: json.loads(distribution_to_json(space[name])) for name in sorted(space)}


def fingerprint(content: Mapping[str, Any]) -> str:
    """Return a short hash of JSON-serializable content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_best(path: Path, model: str) -> dict[str, Any]:
    """Return the parameters in a best.json, or the one in the folder `path`, to train `model` with.

    Raises DataError when it is missing or damaged, ConfigError when it is from another search space.
    """
    file = path / BEST if path.is_dir() else path
    try:
        best = json.loads(file.read_text())
        parameters, found_in = dict(best["parameters"]), best["search_space"]
    except OSError as error:
        raise DataError(f"no file {file}; give the {BEST} of a search") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is not the result of a search; give its {BEST}") from error
    space = search_space(count_layers(model), best.get("max_length", 256), pareto=best.get("pareto", False))
    searched = {name: space[name] for name in parameters if name in space}
    if len(searched) < len(parameters) or fingerprint(space_to_json(searched)) != found_in:
        raise ConfigError(
            f"{file} was found in another search space than that of model {model!r} in this version; "
            "search again"
        )
    return parameters
