"""Several processes for one fine-tuning: start them with torchrun, and let them agree on what only one sees.

Each process trains on its share of every step's rows (data parallel); Trainer and Accelerate do that part.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

_PORT = "29400"  # unless MASTER_PORT says another
# SageMaker kills a container two minutes after it asked it to stop; until shortly before, workers may save.
_SHUTDOWN_SECONDS = 110
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Cluster:
    """The machines of one job and how many processes each of them runs."""

    hosts: Sequence[str]
    current_host: str
    network_interface: str | None = None
    processes_per_host: int = 1

    @property
    def size(self) -> int:
        """Return the number of processes in all."""
        return len(self.hosts) * self.processes_per_host


def launch(cluster: Cluster, module: str, arguments: Sequence[str], stopping: Callable[[], bool]) -> int:
    """Run `python -m module arguments` in every process of this host with torchrun; return its exit code.

    Once `stopping` returns true the processes get SIGTERM and the time to save.
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
    # torchrun sets one thread where it starts several processes, and says so at length unless it is set.
    environment.setdefault(
        "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // cluster.processes_per_host))
    )
    with subprocess.Popen(command, env=environment) as torchrun:  # noqa: S603  (this very program)
        told = False
        while True:
            try:
                return torchrun.wait(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if stopping() and not told:
                    torchrun.terminate()
                    told = True


def rank() -> int | None:
    """Return the number of this process among those that torchrun started; None if it did not."""
    value = os.environ.get("RANK")
    return None if value is None else int(value)


def any_process(flag: bool) -> bool:
    """Tell whether `flag` is true in any process; all of them must ask at the same point."""
    if not _connected():
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(int(flag), device=device)
    dist.all_reduce(total)
    return bool(total.item())


def common_steps(steps: Iterable[int]) -> list[int]:
    """Return, in order, the steps that every process has a checkpoint of."""
    found = set(steps)
    if _connected():
        everywhere: list[set[int]] = [set()] * dist.get_world_size()
        dist.all_gather_object(everywhere, found)
        found = set.intersection(*everywhere)
    return sorted(found)


def share_folder(folder: Path) -> None:
    """Give every machine the files of the first process's `folder`; all processes must call it.

    They go through memory, so it is for a model and not for data. Nothing is written where they are already:
    the machines may share a disk.
    """
    if not _connected():
        return
    sent = [_files(folder) if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(sent)
    files = sent[0] or {}
    if os.environ["LOCAL_RANK"] == "0" and _files(folder) != files:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    dist.barrier()


def disconnect() -> None:
    """Leave the other processes in order, once all work is done."""
    if _connected():
        dist.destroy_process_group()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def _connected() -> bool:
    return bool(dist.is_available() and dist.is_initialized())
