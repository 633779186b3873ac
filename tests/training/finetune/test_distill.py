"""A student keeps some of its teacher's layers and learns its predictions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import (
    AlbertConfig,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from tests.training.finetune.test_tune import recipe, tune
from training.config import configure
from training.data.prepare import prepare
from training.errors import ConfigError, Interrupted, ModelError
from training.export.candidates import Gate
from training.export.export import build_artifact
from training.finetune.distill import (
    HARD_SHARE,
    STATES_WEIGHT,
    TEMPERATURE,
    compute_teacher_outputs,
    distillation_loss,
    keep_layers,
    layers_to_keep,
)
from training.finetune.model import count_layers, encoder_layers, load_classifier, load_embedded_tokenizer
from training.finetune.tune import fine_tune
from training.pipeline import tune_checkpoint
from training.run_key import model_identity

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:mtime may not be reliable", "ignore::torch.jit.TracerWarning"
)

LABELS = ["negative", "positive"]


@pytest.mark.parametrize(
    ("student", "kept"),
    [(6, [0, 1, 2, 3, 4, 5]), (4, [0, 2, 3, 5]), (3, [0, 2, 5]), (2, [0, 5]), (1, [5])],
)
def test_the_student_keeps_first_last_and_evenly_spaced_layers(student: int, kept: list[int]) -> None:
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
    wanted = [layer.state_dict() for layer in (encoder_layers(teacher)[0], encoder_layers(teacher)[3])]
    keep_layers(teacher, [0, 3])
    teacher.save_pretrained(tmp_path)
    again = type(teacher).from_pretrained(tmp_path).eval()
    assert again.config.num_hidden_layers == len(encoder_layers(again)) == 2
    for layer, expected in zip(encoder_layers(again), wanted, strict=True):
        assert all(torch.equal(value, expected[name]) for name, value in layer.state_dict().items())
    ids = torch.tensor([[1, 2, 3, 4]])
    assert torch.allclose(again(input_ids=ids).logits, teacher(input_ids=ids).logits, atol=1e-6)


def test_the_teachers_outputs_do_not_depend_on_the_batch(tiny_model: Path) -> None:
    teacher = load_classifier(str(tiny_model), LABELS)
    texts = [[2, *range(5, 5 + length), 3] for length in (1, 9, 4, 30)]
    together = compute_teacher_outputs(teacher, texts, [0, 1])
    assert together["teacher_logits"].shape == (4, 2)
    assert together["teacher_states"].shape == (4, 2, teacher.model.config.hidden_size)
    assert np.linalg.norm(together["teacher_states"].astype(float), axis=-1) == pytest.approx(1, abs=1e-3)
    for row, text in enumerate(texts):
        alone = compute_teacher_outputs(teacher, [text], [0, 1])
        assert together["teacher_logits"][row] == pytest.approx(alone["teacher_logits"][0], abs=1e-5)
        assert together["teacher_states"][row] == pytest.approx(alone["teacher_states"][0], abs=1e-3)


def test_a_stop_request_interrupts_the_teacher(tiny_model: Path) -> None:
    answers = iter([False, True])
    texts = [[2, 5, 3]] * 1_000
    with pytest.raises(Interrupted, match="stop requested while computing the teacher"):
        compute_teacher_outputs(
            load_classifier(str(tiny_model), LABELS), texts, [0], should_stop=lambda: next(answers)
        )


def test_the_loss_combines_label_probabilities_and_states() -> None:
    class Said:
        logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
        hidden_states = (torch.zeros(2, 3, 2), torch.tensor([[[3.0, 0.0]] * 3, [[0.0, 2.0]] * 3]))

    hard = torch.tensor([0.5, 0.7])
    # The first row has the outputs and states of its teacher; the second has the opposite state.
    logits = torch.tensor([[2.0, 0.0], [4.0, 0.0]])
    states = torch.tensor([[[1.0, 0.0]], [[0.0, -1.0]]])
    losses = distillation_loss(hard, Said(), logits, states)
    soft_teacher = torch.softmax(torch.tensor([4.0, 0.0]) / TEMPERATURE, dim=0)
    apart = float((soft_teacher * (soft_teacher / 0.5).log()).sum())
    assert losses[0] == pytest.approx(HARD_SHARE * 0.5)
    expected = HARD_SHARE * 0.7 + (1 - HARD_SHARE) * TEMPERATURE**2 * apart + STATES_WEIGHT * 4
    assert losses[1] == pytest.approx(expected)


def test_a_distilled_model_is_smaller_accurate_and_exportable(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=3, student_layers=1)
    data = prepare(config)
    checkpoint, record = tune_checkpoint(config, data, tmp_path / "run", run_id=None)
    assert json.loads((checkpoint / "config.json").read_text())["n_layers"] == 1
    teacher = tmp_path / "run" / "teacher" / "best"
    assert count_layers(str(teacher)) == 2, "it was fine-tuned first and kept"
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
    card = artifact.card
    assert card["architecture"]["layers"] == card["training"]["student_layers"] == 1
    assert card["training"]["distilled_from"] == {"layers": 2, "checkpoint": model_identity(str(teacher))}
    assert card["metrics"]["fp32"]["accuracy"] > 0.8
    assert card["novelty"]["output"] == "pooled"


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_students_of_other_families(family: str, reviews_csv: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    model = {
        "bert": lambda: BertForSequenceClassification(BertConfig(**size, max_position_embeddings=32)),
        "roberta": lambda: RobertaForSequenceClassification(
            RobertaConfig(**size, vocab_size=30522, max_position_embeddings=34, pad_token_id=0)
        ),
    }[family]()
    model.save_pretrained(tmp_path / "model")
    load_embedded_tokenizer().save_pretrained(tmp_path / "model")
    config = recipe(reviews_csv, tmp_path / "model", epochs=1, student_layers=2)
    checkpoint, _ = tune_checkpoint(config, prepare(config), tmp_path / "run", run_id=None)
    assert count_layers(str(checkpoint)) == 2


def test_frozen_layers_are_counted_in_the_teacher(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1, student_layers=1, frozen_layers=1)
    checkpoint, _ = tune_checkpoint(config, prepare(config), tmp_path, run_id=None)
    teacher = load_file(tmp_path / "teacher" / "best" / "model.safetensors")
    student = load_file(checkpoint / "model.safetensors")
    layer = "distilbert.transformer.layer.{}.ffn.lin1.weight"
    assert not torch.equal(student[layer.format(0)], teacher[layer.format(1)]), "the last layer is trained"
    words = "distilbert.embeddings.word_embeddings.weight"
    assert torch.equal(student[words], teacher[words])


def test_a_resumed_run_does_not_train_its_teacher_again(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1, student_layers=1)
    data = prepare(config)
    tune_checkpoint(config, data, tmp_path, run_id=None)
    weights = tmp_path / "teacher" / "best" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    tune_checkpoint(config.model_copy(update={"resume": True, "epochs": 2}), data, tmp_path, run_id=None)
    assert weights.stat().st_mtime_ns == before


def test_an_unfinished_teacher_is_finished_before_distillation(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=2, student_layers=1, patience=0, evaluate_every=2)
    data = prepare(config)
    tune_checkpoint(config, data, tmp_path, run_id=None)  # an earlier run, which the next one replaces
    answers = iter([False] * 4)
    with pytest.raises(Interrupted):
        tune_checkpoint(config, data, tmp_path, run_id=None, should_stop=lambda: next(answers, True))
    assert (tmp_path / "teacher" / "best").is_dir(), "it was evaluated, but is not finished"
    tune_checkpoint(config.model_copy(update={"resume": True}), data, tmp_path, run_id=None)
    assert (tmp_path / "teacher" / "checkpoint-12").is_dir()

    (tmp_path / "teacher" / "best" / "model.safetensors").unlink()  # as if it had not been restored yet
    checkpoint, _ = tune_checkpoint(config.model_copy(update={"resume": True}), data, tmp_path, run_id=None)
    assert (tmp_path / "teacher" / "best" / "model.safetensors").is_file()
    assert count_layers(str(checkpoint)) == 1


@pytest.mark.parametrize("layers", [3, 30])
def test_too_many_layers_are_rejected_before_a_teacher_is_trained(
    layers: int, reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, student_layers=layers)
    with pytest.raises(ConfigError, match="student_layers: the teacher has 2 layers; give 1 to 2"):
        tune_checkpoint(config, prepare(config), tmp_path / "run", run_id=None)
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_does_not_fit_or_exist_is_rejected(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    data = prepare(recipe(reviews_csv, tiny_model))

    def distill(teacher: Path) -> None:
        config = recipe(reviews_csv, tiny_model, student_layers=1, teacher=str(teacher))
        tune_checkpoint(config, data, tmp_path / "run", run_id=None)

    def saved(name: str, labels: list[str]) -> Path:
        model, tokenizer = load_classifier(str(tiny_model), labels)
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        return tmp_path / name

    with pytest.raises(ModelError, match="has the labels bad, good, the data has negative, positive"):
        distill(saved("other", ["bad", "good"]))
    with pytest.raises(ModelError, match="has the labels positive, negative, the data has"):
        distill(saved("turned", LABELS[::-1]))
    with pytest.raises(ModelError, match=r"cannot load model '.*gone'"):
        distill(tmp_path / "gone")
    weights = saved("cut", LABELS) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000])
    with pytest.raises(ModelError, match=r"cannot load model '.*cut'"):
        distill(tmp_path / "cut")
    AlbertConfig().save_pretrained(tmp_path / "albert")
    with pytest.raises(
        ModelError, match="cannot remove layers from a model of type albert; distill one of bert"
    ):
        distill(tmp_path / "albert")
    with pytest.raises(ConfigError, match="give student_layers too"):
        configure(teacher="somewhere")


def test_a_student_agrees_more_with_its_teacher_than_one_trained_on_labels_alone(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=2, dropout=0.0)
    data = prepare(config)
    teacher = tune(config, tmp_path / "teacher", data)[0].checkpoint
    model, tokenizer = load_classifier(str(teacher), data.labels)
    keep_layers(model, [1])  # what a student begins as
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")

    alone = tune(config.model_copy(update={"model": str(tmp_path / "start")}), tmp_path / "alone", data)[0]
    taught = fine_tune(
        config.model_copy(update={"student_layers": 1}), data, tmp_path / "taught", teacher=teacher
    )
    ids = [tokenizer(text)["input_ids"][:32] for text in data.test.texts]

    def positive(checkpoint: Path) -> NDArray[np.float64]:
        said = compute_teacher_outputs(load_classifier(str(checkpoint), data.labels), ids, [0])[
            "teacher_logits"
        ]
        return 1 / (1 + np.exp(said[:, 0] - said[:, 1]))

    apart = [np.abs(positive(one.checkpoint) - positive(teacher)).mean() for one in (alone, taught)]
    assert apart[1] < 0.7 * apart[0]
