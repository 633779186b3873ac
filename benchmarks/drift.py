"""Replays a week of reviews through the drift monitor, then each shift; and times one run over 100,000 rows.

`python -m benchmarks.drift` stores what the model of artifacts/model says of reviews it has not seen, hour by
hour, and calls the handler after each: windows, alarms and messages are counted, first without a shift and
then with each of `local.drift_lab.shifts`. `--rows 100000` instead stores so many in one hour and runs the
handler once in a process of its own, and reports its time and memory. Results go to artifacts/bench/.
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

from benchmarks.monitored_system import Monitored, hours_before, monitored
from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.handler import handler
from local.drift_lab.answers import Answers, unseen_reviews
from local.drift_lab.shifts import SHIFTS, Shift, draw
from local.reviews import Review

RESULT = Path("artifacts/bench")
REACH_SECONDS, REACH_MB, REACH_INIT_SECONDS = 60, 1536, 10
HOURS, RUNS, COOL_HOURS = 216, 3, 12
QUIET, BUSY = 250, 600  # reviews in an hour of the night and of the day
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


def measure_run(system: Monitored, answers: Answers, pool: Sequence[Review], rows: int) -> dict[str, Any]:
    """Store that many predictions within an hour, drawn from the pool, and run the function afresh."""
    now = datetime.now(UTC)
    answered = answers.of([review.text for review in pool])
    drawn = random.Random(0).choices(answered, k=rows)
    system.store(drawn, since=now - timedelta(minutes=55), until=now - timedelta(minutes=1))
    done = subprocess.run(
        [sys.executable, "-c", ONE_RUN, now.isoformat()], capture_output=True, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def sharing_thresholds() -> AbstractContextManager[Any]:
    """Let the runs of this process calibrate once for each size of window: they have one reference."""
    known: dict[Any, dict[Feature, float]] = {}

    def calibrated(
        reference: Any, features: Any, *, rows: int, false_alarm_rate: float, texts: int | None
    ) -> Any:  # the texts of a replay hardly repeat, so all rows count as different
        if (tuple(features), rows) not in known:
            thresholds = calibrate(reference, features, rows=rows, false_alarm_rate=false_alarm_rate)
            known[tuple(features), rows] = thresholds
        return known[tuple(features), rows]

    return patch("functions.drift_monitor.run.calibrate", calibrated)


class Replay:
    """Time that passes: each hour some reviews come in, and then the monitor runs."""

    def __init__(self, system: Monitored, answers: Answers, start: datetime) -> None:
        self._system, self._answers, self._now = system, answers, start

    def hour(self, reviews: Sequence[Review]) -> dict[str, Any]:
        """Store an hour's reviews as answered, run the handler and return its answer."""
        since, self._now = self._now, self._now + timedelta(hours=1)
        rows = self._answers.of([review.text for review in reviews])
        self._system.store(rows, since=since, until=self._now)
        with redirect_stdout(io.StringIO()):  # its metrics
            return handler({"scheduled_at": self._now.isoformat()}, LambdaContext())

    def skip(self, hours: int) -> None:
        """Let time pass without traffic and without runs."""
        self._now += timedelta(hours=hours)

    @property
    def is_night(self) -> bool:
        """Tell whether few people write now."""
        return self._now.hour < 8


def replay_calm(replay: Replay, system: Monitored, pool: Sequence[Review], hours: int) -> dict[str, Any]:
    """Replay hours without a shift; count what was flagged and what people received."""
    flagged = moved = judged = 0
    texts = _without_early_repeats(pool)
    for _ in track(range(hours), "a week without a shift", console=Console(stderr=True)):
        answer = replay.hour([next(texts) for _ in range(QUIET if replay.is_night else BUSY)])
        if not answer["judged"]:
            continue
        judged += 1
        verdicts = [answer[name] for name in VERDICTS]
        flagged += any(verdict["drifted"] for verdict in verdicts)
        moved += any(feature["drifted"] for verdict in verdicts for feature in verdict["features"])
    return {"windows": judged, "moved": moved, "flagged": flagged, "messages": system.received()}


def replay_shift(replay: Replay, system: Monitored, pool: Sequence[Review], shift: Shift) -> dict[str, Any]:
    """Replay hours of shifted texts, then a day later calm ones; say what each run and people were told."""
    chance = random.Random(1)
    runs = []
    for _ in range(RUNS):
        verdict = replay.hour(shift.window(pool, BUSY, chance))[shift.verdict]
        runs.append({"drifted": verdict["drifted"], "first": verdict["features"][0]["feature"]})
    messages = system.received()
    for _ in range(RUNS):  # so that it is over, and the next shift is news
        replay.hour(draw(pool, BUSY, chance))
    replay.skip(COOL_HOURS)
    opened = {message["kind"] for message in messages if message["status"] == "open"}
    return {
        "runs": runs,
        "told": shift.verdict in opened,
        "also_told": sorted(opened - {shift.verdict}),
        "right_feature": all(each["first"] in shift.top_features for each in runs if each["drifted"]),
        "subjects": [message["subject"] for message in messages],
        "over": [message["subject"] for message in system.received()],
    }


def _without_early_repeats(pool: Sequence[Review]) -> Iterator[Review]:
    chance = random.Random(7)
    while True:
        yield from chance.sample(pool, len(pool))


def speed_table(found: dict[str, Any]) -> Table:
    """Lay out one run beside what it must reach."""
    rows = Table("", title=f"One run over {found['rows']:,} predictions ({found['compared']:,} compared)")
    for name in ("measured", "at most"):
        rows.add_column(name, justify="right")
    rows.add_row("init", f"{found['init_seconds']:.2f} s", f"{REACH_INIT_SECONDS} s")
    rows.add_row("run", f"{found['run_seconds']:.1f} s", f"{REACH_SECONDS} s")
    rows.add_row("CPU of both", f"{found['cpu_seconds']:.1f} s", "")
    rows.add_row("memory", f"{found['peak_mb']:,.0f} MB", f"{REACH_MB:,} MB")
    return rows


def week_table(calm: dict[str, Any], shifts: dict[str, dict[str, Any]]) -> Table:
    """Lay out the week and the shifts after it."""
    rows = Table("traffic", "windows", "judged drift", "people told", "named first", title="Replayed")
    rows.add_row(
        "no shift", f"{calm['windows']}", f"{calm['flagged']}", f"{len(calm['messages'])} messages", ""
    )
    for name, found in shifts.items():
        first = dict.fromkeys(each["first"] for each in found["runs"])
        drifted = sum(each["drifted"] for each in found["runs"])
        told = ", ".join([*([SHIFTS[name].verdict] if found["told"] else []), *found["also_told"]]) or "no"
        rows.add_row(name.replace("_", " "), f"{len(found['runs'])}", f"{drifted}", told, ", ".join(first))
    return rows


def main() -> None:
    """Replay or time, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, help="time one run over so many predictions instead")
    parser.add_argument("--hours", type=int, default=HOURS, help="of the replay without a shift")
    parser.add_argument("--pool", type=int, default=6000, help="different reviews to draw from")
    parser.add_argument("--model", type=Path, default=Path("artifacts/model"))
    options = parser.parse_args()
    console = Console()
    answers = Answers(options.model, Path("artifacts/drift"))
    pool = unseen_reviews(options.model)[: options.pool]
    answers.of([review.text for review in pool])
    version, labels = answers.card.model_version, answers.card.labels
    RESULT.mkdir(parents=True, exist_ok=True)
    if options.rows:
        with monitored(options.model, labels, version) as system:
            found = measure_run(system, answers, pool, options.rows)
        (RESULT / "drift_speed.json").write_text(json.dumps(found, indent=2) + "\n")
        console.print(speed_table(found))
        return
    started = time.perf_counter()
    with monitored(options.model, labels, version) as system, sharing_thresholds():
        hours = options.hours + len(SHIFTS) * (2 * RUNS + COOL_HOURS)
        replay = Replay(system, answers, hours_before(datetime.now(UTC), hours))
        calm = replay_calm(replay, system, pool, options.hours)
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
