#!/usr/bin/env bash
# target-csv 0.5.0: each run replaces the files of the run before, also with overwrite_behavior: append_records.
#
# The setting is declared and described, and has no effect. With the tap's bookmarks the old rows do not come again. With
# file_naming_scheme: "{stream_name}-{timestamp}.csv" each run has its own file.
#
# Seen 2026-11-29 with Python 3.11, after a run with id 1 and a run with id 2:
#   overwrite_behavior: append_records   t.csv: id 2
#   file_naming_scheme with {timestamp}  two files: id 1, id 2
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltanolabs-target-csv==0.5.0' >/dev/null

# usage: load_twice FOLDER SETTING; prints the cells of all files
load_twice() {
    mkdir "$1"
    echo "{\"output_path\": \"$1\", $2}" > config.json
    for id in 1 2; do
        printf '%s\n' \
            '{"type":"SCHEMA","stream":"t","key_properties":["id"],"schema":{"type":"object","properties":{"id":{"type":"integer"}}}}' \
            "{\"type\":\"RECORD\",\"stream\":\"t\",\"record\":{\"id\":$id}}" \
            | venv/bin/target-csv --config config.json > log 2>&1 || { tail -3 log; return; }
        sleep 1.1  # the timestamp has whole seconds
    done
    cat "$1"/*.csv | tr -d '\r"' | grep -v id | sort | tr '\n' ' '
}

fail() { echo "changed: $1"; exit 1; }

[[ $(load_twice append '"overwrite_behavior": "append_records"') == '2 ' ]] || fail "append_records has an effect now"
[[ $(load_twice stamped '"file_naming_scheme": "{stream_name}-{timestamp}.csv"') == '1 2 ' ]] \
    || fail "a file name with a timestamp does not keep both runs"
echo "as seen: append_records keeps the second run only, a file name with a timestamp keeps both"
