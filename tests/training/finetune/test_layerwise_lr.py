"""Each layer has its learning rate, frozen weights none, and biases no weight decay."""

from pathlib import Path

import pytest

from training.finetune.layerwise_lr import parameter_groups
from training.finetune.model import freeze, load_classifier


def test_learning_rates_fall_from_the_head_to_the_embeddings(tiny_model: Path) -> None:
    model, _ = load_classifier(str(tiny_model), ["negative", "positive"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed = [name for name in names.values() if name.endswith("weight")]
    groups = parameter_groups(model, learning_rate=0.1, layer_decay=0.5, weight_decay=0.01, decayed=decayed)
    rates = {names[id(p)]: group["lr"] for group in groups for p in group["params"]}
    assert rates.keys() == set(names.values()), "every weight is in one group"
    layers = int(model.config.num_hidden_layers)
    assert rates["classifier.weight"] == rates["pre_classifier.bias"] == 0.1
    for layer in range(layers):
        expected = 0.1 * 0.5 ** (layers - layer)
        assert rates[f"distilbert.transformer.layer.{layer}.ffn.lin1.weight"] == pytest.approx(expected)
    assert rates["distilbert.embeddings.word_embeddings.weight"] == pytest.approx(0.1 * 0.5 ** (layers + 1))
    with_decay = {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}
    assert with_decay == set(decayed)


def test_frozen_parameters_have_no_learning_rate(tiny_model: Path) -> None:
    model, _ = load_classifier(str(tiny_model), ["negative", "positive"])
    freeze(model, embeddings=True, layers=1)
    groups = parameter_groups(model, learning_rate=0.1, layer_decay=0.5, weight_decay=0.0, decayed=[])
    trained = sum(parameter.numel() for group in groups for parameter in group["params"])
    assert trained == sum(p.numel() for p in model.parameters() if p.requires_grad)
