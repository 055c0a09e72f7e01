#!/usr/bin/env bash
# tap-csv-folder 0.0.1a1: a catalog ends it with a traceback, so that it cannot run in Meltano; merged files lose columns.
#
# With `--catalog`, the tap sets a property that has no setter. Meltano passes a catalog in every run. Without a catalog
# and with `read_mode: merge`, all files have the columns of the file that the file system lists first. Columns that it
# lacks are dropped from all files, with a warning and exit status 0. Files are read in that order, too, not by name.
#
# Seen 2026-11-29 with Python 3.11 (it installs singer-sdk 0.41.0), and the files a.csv (lead) and b.csv (lead,email):
#   with its own catalog   exit status 1, AttributeError: property 'primary_keys' of 'CSVStream' object has no setter
#   without                the email of b.csv arrives only if os.listdir() names b.csv first
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'tap-csv-folder==0.0.1a1' >/dev/null
mkdir files
printf 'lead\n1\n' > files/a.csv
printf 'lead,email\n2,bo@example.com\n' > files/b.csv
echo '{"path": "files", "read_mode": "merge", "stream_name": "leads"}' > config.json

fail() { echo "changed: $1"; exit 1; }

venv/bin/tap-csv-folder --config config.json --discover > catalog.json 2>log
venv/bin/tap-csv-folder --config config.json --catalog catalog.json > with.singer 2>log && fail "it runs with a catalog"
grep -q "property 'primary_keys' of 'CSVStream' object has no setter" log || fail "another error with a catalog"

venv/bin/tap-csv-folder --config config.json > without.singer 2>log || fail "it does not run without a catalog"
arrived=$(grep -c 'bo@example.com' without.singer || true)
first=$(python3 -c 'import os; print(os.listdir("files")[0])')
[[ $first == b.csv && $arrived == 1 || $first == a.csv && $arrived == 0 ]] || fail "columns are not those of the first file"
[[ $(grep '"RECORD"' without.singer | head -1) == *"$first"* ]] || fail "files are not read in the order of os.listdir()"
echo "as seen: a traceback with a catalog; without, the columns of $first for both files"
