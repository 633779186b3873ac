"""Several machines train one model: one writes, all stop together, and an error of one is the job's."""

import signal
from pathlib import Path

import pytest

from tests.training.job import MakeJob, runs, wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.mark.slow
def test_two_machines_train_one_model_and_only_the_first_writes(make_job: MakeJob, store: Path) -> None:
    # Without dropout and grouping, half the batch in twice the processes is the very same step.
    recipe = {"dropout": "0.0", "length_grouped": "false", "learning_rate": "0.005"}
    single = make_job("single")
    code, output = single.run("fine_tune", batch_size="16", **recipe)
    assert code == 0, output
    assert len(runs(store)) == 1

    hosts = ["127.0.0.1", "localhost"]
    machines = [make_job(host) for host in hosts]
    for host, machine in zip(hosts, machines, strict=True):
        machine.configure(
            "resourceconfig", {"hosts": hosts, "current_host": host, "network_interface_name": "lo"}
        )
    processes = [machine.start("fine_tune", batch_size="8", **recipe) for machine in machines]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs

    first, second = machines
    assert first.record()["processes"] == 2
    assert first.record()["steps"] == single.record()["steps"]
    assert list((second.root / "model").iterdir()) == []
    assert "eval_accuracy=" in outputs[0] and "eval_accuracy=" not in outputs[1]
    assert len(runs(store)) == 2, "one for each job, not for each process"
    losses = [run.data.metrics["eval_loss"] for run in runs(store)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_machines_that_are_told_to_stop_save_together_and_go_on(make_job: MakeJob, tmp_path: Path) -> None:
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
def test_an_error_in_one_of_several_processes_is_the_jobs(make_job: MakeJob) -> None:
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
