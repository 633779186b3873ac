"""Several processes train one model: one writes, all stop together, and an error in one fails the job."""

import signal
from pathlib import Path

import pytest

from tests.training.sagemaker.job import JOB, TWO_PROCESSES, MakeJob, registered, runs, wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


# Without dropout and grouping, half the batch in twice the processes is the very same step.
SAME_STEPS = {"dropout": "0.0", "length_grouped": "false", "learning_rate": "0.005"}
ALONE_OR_DISTILLED = pytest.mark.parametrize(
    "kind", [{}, {"student_layers": "1"}], ids=["alone", "distilled"]
)


@pytest.mark.slow
@ALONE_OR_DISTILLED
def test_torchrun_gives_the_result_of_one_process_and_reports_it_once(
    make_job: MakeJob, store: Path, tmp_path: Path, kind: dict[str, str]
) -> None:
    single, double, export = (make_job(name) for name in ("single", "double", "export"))
    code, output = single.run("fine_tune", batch_size="16", **SAME_STEPS, **kind)
    assert code == 0, output
    double.command = [*double.python, *TWO_PROCESSES, *JOB]
    code, output = double.run("fine_tune", batch_size="8", **SAME_STEPS, **kind)
    assert code == 0, output

    assert double.record()["processes"] == 2
    assert double.record()["steps"] == single.record()["steps"]
    evaluations = [line for line in output.splitlines() if "eval_accuracy=" in line]
    assert len(evaluations) == len(set(evaluations)) == 3, "one per epoch, not per process"
    assert len(runs(store)) == 2, "one per job"
    for name, within in (("eval_loss", 1e-3), ("eval_accuracy", 0.05)):
        one, other = (run.data.metrics[name] for run in runs(store))
        assert one == pytest.approx(other, rel=within)

    export.channel("checkpoint", double.packed(tmp_path))
    code, output = export.run("export")
    assert code == 0, output
    assert registered(store) == [double.record()["mlflow_run_id"]]


@pytest.mark.slow
@ALONE_OR_DISTILLED
def test_two_machines_train_one_model_and_only_the_first_writes(
    make_job: MakeJob, store: Path, kind: dict[str, str]
) -> None:
    single = make_job("single")
    code, output = single.run("fine_tune", batch_size="16", **SAME_STEPS, **kind)
    assert code == 0, output
    assert len(runs(store)) == 1

    hosts = ["127.0.0.1", "localhost"]
    machines = [make_job(host) for host in hosts]
    for host, machine in zip(hosts, machines, strict=True):
        machine.configure(
            "resourceconfig", {"hosts": hosts, "current_host": host, "network_interface_name": "lo"}
        )
    processes = [machine.start("fine_tune", batch_size="8", **SAME_STEPS, **kind) for machine in machines]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs

    first, second = machines
    assert first.record()["processes"] == 2
    assert first.record()["steps"] == single.record()["steps"]
    assert list((second.root / "model").iterdir()) == []
    assert "eval_accuracy=" in outputs[0] and "eval_accuracy=" not in outputs[1]
    assert len(runs(store)) == 2, "one per job, not per process"
    losses = [run.data.metrics["eval_loss"] for run in runs(store)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_machines_that_are_stopped_save_together_and_resume(make_job: MakeJob, tmp_path: Path) -> None:
    hosts = ["127.0.0.1", "localhost"]
    machines = [make_job(host) for host in hosts]
    (tmp_path / "s3").mkdir()
    for host, machine in zip(hosts, machines, strict=True):
        (machine.root / "checkpoints").symlink_to(tmp_path / "s3")  # both are kept at the same address
        machine.configure("resourceconfig", {"hosts": hosts, "current_host": host})
    options = {"epochs": "20", "patience": "0", "evaluate_every": "3", "batch_size": "8"}
    processes = [machine.start("fine_tune", **options) for machine in machines]
    wait_for(processes[0], "step=9 eval_loss")
    processes[1].send_signal(signal.SIGTERM)
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [143, 143], outputs
    assert [machine.failure for machine in machines] == [None, None]

    processes = [machine.start("fine_tune", **options) for machine in machines]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert machines[0].record()["resumed_from_step"] >= 9


@pytest.mark.slow
def test_an_error_in_one_of_several_processes_fails_the_job(make_job: MakeJob) -> None:
    hosts = ["127.0.0.1", "localhost"]
    machines = [make_job(host) for host in hosts]
    for host, machine in zip(hosts, machines, strict=True):
        machine.configure("resourceconfig", {"hosts": hosts, "current_host": host})
    processes = [machine.start("fine_tune", frozen_layers="3") for machine in machines]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [4, 4], outputs
    assert all("ModelError: cannot freeze 3 layers" in str(machine.failure) for machine in machines)


def test_only_fine_tuning_runs_on_several_machines(make_job: MakeJob) -> None:
    job = make_job("job")
    job.configure("resourceconfig", {"hosts": ["algo-1", "algo-2"], "current_host": "algo-1"})
    code, output = job.run("search")
    assert code == 2, output
    assert job.failure == "ConfigError: job search runs on one instance, not 2"
