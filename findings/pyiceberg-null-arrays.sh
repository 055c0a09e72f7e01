#!/usr/bin/env bash
# PyIceberg 0.12.0: a null array of objects is written as an empty array. A null array of integers stays null.
#
# The Parquet file itself has the empty array, so that no reader can tell the two apart. Every loader that appends through
# PyIceberg does so, target-s3tables among them. Reported upstream as apache/iceberg-python#3833.
#
# Seen 2026-11-29 with Python 3.11 and pyarrow 26.0.1, after rows with null, [] and one element:
#   lines: [[], [], [{'a': 1}]]
#   tags:  [None, [], [1]]
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pyiceberg[sql-sqlite]==0.12.0' 'pyarrow==26.0.1' >/dev/null

cat > probe.py <<'PYTHON'
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from pyiceberg.catalog.sql import SqlCatalog

folder = Path.cwd()
catalog = SqlCatalog("local", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())
catalog.create_namespace("s")
lines = pa.array([None, [], [{"a": 1}]], pa.list_(pa.struct([("a", pa.int64())])))
rows = pa.table({"lines": lines, "tags": pa.array([None, [], [1]], pa.list_(pa.int64()))})
catalog.create_table("s.t", schema=rows.schema).append(rows)
(path,) = (folder / "s").rglob("*.parquet")
written = pyarrow.parquet.ParquetFile(path).read()
for name in ("lines", "tags"):
    print(f"{name}: {written[name].to_pylist()}")
PYTHON
venv/bin/python probe.py > seen 2> errors || { tail -3 errors; exit 1; }

fail() { echo "changed: $1"; cat seen; exit 1; }

grep -qxF "lines: [[], [], [{'a': 1}]]" seen || fail "a null array of objects is written in another way"
grep -qxF 'tags: [None, [], [1]]' seen || fail "a null array of integers is written in another way"
echo "as seen: a null array of objects becomes an empty array, a null array of integers stays null"
