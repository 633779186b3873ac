"""The container does what SageMaker expects: jobs with their folders, termination, failure and resume."""

import json
import os
import signal
import tarfile
import time
from pathlib import Path

import mlflow
import pytest

from tests.training.sagemaker.job import MakeJob, runs, wait_for
from training.config import MODEL_NAME
from training.errors import Interrupted
from training.sagemaker.job import Termination


@pytest.mark.slow
def test_search_fine_tune_and_export_pass_on_their_output(
    make_job: MakeJob, store: Path, tmp_path: Path
) -> None:
    search, tune, export = make_job("search"), make_job("tune"), make_job("export")
    (search.root / "input" / "data" / "training" / ".hidden").touch()

    code, output = search.run("search", trials="2")
    assert code == 0, output
    best = json.loads((search.root / "model" / "best.json").read_text())
    assert best["parameters"].keys() == {
        *("batch_size", "warmup", "weight_decay", "frozen_layers"),
        *("layer_decay", "truncation", "train_max_length"),
    }
    kept = {path.name for path in (search.root / "model").iterdir()}
    assert {"best.json", "study.html", "study.journal"} <= kept

    tune.channel("search", search.packed(tmp_path))
    code, output = tune.run("fine_tune", batch_size="8")
    assert code == 0, output
    assert "eval_accuracy=" in output
    assert {path.name for path in (tune.root / "model").iterdir()} == {"checkpoint", "run.json"}
    record = tune.record()
    assert record["config"]["weight_decay"] == best["parameters"]["weight_decay"]
    assert record["config"]["batch_size"] == 8, "a set option wins over the search"

    export.channel("checkpoint", tune.packed(tmp_path))
    code, output = export.run("export")
    assert code == 0, output
    card = json.loads((export.root / "model" / "model.json").read_text())
    assert set(card["files"]) | {"model.json"} == {p.name for p in (export.root / "model").iterdir()}
    assert (export.root / "output" / "data" / "evaluation.html").exists()
    assert card["data"]["fingerprint"] == record["data_fingerprint"]
    assert card["training"]["run_key"] == record["run_key"]
    assert card["mlflow_run_id"] == record["mlflow_run_id"]

    client = mlflow.MlflowClient(f"sqlite:///{store}", registry_uri=f"sqlite:///{store}")
    candidate = client.get_model_version_by_alias(MODEL_NAME, "candidate")
    assert candidate.run_id == card["mlflow_run_id"], "it is not promoted yet"
    assert len(runs(store)) == 4, "the search with two trials, and one run for fine-tuning and export"
    assert search.failure is tune.failure is export.failure is None


@pytest.mark.slow
def test_a_stopped_fine_tuning_saves_and_resumes(make_job: MakeJob, store: Path) -> None:
    stopped, whole = make_job("stopped"), make_job("whole")
    options = {"epochs": "20", "patience": "0", "evaluate_every": "3", "truncation": "head"}
    process = stopped.start("fine_tune", **options)
    wait_for(process, "step=9 eval_loss")
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    output = process.communicate()[0]
    assert time.monotonic() - started < 60
    assert process.returncode == 143, output
    assert "stop requested" in output
    assert stopped.failure is None
    assert list((stopped.root / "model").iterdir()) == [], "no incomplete result"

    # SageMaker starts a new container with the checkpoint folder of the old one.
    code, output = stopped.run("fine_tune", **options)
    assert code == 0, output
    resumed = stopped.record()
    assert 9 <= resumed["resumed_from_step"] < 60
    assert [run.info.run_id for run in runs(store)] == [resumed["mlflow_run_id"]]

    code, output = whole.run("fine_tune", **options)
    assert code == 0, output
    for name in ("steps", "run_key", "data_fingerprint"):
        assert resumed[name] == whole.record()[name]
    shape = [sorted(p.name for p in (job.root / "model").rglob("*")) for job in (stopped, whole)]
    assert shape[0] == shape[1]
    accuracy = [run.data.metrics["eval_accuracy"] for run in runs(store)]
    assert accuracy[0] == pytest.approx(accuracy[1], abs=0.1)


@pytest.mark.slow
def test_a_resumed_distillation_keeps_its_teacher(make_job: MakeJob, store: Path, tmp_path: Path) -> None:
    job, export = make_job("job"), make_job("export")
    options = {"student_layers": "1", "epochs": "20", "patience": "0", "evaluate_every": "3"}
    for moment in ("Fine-tuning", "step=9 eval_loss"):  # the teacher's own steps; the student's evaluations
        process = job.start("fine_tune", **options)
        wait_for(process, moment)
        process.send_signal(signal.SIGTERM)
        output = process.communicate()[0]
        assert process.returncode == 143, output
        assert job.failure is None
        assert list((job.root / "model").iterdir()) == []

    code, output = job.run("fine_tune", **options)
    assert code == 0, output
    assert output.count("Loading the model") == 1, "the student; its teacher was already trained"
    assert 9 <= job.record()["resumed_from_step"] < 120
    assert [run.info.run_id for run in runs(store)] == [job.record()["mlflow_run_id"]]

    export.channel("checkpoint", job.packed(tmp_path))
    code, output = export.run("export")
    assert code == 0, output
    card = json.loads((export.root / "model" / "model.json").read_text())
    assert card["architecture"]["layers"] == 1
    assert card["training"]["distilled_from"]["layers"] == 2


@pytest.mark.slow
def test_without_a_tracking_server_runs_are_stored_in_the_output(make_job: MakeJob) -> None:
    job = make_job("job")
    del job.environment["MLFLOW_TRACKING_URI"]
    code, output = job.run("fine_tune", epochs="1")
    assert code == 0, output
    [run] = runs(job.root / "output" / "data" / "mlflow.db")
    assert run.info.run_id == job.record()["mlflow_run_id"]


@pytest.mark.parametrize(
    ("job", "hyperparameters", "code", "message"),
    [
        ("train", {}, 2, "ConfigError: hyperparameter job: give search or fine_tune or export, not 'train'"),
        (
            "fine_tune",
            {"learning_rat": "1"},
            2,
            "unknown hyperparameter 'learning_rat'; did you mean",
        ),
        ("fine_tune", {"artifacts": "/"}, 2, "ConfigError: unknown hyperparameter 'artifacts'"),
        ("fine_tune", {"extra_data": "/etc"}, 2, "ConfigError: unknown hyperparameter 'extra_data'"),
        ("fine_tune", {"epochs": "three"}, 2, "ConfigError: epochs: Input should be a valid integer"),
        ("search", {"trials": "0"}, 2, "ConfigError: hyperparameter trials: give a number above 0, not '0'"),
        ("fine_tune", {"student_layers": "3"}, 2, "ConfigError: student_layers: the teacher has 2 layers"),
        ("fine_tune", {"data": "gone.csv"}, 2, "DataError: the channel training has no gone.csv"),
        ("fine_tune", {"text_column": "body"}, 2, "DataError: reviews.csv row 1 has no column 'body'"),
        ("export", {}, 4, "ModelError: the channel checkpoint is missing"),
    ],
)
def test_a_failure_is_a_line_in_the_failure_file_and_an_exit_code(
    make_job: MakeJob, job: str, hyperparameters: dict[str, str], code: int, message: str
) -> None:
    failing = make_job("job")
    found, output = failing.run(job, **hyperparameters)
    assert found == code, output
    assert failing.failure is not None
    assert message in failing.failure and "\n" not in failing.failure
    assert "Traceback" not in output


def test_a_bug_is_a_failure_with_its_traceback_in_the_log(make_job: MakeJob) -> None:
    job = make_job("job")
    job.configure("resourceconfig", {"hosts": 3})
    code, output = job.run("fine_tune")
    assert code == 1
    assert str(job.failure).startswith("TypeError: ")
    assert "Traceback" in output


def test_an_archive_with_paths_outside_is_rejected(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "best.json").write_text("{}")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "best.json", arcname="../../escaped.json")
    job = make_job("job")
    job.channel("search", tmp_path / "model.tar.gz")
    code, output = job.run("fine_tune")
    assert code == 2, output
    assert "DataError: cannot unpack model.tar.gz of channel search" in str(job.failure)


def test_a_checkpoint_is_not_published_on_other_data(make_job: MakeJob, tmp_path: Path) -> None:
    tune, export = make_job("tune"), make_job("export")
    assert tune.run("fine_tune", epochs="1")[0] == 0
    export.channel("checkpoint", tune.packed(tmp_path))
    with (export.root / "input" / "data" / "training" / "reviews.csv").open("a") as file:
        file.write("One more.,positive\n")
    code, output = export.run("export")
    assert code == 2, output
    assert "is not the data that the checkpoint was trained on" in str(export.failure)
    assert list((export.root / "model").iterdir()) == []


@pytest.mark.slow
def test_extra_rows_are_trained_on_and_required_to_publish_the_checkpoint(
    make_job: MakeJob, tmp_path: Path
) -> None:
    feedback = tmp_path / "feedback.csv"
    feedback.write_text("text,label\nA stunning documentary.,positive\nA tedious sequel.,negative\n")
    plain, tune, forgetful, export = (make_job(name) for name in ("plain", "tune", "forgetful", "export"))
    tune.channel("extra", feedback)
    (tune.root / "input" / "data" / "extra" / ".hidden").touch()
    for job in (plain, tune):
        code, output = job.run("fine_tune", epochs="1")
        assert code == 0, output
    assert tune.record()["data_fingerprint"] != plain.record()["data_fingerprint"]

    forgetful.channel("checkpoint", tune.packed(tmp_path))
    code, output = forgetful.run("export")
    assert code == 2, output
    assert "is not the data that the checkpoint was trained on" in str(forgetful.failure)

    export.channel("checkpoint", tune.packed(tmp_path))
    export.channel("extra", feedback)  # under another path than before
    code, output = export.run("export")
    assert code == 0, output
    card = json.loads((export.root / "model" / "model.json").read_text())
    assert card["data"]["fingerprint"] == tune.record()["data_fingerprint"]


def test_termination_without_a_checkpoint_is_immediate() -> None:
    termination = Termination()
    before = signal.signal(signal.SIGTERM, termination.receive)
    try:
        with pytest.raises(Interrupted), termination.immediate():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        assert signal.getsignal(signal.SIGTERM) == termination.receive
        os.kill(os.getpid(), signal.SIGTERM)
        assert termination(), "outside, the request is remembered"
        with pytest.raises(Interrupted), termination.immediate():
            raise AssertionError("a stop was requested before it began")
    finally:
        signal.signal(signal.SIGTERM, before)
