#!/usr/bin/env bash
# tap-spreadsheets 1.1.2: after the first 100 rows, an amount loses its cents, and a row with a text as key is lost.
#
# The type of a column comes from the first 100 rows (`sample_rows`). Later cells are converted to it: int(12.5) is 12, and
# a text in a column of numbers becomes null. A row whose key became null is dropped (`drop_empty`). The exit status is 0,
# and there is no warning. `schema_overrides` with the right types prevents both.
#
# Seen 2026-11-29 with Python 3.11, a workbook with code and price 1..100, then (101, 12.5) and (X-102, 7):
#   default            101 rows, the last is {"code": 101, "price": 12}
#   schema_overrides   102 rows, {"code": "101", "price": 12.5}, {"code": "X-102", "price": 7.0}
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'tap-spreadsheets==1.1.2' >/dev/null
venv/bin/python - <<'PYTHON'
from openpyxl import Workbook

book = Workbook()
for row in (("code", "price"), *((number, number) for number in range(1, 101)), (101, 12.5), ("X-102", 7)):
    book.active.append(row)
book.save("prices.xlsx")
PYTHON

# usage: read OVERRIDES; prints the number of rows, and code and price of the last two
read_prices() {
    cat > config.json <<JSON
{"files": [{"path": "prices.xlsx", "format": "excel", "worksheet": "Sheet", "table_name": "prices",
            "primary_keys": ["code"], "schema_overrides": $1}]}
JSON
    venv/bin/tap-spreadsheets --config config.json > out.singer 2>log || { tail -3 log; return; }
    venv/bin/python -c '
import json
rows = [json.loads(line)["record"] for line in open("out.singer") if "\"RECORD\"" in line]
print(len(rows), *((row["code"], row["price"]) for row in rows[-2:]))'
}

fail() { echo "changed: $1"; exit 1; }

[[ $(read_prices '{}') == '101 (100, 100) (101, 12)' ]] || fail "$(read_prices '{}') without overrides"
overrides='{"code": {"type": ["string", "null"]}, "price": {"type": ["number", "null"]}}'
[[ $(read_prices "$overrides") == "102 ('101', 12.5) ('X-102', 7.0)" ]] || fail "$(read_prices "$overrides") with overrides"
echo "as seen: 12.5 becomes 12, and the row X-102 is lost, unless schema_overrides names the types"
