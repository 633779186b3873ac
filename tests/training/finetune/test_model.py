"""The embedded encoder equals its source BERT; other classifiers load by name or fail with a clear error."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertModel, BertTokenizer, DistilBertModel, PreTrainedModel, pipeline

from training.errors import ModelError
from training.finetune.model import (
    backend_tokenizer,
    embedded_folder,
    freeze,
    load_classifier,
    max_positions,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LABELS = ["negative", "positive"]
TEXTS = ["A film that drags.", "Lovely! " * 60, "naïve 映画 unbelievable, isn't it?"]


@pytest.fixture(scope="module")
def bert() -> PreTrainedModel:
    return BertModel.from_pretrained(embedded_folder(), attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def encoder() -> DistilBertModel:
    model: DistilBertModel = load_classifier("embedded", LABELS).model.eval().distilbert
    return model


@pytest.mark.parametrize("text", TEXTS)
def test_hidden_states_equal_the_source_berts(
    text: str, bert: PreTrainedModel, encoder: DistilBertModel
) -> None:
    tokenizer = backend_tokenizer(load_classifier("embedded", LABELS).tokenizer)
    ids = torch.tensor([tokenizer.encode(text).ids])
    with torch.inference_mode():
        expected = bert(ids, output_hidden_states=True).hidden_states
        found = encoder(ids, output_hidden_states=True).hidden_states
    assert len(found) == 7
    for layer, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert (one - other).abs().max() < 1e-4, layer


def test_only_the_pooler_and_segments_of_the_source_are_dropped(encoder: DistilBertModel) -> None:
    source = load_file(embedded_folder() / "model.safetensors")
    unused = {name for name in source if name.startswith("pooler.")}
    unused |= {"embeddings.token_type_embeddings.weight", "embeddings.position_ids"}
    assert len(encoder.state_dict()) == len(set(source) - unused)


def test_the_embedded_tokenizer_neither_pads_nor_truncates_and_works_in_a_pipeline() -> None:
    model, tokenizer = load_classifier("embedded", LABELS)
    inner = backend_tokenizer(tokenizer)
    assert inner.padding is None
    assert inner.truncation is None
    assert len(inner.encode("word " * 600).ids) == 602
    source = BertTokenizer(embedded_folder() / "vocab.txt")  # the slow one: another implementation
    assert inner.encode(TEXTS[2]).ids == source(TEXTS[2])["input_ids"]
    answer = pipeline("text-classification", model=model, tokenizer=tokenizer)("Fine.")[0]
    assert answer["label"] in LABELS


def test_a_local_checkpoint_loads_with_as_many_outputs_as_labels(tiny_model: Path) -> None:
    model, _ = load_classifier(str(tiny_model), ["bad", "mixed", "good"])
    assert model.config.id2label == {0: "bad", 1: "mixed", 2: "good"}
    assert model.classifier.out_features == 3


def test_dropout_reaches_every_layer(tiny_model: Path) -> None:
    for name in ("embedded", str(tiny_model)):
        model, _ = load_classifier(name, LABELS, dropout=0.0)
        model.train()
        ids = torch.tensor([[101, 2204, 102]])
        assert torch.equal(model(ids).logits, model(ids).logits)


def test_freezing_leaves_the_rest_trainable(tiny_model: Path) -> None:
    model, _ = load_classifier(str(tiny_model), LABELS)
    freeze(model, embeddings=True, layers=1)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert not any(
        name.startswith(("distilbert.embeddings", "distilbert.transformer.layer.0")) for name in trained
    )
    assert any(name.startswith("distilbert.transformer.layer.1") for name in trained)
    assert "classifier.weight" in trained
    with pytest.raises(ModelError, match="cannot freeze 3 layers: the model has 2"):
        freeze(model, embeddings=False, layers=3)


def test_max_positions(tiny_model: Path) -> None:
    assert max_positions(load_classifier(str(tiny_model), LABELS).model) == 512


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    for name in ("nobody/nothing", str(tmp_path)):
        with pytest.raises(ModelError, match=f"cannot load model '{name}'") as caught:
            load_classifier(name, LABELS)
        assert caught.value.exit_code == 4
        assert "\n" not in str(caught.value)


def test_a_tokenizer_without_special_tokens_is_rejected(tiny_model: Path, tmp_path: Path) -> None:
    model, tokenizer = load_classifier(str(tiny_model), LABELS)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    bare = backend_tokenizer(tokenizer)
    bare.post_processor = None
    bare.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(ModelError, match="one special token on each side"):
        load_classifier(str(tmp_path), LABELS)
