"""Layer-wise learning rates, lower towards the embeddings, as lower layers hold general knowledge.

Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.4, after Howard and Ruder 2018.
The Trainer's scheduler changes the rates over the steps.
"""

from collections.abc import Collection
from typing import Any

from transformers import PreTrainedModel

from training.finetune.model import encoder_layers


def parameter_groups(
    model: PreTrainedModel,
    *,
    learning_rate: float,
    layer_decay: float,
    weight_decay: float,
    decayed: Collection[str],
) -> list[dict[str, Any]]:
    """Return the optimizer's parameter groups: one for each learning rate, with and without weight decay.

    The head has the full rate, each layer `layer_decay` times that of the layer above it, and the embeddings
    the lowest. Names in `decayed` have weight decay; frozen parameters are in no group.
    """
    layer_of = {
        id(parameter): number
        for number, layer in enumerate(encoder_layers(model), start=1)
        for parameter in layer.parameters()
    }
    in_encoder = {id(parameter) for parameter in model.base_model.parameters()}
    head = len(encoder_layers(model)) + 1
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = layer_of.get(id(parameter), 0 if id(parameter) in in_encoder else head)
            groups.setdefault((head - depth, name in decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * layer_decay**distance,
            "weight_decay": weight_decay if with_decay else 0.0,
        }
        for (distance, with_decay), parameters in sorted(groups.items(), key=lambda group: group[0])
    ]
