#!/usr/bin/env bash
# pytest-xdist 3.8.0 on pytest 9.2.0: `--dist loadgroup` ignores xdist_group without a warning.
#
# Expected: tests of one xdist_group run on one worker, so that they can share a database or a port.
# Seen: on pytest 8.4.2 they do. On pytest 9.2.0 the six tests of a group are spread over both workers.
# So: check on which workers a group ran, or split by file (`--dist loadfile`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >test_group.py <<'PYTHON'
import os
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_of_one_group(number):
    time.sleep(0.2)
    with Path("workers").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON
python3 -m venv venv
for version in 8.4.2 9.2.0; do
  venv/bin/pip install --quiet "pytest==$version" pytest-xdist==3.8.0
  rm -f workers
  venv/bin/pytest -q -n 2 --dist loadgroup >/dev/null
  count=$(sort -u workers | wc -l)
  echo "pytest $version, pytest-xdist 3.8.0: one group on $count worker(s)"
  counts="${counts:-}$count "
done
[ "$counts" = "1 2 " ] || { echo changed; exit 1; }
