"""Replay a week of reviews through the drift monitor, then each shift; or time one run over 100,000 rows.

`python -m benchmarks.monitoring.drift` stores predictions of artifacts/model for unseen reviews, hour by
hour, and calls the handler after each hour. It counts windows, alarms and messages without a shift, and then
with each shift of `local.drift_lab.shifts`. With `--rows 100000` it stores that many predictions in one hour,
runs the handler once in a separate process, and reports its time and memory. Results are written to
artifacts/bench/.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.utilities.typing import LambdaContext
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.monitoring.monitored_system import MonitoredSystem, hours_before, monitored_system
from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.handler import handler
from local.drift_lab.predictions import PredictionCache, unseen_reviews
from local.drift_lab.shifts import SHIFTS, Shift, draw
from local.reviews import Review

RESULT = Path("artifacts/bench")
MAXIMUM_SECONDS, MAXIMUM_MB, MAXIMUM_INIT_SECONDS = 60, 1536, 10
HOURS, RUNS, COOL_HOURS = 216, 3, 12
NIGHT_REVIEWS, DAY_REVIEWS = 250, 600  # per hour
VERDICTS = ("data_drift", "prediction_drift")
ONE_RUN = """
import json, resource, sys, time
start = time.perf_counter()
from functions.drift_monitor.handler import handler
init = time.perf_counter() - start
answer = handler({"scheduled_at": sys.argv[1]}, None)
print(json.dumps({
    "init_seconds": init,
    "run_seconds": time.perf_counter() - start - init,
    "cpu_seconds": time.process_time(),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "judged": answer["judged"],
    "rows": answer.get("rows"),
    "compared": answer.get("compared"),
}))
"""


def measure_run(
    system: MonitoredSystem, predictions: PredictionCache, pool: Sequence[Review], rows: int
) -> dict[str, Any]:
    """Store that many predictions from the pool within an hour, and run the function in a new process."""
    now = datetime.now(UTC)
    rows_of_pool = predictions.predict([review.text for review in pool])
    drawn = random.Random(0).choices(rows_of_pool, k=rows)
    system.store(drawn, since=now - timedelta(minutes=55), until=now - timedelta(minutes=1))
    done = subprocess.run(
        [sys.executable, "-c", ONE_RUN, now.isoformat()], capture_output=True, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def sharing_thresholds() -> AbstractContextManager[Any]:
    """Calibrate only once per window size in this process, as all runs have one reference."""
    known: dict[Any, dict[Feature, float]] = {}

    def calibrated(
        reference: Any, features: Any, *, rows: int, false_alarm_rate: float, texts: int | None
    ) -> Any:  # texts of a replay rarely repeat, so all rows count as distinct
        if (tuple(features), rows) not in known:
            thresholds = calibrate(reference, features, rows=rows, false_alarm_rate=false_alarm_rate)
            known[tuple(features), rows] = thresholds
        return known[tuple(features), rows]

    return patch("functions.drift_monitor.window_evaluation.calibrate", calibrated)


class Replay:
    """A simulated clock: each hour some reviews are predicted, and then the monitor runs."""

    def __init__(self, system: MonitoredSystem, predictions: PredictionCache, start: datetime) -> None:
        self._system, self._predictions, self._now = system, predictions, start

    def hour(self, reviews: Sequence[Review]) -> dict[str, Any]:
        """Store the predictions of an hour, run the handler and return its result."""
        since, self._now = self._now, self._now + timedelta(hours=1)
        rows = self._predictions.predict([review.text for review in reviews])
        self._system.store(rows, since=since, until=self._now)
        with redirect_stdout(io.StringIO()):  # its metrics
            return handler({"scheduled_at": self._now.isoformat()}, LambdaContext())

    def skip(self, hours: int) -> None:
        """Advance the clock without traffic and runs."""
        self._now += timedelta(hours=hours)

    @property
    def is_night(self) -> bool:
        """Return whether it is night, with less traffic."""
        return self._now.hour < 8


def replay_unshifted(
    replay: Replay, system: MonitoredSystem, pool: Sequence[Review], hours: int
) -> dict[str, Any]:
    """Replay hours without a shift; count windows with drift, and the messages."""
    flagged = moved = judged = 0
    texts = _without_early_repeats(pool)
    for _ in track(range(hours), "a week without a shift", console=Console(stderr=True)):
        result = replay.hour([next(texts) for _ in range(NIGHT_REVIEWS if replay.is_night else DAY_REVIEWS)])
        if not result["judged"]:
            continue
        judged += 1
        verdicts = [result[name] for name in VERDICTS]
        flagged += any(verdict["drifted"] for verdict in verdicts)
        moved += any(feature["drifted"] for verdict in verdicts for feature in verdict["features"])
    return {"windows": judged, "moved": moved, "flagged": flagged, "messages": system.received()}


def replay_shift(
    replay: Replay, system: MonitoredSystem, pool: Sequence[Review], shift: Shift
) -> dict[str, Any]:
    """Replay hours with a shift, then hours without; return the verdicts and the messages."""
    generator = random.Random(1)
    runs = []
    for _ in range(RUNS):
        verdict = replay.hour(shift.window(pool, DAY_REVIEWS, generator))[shift.verdict]
        runs.append({"drifted": verdict["drifted"], "first": verdict["features"][0]["feature"]})
    messages = system.received()
    for _ in range(RUNS):  # so that the alert is resolved before the next shift
        replay.hour(draw(pool, DAY_REVIEWS, generator))
    replay.skip(COOL_HOURS)
    opened = {message["kind"] for message in messages if message["status"] == "open"}
    return {
        "runs": runs,
        "alerted": shift.verdict in opened,
        "also_alerted": sorted(opened - {shift.verdict}),
        "right_feature": all(each["first"] in shift.top_features for each in runs if each["drifted"]),
        "subjects": [message["subject"] for message in messages],
        "over": [message["subject"] for message in system.received()],
    }


def _without_early_repeats(pool: Sequence[Review]) -> Iterator[Review]:
    generator = random.Random(7)
    while True:
        yield from generator.sample(pool, len(pool))


def speed_table(found: dict[str, Any]) -> Table:
    """Return one run beside its limits as a table."""
    rows = Table("", title=f"One run over {found['rows']:,} predictions ({found['compared']:,} compared)")
    for name in ("measured", "limit"):
        rows.add_column(name, justify="right")
    rows.add_row("init", f"{found['init_seconds']:.2f} s", f"{MAXIMUM_INIT_SECONDS} s")
    rows.add_row("run", f"{found['run_seconds']:.1f} s", f"{MAXIMUM_SECONDS} s")
    rows.add_row("CPU of both", f"{found['cpu_seconds']:.1f} s", "")
    rows.add_row("memory", f"{found['peak_mb']:,.0f} MB", f"{MAXIMUM_MB:,} MB")
    return rows


def week_table(calm: dict[str, Any], shifts: dict[str, dict[str, Any]]) -> Table:
    """Return the week and the shifts as a table."""
    rows = Table("traffic", "windows", "judged drift", "alerts", "top feature", title="Replayed")
    rows.add_row(
        "no shift", f"{calm['windows']}", f"{calm['flagged']}", f"{len(calm['messages'])} messages", ""
    )
    for name, found in shifts.items():
        first = dict.fromkeys(each["first"] for each in found["runs"])
        drifted = sum(each["drifted"] for each in found["runs"])
        alerted = (
            ", ".join([*([SHIFTS[name].verdict] if found["alerted"] else []), *found["also_alerted"]]) or "no"
        )
        rows.add_row(name.replace("_", " "), f"{len(found['runs'])}", f"{drifted}", alerted, ", ".join(first))
    return rows


def main() -> None:
    """Replay or time, then print and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, help="time one run over this number of predictions instead")
    parser.add_argument("--hours", type=int, default=HOURS, help="length of the replay without a shift")
    parser.add_argument("--pool", type=int, default=6000, help="number of distinct reviews to draw from")
    parser.add_argument("--model", type=Path, default=Path("artifacts/model"))
    options = parser.parse_args()
    console = Console()
    predictions = PredictionCache(options.model, Path("artifacts/drift"))
    pool = unseen_reviews(options.model)[: options.pool]
    predictions.predict([review.text for review in pool])
    version, labels = predictions.card.model_version, predictions.card.labels
    RESULT.mkdir(parents=True, exist_ok=True)
    if options.rows:
        with monitored_system(options.model, labels, version) as system:
            found = measure_run(system, predictions, pool, options.rows)
        (RESULT / "drift_speed.json").write_text(json.dumps(found, indent=2) + "\n")
        console.print(speed_table(found))
        return
    started = time.perf_counter()
    with monitored_system(options.model, labels, version) as system, sharing_thresholds():
        hours = options.hours + len(SHIFTS) * (2 * RUNS + COOL_HOURS)
        replay = Replay(system, predictions, hours_before(datetime.now(UTC), hours))
        calm = replay_unshifted(replay, system, pool, options.hours)
        shifts = {
            name: replay_shift(replay, system, pool, shift)
            for name, shift in track(SHIFTS.items(), "each shift", console=Console(stderr=True))
        }
    seconds = round(time.perf_counter() - started)
    result = {"model_version": version, "seconds": seconds, "calm": calm, "shifts": shifts}
    (RESULT / "drift_week.json").write_text(json.dumps(result, indent=2) + "\n")
    console.print(week_table(calm, shifts))


if __name__ == "__main__":
    main()
