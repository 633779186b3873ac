#!/usr/bin/env bash
# evidently 0.7.23: the normed Wasserstein distance cannot see drift in a column with a small spread.
#
# Expected: the distance is divided by the reference's standard deviation, so that it depends on no unit: a shift
# of 5 standard deviations scores 5 at any scale.
# Seen: the divisor is at least 0.001. At a standard deviation of 0.00001 the same shift scores 0.05, below the
# default threshold of 0.1: no drift. Columns like that are common: probabilities of a rare class, rates, prices
# of a token. The PSI of the same data is above 14 at every scale.
# So: rescale such a column before it is compared, or choose another method for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet evidently==0.7.23 "pandas<3.1" numpy==2.4.6
DO_NOT_TRACK=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

random = np.random.default_rng(0)
columns = DataDefinition(numerical_columns=["value"])
seen = {}
for spread in (1.0, 1e-3, 1e-4, 1e-5):
    reference = pd.DataFrame({"value": random.normal(0, spread, 2000)})
    current = pd.DataFrame({"value": random.normal(5 * spread, spread, 2000)})
    for method in ("wasserstein", "psi"):
        report = Report([ValueDrift(column="value", method=method)]).run(
            current_data=Dataset.from_pandas(current, columns),
            reference_data=Dataset.from_pandas(reference, columns),
        )
        seen[method, spread] = float(report.dict()["metrics"][0]["value"])
    print(
        f"evidently {version('evidently')} | standard deviation {spread:g}, shift {5 * spread:g}:"
        f" wasserstein {seen['wasserstein', spread]:.3f}, psi {seen['psi', spread]:.1f}"
    )
if not (seen["wasserstein", 1.0] > 4 and seen["wasserstein", 1e-5] < 0.1 < seen["psi", 1e-5]):
    raise SystemExit("changed")
PYTHON
