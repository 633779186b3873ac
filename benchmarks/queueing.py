"""Queues: formulas where there are any, and a small discrete-event simulation where there are none.

Arrivals are Poisson. Lambda has no queue, so `erlang_b` says how many calls it turns away; the writer has
one, so `erlang_c` and `simulate` say how long its batches wait. The tests hold each against the other.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Observed:
    """What a simulated station did: seconds, and time averages of jobs and of busy servers."""

    arrivals_per_second: float
    mean_wait: float
    p99_wait: float
    mean_stay: float  # waiting and service
    mean_jobs: float  # waiting and in service
    busy_servers: float


def erlang_b(servers: int, offered: float) -> float:
    """Return the share of Poisson arrivals that find all servers busy where nobody waits (M/G/c/c).

    `offered` is arrivals a second times mean seconds of service. Erlang, 1917, by the stable recursion.
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival waits (M/M/c); 1 when the servers cannot keep up."""
    if offered >= servers:
        return 1.0
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait(servers: int, rate: float, service_seconds: float) -> float:
    """Return the mean seconds that an arrival waits (M/M/c); infinite when the servers cannot keep up."""
    offered = rate * service_seconds
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * service_seconds / (servers - offered)


def simulate(
    *, rate: float, servers: int, service: Callable[[random.Random], float], jobs: int, seed: int = 1
) -> Observed:
    """Run so many jobs through one first-come-first-served station and observe it.

    `service` draws seconds. The station starts empty and is observed until its last job has left.
    """
    draw = random.Random(seed)
    free = [0.0] * servers
    clock = ended = waited = stayed = served = 0.0
    waits = []
    for _ in range(jobs):
        clock += draw.expovariate(rate)
        start = max(clock, heapq.heappop(free))
        seconds = service(draw)
        heapq.heappush(free, start + seconds)
        ended = max(ended, start + seconds)
        waits.append(start - clock)
        waited += start - clock
        stayed += start + seconds - clock
        served += seconds
    waits.sort()
    return Observed(
        arrivals_per_second=jobs / ended,
        mean_wait=waited / jobs,
        p99_wait=waits[int(0.99 * jobs)],
        mean_stay=stayed / jobs,
        mean_jobs=stayed / ended,
        busy_servers=served / ended,
    )


def seconds_to_catch_up(*, rate: float, capacity: float, outage_seconds: float) -> float:
    """Return how long a backlog lasts after an outage; infinite when the capacity is not above the rate."""
    return rate * outage_seconds / (capacity - rate) if capacity > rate else math.inf
