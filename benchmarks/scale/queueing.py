"""Queueing theory: formulas where they exist, otherwise a small discrete-event simulation.

Arrivals are Poisson. Lambda has no queue, so `erlang_b` gives the share of blocked calls. The writer has one:
`erlang_c` and `simulate` give the waits of its batches. Tests compare formulas and simulation.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class QueueStats:
    """Results of a simulation: seconds, and time averages of jobs and of busy servers."""

    arrivals_per_second: float
    mean_wait: float
    p99_wait: float
    mean_time_in_system: float  # waiting and service
    mean_jobs: float  # waiting and in service
    busy_servers: float


def erlang_b(servers: int, offered: float) -> float:
    """Return the share of Poisson arrivals that are blocked because all servers are busy (M/G/c/c).

    `offered` is arrivals per second times mean service seconds. Erlang, 1917, by the stable recursion.
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival waits (M/M/c); 1 if the servers cannot keep up."""
    if offered >= servers:
        return 1.0
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait(servers: int, rate: float, service_seconds: float) -> float:
    """Return the mean seconds that an arrival waits (M/M/c); infinite if the servers cannot keep up."""
    offered = rate * service_seconds
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * service_seconds / (servers - offered)


def simulate(
    *, rate: float, servers: int, service: Callable[[random.Random], float], jobs: int, seed: int = 1
) -> QueueStats:
    """Simulate a first-come-first-served queue with this number of jobs.

    `service` draws seconds. The queue starts empty, and the simulation ends when the last job has left.
    """
    random_source = random.Random(seed)
    free = [0.0] * servers
    clock = ended = waited = stayed = served = 0.0
    waits = []
    for _ in range(jobs):
        clock += random_source.expovariate(rate)
        start = max(clock, heapq.heappop(free))
        seconds = service(random_source)
        heapq.heappush(free, start + seconds)
        ended = max(ended, start + seconds)
        waits.append(start - clock)
        waited += start - clock
        stayed += start + seconds - clock
        served += seconds
    waits.sort()
    return QueueStats(
        arrivals_per_second=jobs / ended,
        mean_wait=waited / jobs,
        p99_wait=waits[int(0.99 * jobs)],
        mean_time_in_system=stayed / jobs,
        mean_jobs=stayed / ended,
        busy_servers=served / ended,
    )


def seconds_to_catch_up(*, rate: float, capacity: float, outage_seconds: float) -> float:
    """Return how long a backlog lasts after an outage; infinite if the capacity is at most the rate."""
    return rate * outage_seconds / (capacity - rate) if capacity > rate else math.inf
