"""What tests of every folder share: no network, and one tiny model, trained and exported for real."""

import csv
import itertools
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.fixtures.distribution import Scheduler, put_the_longest_first
from tests.fixtures.once import made_once, run_owner
from tests.fixtures.tracing import leave_out_libraries
from tests.fixtures.warm_python import start

# Before any test imports a library that reads them. One thread, as more only get in each other's way over
# models this tiny.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_NUM_THREADS": "1",
}

# A shell starts what it puts into the background deaf to Ctrl-C, and children inherit that: what the tests
# end by it would run on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if sys.gettrace() is not None:
    leave_out_libraries()

TRAINED = {"experiment_store", "tiny_artifact", "tiny_model", "warm_python"}
_OPINIONS = {
    "positive": ("great", "lovely", "brilliant", "wonderful", "superb"),
    "negative": ("awful", "boring", "dreadful", "terrible", "dull"),
}
_SUBJECTS = ("film", "story", "cast", "music", "ending", "script", "camera", "pace")
_REMARKS = ("I saw it twice.", "My friends<br />agree.", "We left late.", "It was raining.")


@pytest.hookimpl(wrapper=True)  # before pytest deselects by these markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        if TRAINED.intersection(getattr(item, "fixturenames", ())) or "tests/training/" in item.nodeid:
            item.add_marker(pytest.mark.training)
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    if "PYTEST_XDIST_WORKER" in os.environ:
        put_the_longest_first(items)
    yield


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    return Scheduler(config, log)


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a command that takes the place of `sys.executable` and has the libraries of training loaded."""

    def make(folder: Path) -> None:
        start(folder, owner=run_owner())

    return made_once(tmp_path_factory, "warm_python", make) / "python"


@pytest.fixture(scope="session")
def experiment_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty MLflow database; making one takes seconds, copying it none."""

    def make(folder: Path) -> None:
        import mlflow

        with warnings.catch_warnings():
            # MLflow's use of SQLAlchemy, whichever test is the first to need the store.
            warnings.simplefilter("ignore", DeprecationWarning)
            mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()

    return made_once(tmp_path_factory, "store", make) / "mlflow.db"


@pytest.fixture(scope="session")
def reviews_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CSV file of 320 short reviews, `text,label`, that one word each decides."""

    def make(folder: Path) -> None:
        with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for label, words in _OPINIONS.items():
                for word, subject, remark in itertools.product(words, _SUBJECTS, _REMARKS):
                    writer.writerow([f"A {word} {subject}. {remark}", label])

    return made_once(tmp_path_factory, "reviews", make) / "reviews.csv"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random DistilBERT of 2 layers, 32 wide, and the embedded model's tokenizer."""

    def make(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations within torch's own imports
            import torch
            from transformers import DistilBertConfig, DistilBertForSequenceClassification

            from training.finetune.model import load_embedded_tokenizer

            torch.manual_seed(0)
            shape = DistilBertConfig(vocab_size=30522, n_layers=2, n_heads=2, dim=32, hidden_dim=64)
            DistilBertForSequenceClassification(shape).save_pretrained(folder)
            load_embedded_tokenizer().save_pretrained(folder)

    return made_once(tmp_path_factory, "tiny_model", make)


@pytest.fixture(scope="session")
def tiny_artifact(
    tmp_path_factory: pytest.TempPathFactory, reviews_csv: Path, tiny_model: Path, experiment_store: Path
) -> Path:
    """Return the folder of an artifact that training and export made: negative/positive, 64 tokens."""

    def make(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns about its own future
            from training.config import configure
            from training.pipeline import run

            shutil.copy(experiment_store, folder / "mlflow.db")
            config = configure(
                data=str(reviews_csv),
                model=str(tiny_model),
                max_length=64,
                truncation="head_tail",
                epochs=12,
                learning_rate=1e-2,
                dropout=0.0,
                artifacts=folder,
            )
            run(config)

    return (made_once(tmp_path_factory, "artifacts", make) / "model").resolve()
