#!/usr/bin/env bash
# target-s3tables 0.0.6: with sanitize_names, its default, the column customer_id can hold the values of customer__id.
#
# The loader makes one underscore of several, takes the names in alphabetical order, and appends _2 to the second of two
# equal names. `__` comes before `_i`: the flattened name `customer__id` gets the column of `customer_id`. Flattening in the
# SDK makes such names. With sanitize_names: false the names stay.
#
# Seen 2026-11-29 with Python 3.11, after a record with customer_id 1 and customer__id 2:
#   sanitize_names: true    customer_id 2, customer_id_2 1
#   sanitize_names: false   customer_id 1, customer__id 2
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
pip() { venv/bin/pip install --quiet --disable-pip-version-check "$@" >/dev/null; }
pip 'pyiceberg[pyarrow]==0.12.0' 'pyarrow==26.0.1'
pip --no-deps 'target-s3tables==0.0.6'  # its Singer part is not used

cat > probe.py <<'PYTHON'
import logging

from target_s3tables.iceberg import records_to_arrow_table, singer_schema_to_arrow_schema

integer = {"type": ["integer", "null"]}
schema = {"properties": {"customer_id": integer, "customer__id": integer}}
for sanitize in (True, False):
    arrow, specs = singer_schema_to_arrow_schema(schema, sanitize_names=sanitize, log=logging.getLogger())
    (row,) = records_to_arrow_table(
        [{"customer_id": 1, "customer__id": 2}], arrow_schema=arrow, specs=specs
    ).to_pylist()
    print(sanitize, " ".join(f"{name}={row[name]}" for name in sorted(row)))
PYTHON
venv/bin/python probe.py > seen 2> errors || { tail -3 errors; exit 1; }

fail() { echo "changed: $1"; cat seen; exit 1; }

grep -qx 'True customer_id=2 customer_id_2=1' seen || fail "the names or their order"
grep -qx 'False customer__id=2 customer_id=1' seen || fail "sanitize_names: false changes names"
echo "as seen: customer__id is loaded into customer_id, and customer_id into customer_id_2"
