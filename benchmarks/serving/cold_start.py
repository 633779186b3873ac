"""One cold start: a new process to its first prediction. `python -m benchmarks.serving.cold_start NAME PATH`.

Prints the wall and CPU seconds since the start of the process as JSON; `benchmarks.serving` runs it.
"""

import json
import os
import sys
import time
from pathlib import Path

TEXT = "A quiet, clever film that stays with you long after the lights have come up."


def classify_once(name: str, path: Path) -> None:
    """Load one contender and classify one text."""
    if name == "handler":
        from benchmarks.serving.our_handler import load_handler

        load_handler(path, os.environ["BENCH_QUEUE_URL"])(TEXT)
    elif name == "transformers + torch":
        from transformers import pipeline

        pipeline("text-classification", model=str(path), device="cpu")(TEXT)
    elif name == "optimum ORTModel":
        from optimum.onnxruntime import ORTModelForSequenceClassification
        from transformers import AutoTokenizer

        model = ORTModelForSequenceClassification.from_pretrained(path)
        model(**AutoTokenizer.from_pretrained(path)(TEXT, return_tensors="pt"))
    else:
        raise SystemExit(f"there is no contender {name!r}")


def process_age_seconds() -> float:
    """Return the wall seconds since this process started (Linux: proc(5), field 22 of stat)."""
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf(
        "SC_CLK_TCK"
    )
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


if __name__ == "__main__":
    classify_once(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({"wall_seconds": process_age_seconds(), "cpu_seconds": time.process_time()}))
