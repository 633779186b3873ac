"""Queueing theory against itself: the simulation, the formulas, and what must hold for any queue."""

import math
import random

import pytest

from benchmarks.scale.queueing import erlang_b, erlang_c, mean_wait, seconds_to_catch_up, simulate


def exponential(mean: float):  # type: ignore[no-untyped-def]
    return lambda draw: draw.expovariate(1 / mean)


@pytest.mark.parametrize(
    ("servers", "offered", "blocked"),
    [(1, 1.0, 0.5), (2, 1.0, 0.2), (10, 5.0, 0.018385), (50, 40.0, 0.018701)],
)
def test_erlang_b_agrees_with_the_published_tables(servers: int, offered: float, blocked: float) -> None:
    assert erlang_b(servers, offered) == pytest.approx(blocked, rel=1e-3)


def test_one_server_waits_as_the_m_m_1_formula_says() -> None:
    rate, service = 8.0, 0.1
    assert erlang_c(1, rate * service) == pytest.approx(0.8)
    assert mean_wait(1, rate, service) == pytest.approx(0.8 * 0.1 / (1 - 0.8))


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 0.7), (10, 0.9)])
def test_the_simulation_waits_as_long_as_erlang_c_says(servers: int, load: float) -> None:
    service = 0.01
    rate = load * servers / service
    observed = simulate(rate=rate, servers=servers, service=exponential(service), jobs=200_000, seed=7)
    assert observed.mean_wait == pytest.approx(mean_wait(servers, rate, service), rel=0.1)
    assert observed.busy_servers == pytest.approx(load * servers, rel=0.02)


@pytest.mark.parametrize(
    "service", [exponential(0.02), lambda draw: 0.02, lambda draw: draw.uniform(0, 0.04)]
)
@pytest.mark.parametrize("servers", [1, 3])
def test_littles_law_holds_whatever_the_service(servers: int, service) -> None:  # type: ignore[no-untyped-def]
    observed = simulate(rate=40 * servers, servers=servers, service=service, jobs=20_000)
    assert observed.mean_jobs == pytest.approx(observed.arrivals_per_second * observed.mean_time_in_system)
    assert observed.busy_servers <= servers
    assert observed.mean_time_in_system >= observed.mean_wait


def test_steady_service_halves_the_wait_of_a_single_server() -> None:
    """Pollaczek and Khinchine: M/D/1 waits half as long as M/M/1."""
    runs = [
        simulate(rate=80, servers=1, service=service, jobs=200_000, seed=3)
        for service in (lambda draw: 0.01, exponential(0.01))
    ]
    assert runs[0].mean_wait == pytest.approx(runs[1].mean_wait / 2, rel=0.1)


def test_a_run_can_be_repeated() -> None:
    def run(seed: int) -> float:
        draws: list[float] = []

        def service(draw: random.Random) -> float:
            draws.append(draw.random())
            return draws[-1] / 100

        return simulate(rate=10, servers=2, service=service, jobs=100, seed=seed).mean_time_in_system

    assert run(1) == run(1) != run(2)


def test_servers_that_cannot_keep_up_never_do() -> None:
    assert erlang_c(2, 2.0) == 1
    assert mean_wait(2, 300, 0.01) == math.inf
    assert seconds_to_catch_up(rate=100, capacity=100, outage_seconds=60) == math.inf


def test_a_backlog_lasts_as_long_as_its_messages_need_beside_the_new_ones() -> None:
    seconds = seconds_to_catch_up(rate=100, capacity=400, outage_seconds=600)
    assert seconds * (400 - 100) == pytest.approx(600 * 100)
