#!/usr/bin/env bash
# target-duckdb 0.8.0 with duckdb 1.3 or newer: the first row of each batch that has a time with a zone is lost.
#
# The loader writes a CSV file without a header, and loads it with a COPY that does not state so. Since 1.3, DuckDB takes
# a first line with such a time for a header. The log says "Loading 2 rows", and the exit status is 0.
# `pip install target-duckdb==0.8.0` installs the newest duckdb. With duckdb 1.2.2 every row arrives.
#
# Seen 2026-11-29 with Python 3.11:
#   duckdb 1.2.2: exit status 0, rows 1, 2
#   duckdb 2.0.1: exit status 0, rows 2
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv

cat > in.singer <<'LINES'
{"type":"SCHEMA","stream":"m","key_properties":["id"],"schema":{"type":"object","properties":{"id":{"type":"integer"},"at":{"type":["string","null"],"format":"date-time"}}}}
{"type":"RECORD","stream":"m","record":{"id":1,"at":"2026-03-09T18:22:41.000000Z"}}
{"type":"RECORD","stream":"m","record":{"id":2,"at":"2026-03-09T18:22:41.000000Z"}}
LINES

# usage: load VERSION NAME; prints the ids of the loaded rows
load() {
    venv/bin/pip install --quiet --disable-pip-version-check 'target-duckdb==0.8.0' "duckdb==$1" >/dev/null
    echo "{\"path\": \"$2.duckdb\", \"default_target_schema\": \"s\"}" > config.json
    venv/bin/target-duckdb --config config.json < in.singer > "$2.log" 2>&1 || { echo "exit status $?"; return; }
    venv/bin/python -c "import duckdb; print(*(row[0] for row in duckdb.connect('$2.duckdb').execute('select id from s.m order by 1').fetchall()))"
}

fail() { echo "changed: $1"; exit 1; }

[[ $(load 1.2.2 older) == '1 2' ]] || fail "rows are lost with duckdb 1.2.2"
[[ $(load 2.0.1 newer) == '2' ]] || fail "the first row is not lost with duckdb 2.0.1"
echo "as seen: both rows with duckdb 1.2.2, only the second with duckdb 2.0.1"
