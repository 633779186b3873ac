"""A student keeps some of its teacher's layers and learns to answer like the whole."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from tests.training.test_tune import recipe, tune
from training.config import configure
from training.data import prepare
from training.distill import (
    HARD_SHARE,
    STATES_WEIGHT,
    TEMPERATURE,
    distillation_loss,
    keep_layers,
    layers_to_keep,
    listen,
)
from training.errors import ConfigError, ModelError
from training.export import Gate, build_artifact
from training.model import load_classifier, stack
from training.pipeline import tune_checkpoint
from training.tune import fine_tune

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:mtime may not be reliable", "ignore::torch.jit.TracerWarning"
)

LABELS = ["negative", "positive"]


@pytest.mark.parametrize(
    ("student", "kept"),
    [(6, [0, 1, 2, 3, 4, 5]), (4, [0, 2, 3, 5]), (3, [0, 2, 5]), (2, [0, 5]), (1, [5])],
)
def test_the_first_and_the_last_layer_and_evenly_what_is_between(student: int, kept: list[int]) -> None:
    assert layers_to_keep(6, student) == kept


@pytest.mark.parametrize("student", [0, 7])
def test_a_student_cannot_have_more_layers_than_its_teacher(student: int) -> None:
    with pytest.raises(ConfigError, match="the teacher has 6 layers; give 1 to 6"):
        layers_to_keep(6, student)


@pytest.mark.parametrize("family", ["distilbert", "bert"])
def test_the_student_is_the_teacher_without_the_other_layers(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"vocab_size": 50, "num_labels": 2, "max_position_embeddings": 16}
    narrow = DistilBertConfig(**size, n_layers=4, dim=8, n_heads=2, hidden_dim=16)
    bert = BertConfig(**size, num_hidden_layers=4, hidden_size=8, num_attention_heads=2, intermediate_size=16)
    teacher = {
        "distilbert": lambda: DistilBertForSequenceClassification(narrow),
        "bert": lambda: BertForSequenceClassification(bert),
    }[family]().eval()
    wanted = [layer.state_dict() for layer in (stack(teacher)[0], stack(teacher)[3])]
    keep_layers(teacher, [0, 3])
    teacher.save_pretrained(tmp_path)
    again = type(teacher).from_pretrained(tmp_path).eval()
    assert again.config.num_hidden_layers == len(stack(again)) == 2
    for layer, expected in zip(stack(again), wanted, strict=True):
        assert all(torch.equal(value, expected[name]) for name, value in layer.state_dict().items())
    ids = torch.tensor([[1, 2, 3, 4]])
    assert torch.allclose(again(input_ids=ids).logits, teacher(input_ids=ids).logits, atol=1e-6)


def test_the_teacher_is_heard_on_every_row_whatever_its_batch(tiny_model: Path) -> None:
    teacher = load_classifier(str(tiny_model), LABELS)
    texts = [[2, *range(5, 5 + length), 3] for length in (1, 9, 4, 30)]
    together = listen(teacher, texts, [0, 1])
    for text, said in zip(texts, together, strict=True):
        [alone] = listen(teacher, [text], [0, 1])
        assert said["teacher_logits"] == pytest.approx(alone["teacher_logits"], abs=1e-5)
        states = torch.tensor(said["teacher_states"])
        assert torch.allclose(states, torch.tensor(alone["teacher_states"]), atol=1e-5)
        assert states.shape == (2, teacher.model.config.hidden_size)
        assert torch.allclose(states.norm(dim=-1), torch.ones(2), atol=1e-5)


def test_the_loss_is_of_label_answer_and_states() -> None:
    class Said:
        logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
        hidden_states = (torch.zeros(2, 3, 2), torch.tensor([[[3.0, 0.0]] * 3, [[0.0, 2.0]] * 3]))

    hard = torch.tensor([0.5, 0.7])
    # The first row answers as its teacher and stands where it does; the second stands opposite.
    logits = torch.tensor([[2.0, 0.0], [4.0, 0.0]])
    states = torch.tensor([[[1.0, 0.0]], [[0.0, -1.0]]])
    losses = distillation_loss(hard, Said(), logits, states)
    soft_teacher = torch.softmax(torch.tensor([4.0, 0.0]) / TEMPERATURE, dim=0)
    apart = float((soft_teacher * (soft_teacher / 0.5).log()).sum())
    assert losses[0] == pytest.approx(HARD_SHARE * 0.5)
    expected = HARD_SHARE * 0.7 + (1 - HARD_SHARE) * TEMPERATURE**2 * apart + STATES_WEIGHT * 4
    assert losses[1] == pytest.approx(expected)


def test_a_distilled_model_is_smaller_answers_right_and_can_be_exported(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=3, student_layers=1)
    data = prepare(config)
    checkpoint, record = tune_checkpoint(config, data, tmp_path / "run", run_id=None)
    assert json.loads((checkpoint / "config.json").read_text())["n_layers"] == 1
    assert (tmp_path / "run" / "teacher" / "best").is_dir(), "the teacher was fine-tuned first, and is kept"
    artifact = build_artifact(
        checkpoint,
        data.validation,
        data.test,
        max_length=32,
        truncation="head",
        labels=data.labels,
        artifacts=tmp_path / "artifacts",
        card_fields=record.card_fields(data),
        gate=Gate(max_accuracy_loss=1, max_flipped=1),
    )
    assert artifact.card["architecture"]["layers"] == artifact.card["training"]["student_layers"] == 1
    assert artifact.card["metrics"]["fp32"]["accuracy"] > 0.8
    assert artifact.card["novelty"]["output"] == "pooled"


def test_a_run_that_goes_on_does_not_train_its_teacher_again(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1, student_layers=1)
    data = prepare(config)
    tune_checkpoint(config, data, tmp_path, run_id=None)
    weights = tmp_path / "teacher" / "best" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    tune_checkpoint(config.model_copy(update={"resume": True, "epochs": 2}), data, tmp_path, run_id=None)
    assert weights.stat().st_mtime_ns == before


def test_a_teacher_of_other_labels_or_none_at_all_is_refused(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, student_layers=1)
    data = prepare(config)
    other, _ = load_classifier(str(tiny_model), ["bad", "good"])
    other.save_pretrained(tmp_path / "other")
    load_classifier(str(tiny_model), LABELS).tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match="tells bad, good apart, and the data negative, positive"):
        fine_tune(config, data, tmp_path / "run", teacher=tmp_path / "other")
    with pytest.raises(ModelError, match="gone cannot be read; give a folder such as"):
        fine_tune(config, data, tmp_path / "run", teacher=tmp_path / "gone")
    with pytest.raises(ConfigError, match="give student_layers too"):
        configure(teacher="somewhere")


def test_a_student_learns_more_from_its_teacher_than_its_labels_say(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=2)
    data = prepare(config)
    teacher, _ = tune(config, tmp_path / "teacher", data)
    student, _ = (
        fine_tune(
            config.model_copy(update={"student_layers": 1}),
            data,
            tmp_path / "student",
            teacher=teacher.checkpoint,
        ),
        None,
    )
    models = [load_classifier(str(one.checkpoint), data.labels) for one in (teacher, student)]
    ids = [models[0].tokenizer(text)["input_ids"][:32] for text in data.test.texts]
    said = [torch.tensor([row["teacher_logits"] for row in listen(model, ids, [0])]) for model in models]
    probabilities = [torch.softmax(logits, dim=1)[:, 1] for logits in said]
    assert torch.corrcoef(torch.stack(probabilities))[0, 1] > 0.8
