"""Errors from outside the program are one clear line too."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.training.finetune.test_tune import recipe, tune
from training.__main__ import main
from training.config import configure
from training.data.prepare import prepare
from training.errors import DataError, DiskFullError, ModelError, TrainingError, disk_full_guard
from training.finetune.model import load_classifier
from training.finetune.tune import fine_tune

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:mtime may not be reliable")

FULL = Path("/dev/full")  # every write to it fails as on a full disk


def fill_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA max_page_count = 2")
        store.execute("CREATE TABLE t (x)")
        store.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)


@pytest.mark.parametrize(
    "write",
    [
        lambda _: FULL.write_text("x" * 100_000),
        lambda _: torch.save(torch.zeros(100_000), FULL),
        lambda folder: fill_sqlite(folder / "full.db"),
    ],
    ids=["system", "torch", "sqlite"],
)
def test_a_full_disk_is_reported_whichever_library_hit_it(
    write: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with (
        pytest.raises(DiskFullError, match="the disk is full while writing"),
        disk_full_guard(tmp_path),
    ):
        write(tmp_path)


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    for error in (ValueError("x"), OSError(errno.EACCES, "denied"), DataError("row 1")):
        with pytest.raises(type(error)), disk_full_guard(tmp_path):
            raise error
    with (
        pytest.raises(RuntimeError, match=r"inline_container|iostream"),
        disk_full_guard(tmp_path / "not yet there"),
    ):
        torch.save(torch.zeros(10), FULL)  # although there is room


def test_the_cause_of_an_error_counts(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError), disk_full_guard(tmp_path):
        try:
            save_file({"a": torch.zeros(100_000)}, "/proc/self/none")
        except Exception as error:
            try:
                raise OSError(errno.ENOSPC, "No space left on device") from error
            except OSError as inner:
                raise RuntimeError("could not save") from inner


def test_every_error_has_a_documented_code() -> None:
    import training.errors

    table = training.errors.__doc__ or ""
    for kind in TrainingError.__subclasses__():
        assert f"| {kind.exit_code} " in table


def test_a_checkpoint_of_another_model_is_refused(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    config = recipe(reviews_csv, tiny_model, epochs=1)
    tune(config, tmp_path / "run")
    model, tokenizer = load_classifier(str(tiny_model), ["negative", "positive"])
    wider = type(model)(type(model.config)(**model.config.to_dict() | {"hidden_dim": 48}))
    wider.save_pretrained(tmp_path / "wider")
    tokenizer.save_pretrained(tmp_path / "wider")
    other = config.model_copy(update={"model": str(tmp_path / "wider"), "resume": True, "epochs": 2})
    with pytest.raises(ModelError, match=r"checkpoint-6 is a checkpoint of another model; remove it"):
        fine_tune(other, prepare(other), tmp_path / "run")


GOOD = "".join(f'"a long text, number {n}",{n % 2}\n' for n in range(40))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "cut.csv",
            "text,label\n" + GOOD + '"a text that en',
            "row 41 (line 42) has a quote that is not closed",
        ),
        ("cut.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "la', "row 2 is not JSON"),
        ("cut.parquet", "PAR1 and then nothing", "is not a Parquet file"),
    ],
)
def test_a_truncated_file_is_a_one_line_error(
    tmp_path: Path, name: str, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    for extra in ([], ["--streaming"]):
        assert main(["train", "--data", str(tmp_path / name), "--artifacts", str(tmp_path), *extra]) == 2
        printed = capsys.readouterr().err
        assert message in printed and "Traceback" not in printed
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unreachable_hub_is_a_one_line_error(
    reviews_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    arguments = ["--data", str(reviews_csv), "--artifacts", str(tmp_path / "artifacts")]
    assert main(["train", *arguments, "--model", "nobody/nothing"]) == 4
    assert "cannot load model 'nobody/nothing'" in capsys.readouterr().err
    assert not (tmp_path / "artifacts" / "models").exists()


def test_an_unknown_option_is_a_one_line_error() -> None:
    with pytest.raises(TrainingError, match=r"learning_ratee: Extra inputs are not permitted"):
        configure(learning_ratee=1e-4)
