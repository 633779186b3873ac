"""Learning rates that fall from the head to the embeddings: lower layers hold what every text needs.

Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.4, after Howard and Ruder 2018.
How the rate changes over the steps is the Trainer's scheduler.
"""

from collections.abc import Collection
from typing import Any

from transformers import PreTrainedModel

from training.finetune.model import stack


def parameter_groups(
    model: PreTrainedModel,
    *,
    learning_rate: float,
    layer_decay: float,
    weight_decay: float,
    decayed: Collection[str],
) -> list[dict[str, Any]]:
    """Return the groups an optimizer takes: one for each rate, with and without weight decay.

    The head has the whole rate, each layer `layer_decay` times that of the layer above it, and the embeddings
    the least. Names in `decayed` have weight decay; what is frozen is in no group.
    """
    layer_of = {
        id(parameter): number
        for number, layer in enumerate(stack(model), start=1)
        for parameter in layer.parameters()
    }
    in_encoder = {id(parameter) for parameter in model.base_model.parameters()}
    head = len(stack(model)) + 1
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            place = layer_of.get(id(parameter), 0 if id(parameter) in in_encoder else head)
            groups.setdefault((head - place, name in decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * layer_decay**distance,
            "weight_decay": weight_decay if with_decay else 0.0,
        }
        for (distance, with_decay), parameters in sorted(groups.items(), key=lambda group: group[0])
    ]
