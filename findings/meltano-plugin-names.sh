#!/usr/bin/env bash
# Meltano 4.4.1: a loader is told the name of its extractor, an extractor is not told that of its loader.
#
# `meltano run` and `meltano el` set MELTANO_EXTRACTOR_NAME for both processes and MELTANO_LOADER_NAME for the loader
# alone. Both have the name in `meltano.yml`, also that of an inherited plugin. Neither is told the state id, the job
# or the schedule. The history of runs takes the name of a pipeline from these two variables.
#
# Seen 2026-11-29 with Python 3.11, by `run`, `el`, `el --state-id`, `run --state-id-suffix` and `schedule run`:
#   extractor: MELTANO_EXTRACTOR_NAME=tap-probe--north
#   loader:    MELTANO_EXTRACTOR_NAME=tap-probe--north MELTANO_LOADER_NAME=target-probe
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltano==4.4.1' >/dev/null

cat > tap.sh <<'SH'
#!/bin/sh
env | grep -E '^MELTANO_(EXTRACTOR|LOADER)_NAME=' | sort > extractor.txt
echo '{"type": "SCHEMA", "stream": "a", "schema": {"properties": {"id": {}}}, "key_properties": []}'
SH
cat > target.sh <<'SH'
#!/bin/sh
env | grep -E '^MELTANO_(EXTRACTOR|LOADER)_NAME=' | sort > loader.txt
cat > input.txt
SH
chmod +x tap.sh target.sh
cat > meltano.yml <<'YAML'
requires_meltano: '>=4.4'
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
plugins:
  extractors:
  - {name: tap-probe, namespace: tap_probe, executable: ./tap.sh}
  - {name: tap-probe--north, inherit_from: tap-probe}
  loaders:
  - {name: target-probe, namespace: target_probe, executable: ./target.sh}
YAML

fail() { echo "changed: $1"; exit 1; }

for command in run el; do
    rm -f extractor.txt loader.txt
    venv/bin/meltano "$command" tap-probe--north target-probe > log.txt 2>&1 || { cat log.txt; exit 1; }
    [ "$(cat extractor.txt)" = "MELTANO_EXTRACTOR_NAME=tap-probe--north" ] || fail "what $command tells the extractor"
    [ "$(tr '\n' ' ' < loader.txt)" = "MELTANO_EXTRACTOR_NAME=tap-probe--north MELTANO_LOADER_NAME=target-probe " ] \
        || fail "what $command tells the loader"
done
echo "as seen: the loader knows both names, the extractor its own"
