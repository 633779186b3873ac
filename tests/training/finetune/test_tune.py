"""Fine-tuning learns, stops early, keeps the best weights and survives being killed."""

import json
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from training.config import TrainingConfig, configure
from training.data.prepare import prepare
from training.data.rows import Dataset, Rows
from training.errors import ConfigError, Interrupted
from training.finetune.tune import FineTuneResult, choose_precision, fine_tune

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:mtime may not be reliable")

History = list[tuple[int, dict[str, float]]]


def recipe(reviews_csv: Path, tiny_model: Path, **options: Any) -> TrainingConfig:
    given = {
        "data": str(reviews_csv),
        "model": str(tiny_model),
        "max_length": 32,
        "epochs": 2,
        "learning_rate": 3e-2,
        "train_rows": 96,
        "validation_rows": 32,
        "test_rows": 16,
    }
    return configure(**{**given, **options})


def tune(config: TrainingConfig, folder: Path, data: Dataset | None = None) -> tuple[FineTuneResult, History]:
    history: History = []
    tuned = fine_tune(
        config, data or prepare(config), folder, log=lambda metrics, step: history.append((step, metrics))
    )
    return tuned, history


def evaluations(history: History) -> dict[int, float]:
    return {step: metrics["eval_accuracy"] for step, metrics in history if "eval_accuracy" in metrics}


def test_it_learns_and_evaluates_every_n_steps_and_after_each_epoch(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=3, evaluate_every=4)
    tuned, history = tune(config, tmp_path)
    accuracies = evaluations(history)
    assert list(accuracies) == [4, 6, 8, 12, 16, 18]  # 6 steps an epoch
    assert max(accuracies.values()) > 0.9
    assert tuned.steps == 18
    assert {path.name for path in tmp_path.iterdir()} == {"best", "checkpoint-12", "checkpoint-18"}
    assert (tuned.checkpoint / "tokenizer.json").exists()


def test_the_same_seed_gives_the_same_weights(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1)
    one, other = (
        load_file(tune(config, tmp_path / name)[0].checkpoint / "model.safetensors") for name in ("a", "b")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_accumulated_batches_make_one_step(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    tuned, _ = tune(recipe(reviews_csv, tiny_model, epochs=1, accumulation=3), tmp_path)
    assert tuned.steps == 2


def weights_of(tuned: FineTuneResult) -> dict[str, torch.Tensor]:
    return load_file(tuned.checkpoint / "model.safetensors")


def test_layers_further_from_the_head_change_less(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    before = load_file(tiny_model / "model.safetensors")
    name = "distilbert.transformer.layer.0.ffn.lin1.weight"

    def moved(layer_decay: float) -> float:
        config = recipe(reviews_csv, tiny_model, epochs=1, layer_decay=layer_decay)
        after = weights_of(tune(config, tmp_path / str(layer_decay))[0])
        return float((after[name] - before[name]).norm())

    assert moved(0.1) < 0.3 * moved(1.0)


def test_rows_of_weight_zero_have_no_effect_and_equal_weights_change_nothing(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1, dropout=0.0)
    data = prepare(config)
    half = len(data.train) // 2

    def taught(name: str, labels: list[int], weights: list[float] | None) -> dict[str, torch.Tensor]:
        rows = Rows(data.train.texts, labels, weights)
        return weights_of(tune(config, tmp_path / name, replace(data, train=rows))[0])

    def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)

    right = data.train.labels
    wrong = right[:half] + [1 - label for label in right[half:]]
    plain = taught("plain", right, None)
    assert same(plain, taught("equal", right, [1.0] * len(right)))
    mute = [2.0] * half + [0.0] * (len(right) - half)
    assert same(taught("mute", right, mute), taught("mute and wrong", wrong, mute))
    assert not same(plain, taught("wrong", wrong, [1.0] * len(right)))


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("option", ["gradient_checkpointing", "torch_compile"])
def test_options_that_save_memory_or_time_give_the_same_weights(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path, option: str
) -> None:
    one, other = (
        weights_of(
            tune(
                recipe(reviews_csv, tiny_model, epochs=1, dropout=0.0, precision="fp32", **{option: chosen}),
                tmp_path / str(chosen),
            )[0]
        )
        for chosen in (False, True)
    )
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-3) for name in one)


def test_it_stops_when_evaluations_no_longer_improve_and_keeps_the_best(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=30, patience=2)
    tuned, history = tune(config, tmp_path)
    accuracies = list(evaluations(history).values())
    best = accuracies.index(max(accuracies))
    assert len(accuracies) == best + 3 < 30
    kept = load_file(tuned.checkpoint / "model.safetensors")
    last = load_file(tmp_path / f"checkpoint-{tuned.steps}" / "model.safetensors")
    assert any(not torch.equal(kept[name], last[name]) for name in kept)


def test_three_labels(tiny_model: Path, tmp_path: Path) -> None:
    rows = Rows(
        [f"{word} {n}" for word in ("bad", "so so", "good") for n in range(8)], [0] * 8 + [1] * 8 + [2] * 8
    )
    data = Dataset("three", ["bad", "mixed", "good"], rows, rows, rows, {}, "sha256:0")
    config = configure(model=str(tiny_model), max_length=8, epochs=6, learning_rate=3e-2)
    tuned, history = tune(config, tmp_path, data)
    assert max(evaluations(history).values()) > 0.6
    written = json.loads((tuned.checkpoint / "config.json").read_text())
    assert written["id2label"] == {"0": "bad", "1": "mixed", "2": "good"}


def test_frozen_parameters_do_not_change(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1, freeze_embeddings=True, frozen_layers=1)
    after = load_file(tune(config, tmp_path)[0].checkpoint / "model.safetensors")
    before = load_file(tiny_model / "model.safetensors")
    frozen = ("distilbert.embeddings.", "distilbert.transformer.layer.0.")
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith(frozen), name


def test_more_tokens_than_the_model_supports_are_rejected(reviews_csv: Path, tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from training.finetune.model import load_embedded_tokenizer

    short = DistilBertConfig(max_position_embeddings=64, n_layers=1, n_heads=2, dim=16, hidden_dim=16)
    DistilBertForSequenceClassification(short).save_pretrained(tmp_path / "model")
    load_embedded_tokenizer().save_pretrained(tmp_path / "model")
    with pytest.raises(ConfigError, match="max_length: the model reads at most 64 tokens, not 65"):
        tune(recipe(reviews_csv, tmp_path / "model", max_length=65), tmp_path / "run")


def test_precision_follows_the_hardware() -> None:
    cuda = torch.cuda.is_available()
    assert choose_precision("auto") in (("bf16", "fp16") if cuda else ("fp32", "bf16"))
    assert choose_precision("fp32") == "fp32"
    if not cuda:
        with pytest.raises(ConfigError, match="fp16 needs a CUDA device"):
            choose_precision("fp16")


def test_bf16_training_works(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    tuned, history = tune(recipe(reviews_csv, tiny_model, precision="bf16", epochs=3), tmp_path)
    assert tuned.precision == "bf16"
    assert max(evaluations(history).values()) > 0.6


def test_each_run_of_a_process_trains_in_its_own_precision(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    def weights(name: str, precision: str) -> torch.Tensor:
        tuned, _ = tune(recipe(reviews_csv, tiny_model, precision=precision, epochs=1), tmp_path / name)
        return load_file(tuned.checkpoint / "model.safetensors")["classifier.weight"]

    first, half, again = (weights(f"{n}", one) for n, one in enumerate(("fp32", "bf16", "fp32")))
    assert torch.equal(first, again)
    assert not torch.equal(first, half)


SLOW_RUN = """
import sys, time
from pathlib import Path
from training.config import TrainingConfig
from training.data.prepare import prepare
from training.finetune.tune import fine_tune

config = TrainingConfig.model_validate_json(sys.argv[1])
def report(message, done=0, total=None):
    if done == 15:  # in the middle of the third epoch
        print("in the third epoch", flush=True)
        time.sleep(60)
fine_tune(config, prepare(config), Path(sys.argv[2]), progress=report)
"""


def test_a_killed_run_resumes_from_its_last_epoch(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path, warm_python: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=4)
    whole, whole_history = tune(config, tmp_path / "whole")

    run = [warm_python, "-c", SLOW_RUN, config.model_dump_json(), str(tmp_path / "killed")]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "in the third epoch\n"
        killed.send_signal(signal.SIGKILL)
    # Dying while it writes a checkpoint leaves one without its last file.
    (tmp_path / "killed" / "checkpoint-18").mkdir()

    resumed, history = tune(config.model_copy(update={"resume": True}), tmp_path / "killed")
    assert resumed.resumed_from_step == 12
    assert min(step for step, _ in history) > 12
    assert resumed.steps == whole.steps == 24
    expected = {step: accuracy for step, accuracy in evaluations(whole_history).items() if step > 12}
    assert evaluations(history) == pytest.approx(expected)
    one, other = (load_file(tuned.checkpoint / "model.safetensors") for tuned in (whole, resumed))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_a_run_stopped_and_resumed_within_an_epoch_gives_the_same_result(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=2, resume=True)
    whole, _ = tune(config, tmp_path / "whole")
    answers = iter([False, False, False, True])
    with pytest.raises(Interrupted, match="after step 4; saved"):
        fine_tune(config, prepare(config), tmp_path / "stopped", should_stop=lambda: next(answers))
    assert {path.name for path in (tmp_path / "stopped").iterdir()} == {"checkpoint-4"}

    resumed, _ = tune(config, tmp_path / "stopped")
    assert (resumed.resumed_from_step, resumed.steps) == (4, 12)
    one, other = (load_file(tuned.checkpoint / "model.safetensors") for tuned in (whole, resumed))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_resuming_with_nothing_to_resume_starts(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    started, _ = tune(recipe(reviews_csv, tiny_model, epochs=1, resume=True), tmp_path)
    assert (started.resumed_from_step, started.steps) == (0, 6)


def test_without_resume_an_earlier_run_is_replaced(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    tune(recipe(reviews_csv, tiny_model, epochs=2), tmp_path)
    before = time.time()
    again, _ = tune(recipe(reviews_csv, tiny_model, epochs=1), tmp_path)
    assert again.resumed_from_step == 0
    assert {path.name for path in tmp_path.iterdir()} == {"best", "checkpoint-6"}
    assert all(path.stat().st_mtime >= before - 1 for path in tmp_path.iterdir())
