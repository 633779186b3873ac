"""Data-parallel fine-tuning: start the processes with torchrun, and share what only one of them knows.

Trainer and Accelerate split the rows of each step between the processes.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

_PORT = "29400"  # unless MASTER_PORT is set
# SageMaker kills a container two minutes after SIGTERM; workers may save until shortly before.
_SHUTDOWN_SECONDS = 110
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Cluster:
    """The machines of a job and the number of processes per machine."""

    hosts: Sequence[str]
    current_host: str
    network_interface: str | None = None
    processes_per_host: int = 1

    @property
    def size(self) -> int:
        """Return the total number of processes."""
        return len(self.hosts) * self.processes_per_host


def launch(cluster: Cluster, module: str, arguments: Sequence[str], should_stop: Callable[[], bool]) -> int:
    """Run `python -m module arguments` in every process of this host with torchrun; return its exit code.

    Once `should_stop` returns true, the processes get SIGTERM and time to save.
    """
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nnodes={len(cluster.hosts)}",
        f"--node-rank={list(cluster.hosts).index(cluster.current_host)}",
        f"--master-addr={cluster.hosts[0]}",
        f"--master-port={os.environ.get('MASTER_PORT', _PORT)}",
        f"--nproc-per-node={cluster.processes_per_host}",
        f"--shutdown-timeout={_SHUTDOWN_SECONDS}",
        "-m",
        module,
        *arguments,
    ]
    environment = dict(os.environ)
    if cluster.network_interface:
        for library in ("GLOO", "NCCL"):
            environment.setdefault(f"{library}_SOCKET_IFNAME", cluster.network_interface)
    # Otherwise torchrun sets one thread per process, and prints a long warning.
    environment.setdefault(
        "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // cluster.processes_per_host))
    )
    with subprocess.Popen(command, env=environment) as torchrun:  # noqa: S603  (this program)
        terminated = False
        while True:
            try:
                return torchrun.wait(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if should_stop() and not terminated:
                    torchrun.terminate()
                    terminated = True


def rank() -> int | None:
    """Return the rank of this process; None if torchrun did not start it."""
    value = os.environ.get("RANK")
    return None if value is None else int(value)


def any_process(flag: bool) -> bool:
    """Return whether `flag` is true in any process; all of them must call this at the same point."""
    if not _connected():
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(int(flag), device=device)
    dist.all_reduce(total)
    return bool(total.item())


def common_checkpoint_steps(steps: Iterable[int]) -> list[int]:
    """Return the sorted steps that every process has a checkpoint of."""
    found = set(steps)
    if _connected():
        of_all: list[set[int]] = [set()] * dist.get_world_size()
        dist.all_gather_object(of_all, found)
        found = set.intersection(*of_all)
    return sorted(found)


def broadcast_folder(folder: Path) -> None:
    """Copy the files of the first process's `folder` to every machine; all processes must call it.

    The files are held in memory: use it for a model, not for data. Existing equal files are not rewritten, as
    the machines may share a disk.
    """
    if not _connected():
        return
    payload = [_files(folder) if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(payload)
    files = payload[0] or {}
    if os.environ["LOCAL_RANK"] == "0" and _files(folder) != files:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    dist.barrier()


def disconnect() -> None:
    """Leave the process group once all work is done."""
    if _connected():
        dist.destroy_process_group()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def _connected() -> bool:
    return bool(dist.is_available() and dist.is_initialized())
