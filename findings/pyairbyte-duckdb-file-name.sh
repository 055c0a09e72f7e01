#!/usr/bin/env bash
# PyAirbyte 0.71.3: a DuckDB cache fails where its file is named like its schema.
#
# DuckDB names the catalog of a database after its file. PyAirbyte writes `fp._airbyte_streams` for the schema `fp`, which
# is ambiguous in `fp.duckdb`: "Ambiguous reference to catalog or schema". The same cache in `warehouse.duckdb` works.
#
# Seen 2026-11-29 with Python 3.11, duckdb 1.4.3:
#   warehouse.duckdb, schema fp:  works
#   fp.duckdb, schema fp:         BinderException: Ambiguous reference to catalog or schema "fp"
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'airbyte==0.71.3' 'duckdb==1.4.3' >/dev/null 2>&1

# usage: make_cache FILE
make_cache() {
    AIRBYTE_OFFLINE_MODE=1 venv/bin/python -W ignore - "$1" <<'PYTHON' 2>&1
import sys
import airbyte
from airbyte_protocol.models import ConfiguredAirbyteCatalog

cache = airbyte.caches.DuckDBCache(db_path=sys.argv[1], schema_name="fp")
cache.register_source("source", ConfiguredAirbyteCatalog(streams=[]), set())
print("works")
PYTHON
}

fail() { echo "changed: $1"; exit 1; }

make_cache warehouse.duckdb | grep -q '^works$' || fail "a cache in a file of another name does not work"
(make_cache fp.duckdb || true) | grep -q 'Ambiguous reference to catalog or schema' || fail "a file named like the schema works now"
echo "as seen: a DuckDB cache fails where its file is named like its schema"
