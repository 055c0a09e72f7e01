#!/usr/bin/env bash
# target-snowflake 0.20.4: an amount of format x-singer.decimal without precision and scale loses its cents.
#
# The column becomes `DECIMAL`, and the MERGE casts to `DECIMAL`. In Snowflake that is NUMBER(38,0): 2594.49 becomes
# 2594, without a message. With "precision": 38, "scale": 9 beside the format, both are DECIMAL(38, 9).
#
# Not run on a real Snowflake: the column types and the MERGE are the loader's own text, made without a connection, and
# fakesnow 0.12.1 evaluates the casts.
#
# Seen 2026-11-29 with Python 3.11:
#   column plain:  DECIMAL          cast plain:  2594
#   column scaled: DECIMAL(38, 9)   cast scaled: 2594.490000000
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltanolabs-target-snowflake==0.20.4' 'fakesnow==0.12.1' >/dev/null

cat > probe.py <<'PYTHON'
import fakesnow
import snowflake.connector
from snowflake.sqlalchemy.snowdialect import SnowflakeDialect
from target_snowflake.connector import SnowflakeConnector

amount = {"type": ["string", "null"], "format": "x-singer.decimal"}
properties = {"plain": amount, "scaled": amount | {"precision": 38, "scale": 9}}
connector = SnowflakeConnector(config={"account": "none", "user": "none", "password": "none", "database": "db"})
connector.__dict__["formatter"] = SnowflakeDialect().identifier_preparer  # it would connect to ask for it
for name, schema in properties.items():
    print(f"column {name}: {connector.to_sql_type(schema).compile(dialect=SnowflakeDialect())}")
schema = {"properties": {"id": {"type": "integer"}, **properties}}
statement, _ = connector._get_merge_from_stage_statement("db.s.pay", schema, "1", "json", ["id"])
print(statement)
with fakesnow.patch():
    cursor = snowflake.connector.connect(database="db", schema="s").cursor()
    plain, scaled = cursor.execute("select '2594.49'::DECIMAL, '2594.49'::DECIMAL(38, 9)").fetchone()
print(f"cast plain: {plain}\ncast scaled: {scaled}")
PYTHON
venv/bin/python probe.py > seen 2> errors || { tail -3 errors; exit 1; }

fail() { echo "changed: $1"; cat seen; exit 1; }

grep -qx 'column plain: DECIMAL' seen || fail "the column of an amount has a scale now"
grep -qx 'column scaled: DECIMAL(38, 9)' seen || fail "precision and scale do not make a column of that type"
grep -qE '\$1:plain::DECIMAL as' seen || fail "the MERGE casts an amount in another way"
grep -qE '\$1:scaled::DECIMAL\(38, 9\) as' seen || fail "the MERGE does not use precision and scale"
grep -qx 'cast plain: 2594' seen || fail "the cast keeps the cents"
grep -qx 'cast scaled: 2594.490000000' seen || fail "the cast with a scale loses the cents"
echo "as seen: 2594.49 is loaded as 2594, and with precision and scale as 2594.490000000"
