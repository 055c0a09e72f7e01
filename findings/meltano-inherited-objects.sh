#!/usr/bin/env bash
# Meltano 4.4.1: a plugin that inherits another one gets the keys of its object settings too, beside its own.
#
# Text and numbers of the child replace those of the parent. An object, such as `stream_maps`, does not: the child's is
# merged into the parent's, key by key and at every level. There is no error and no message, and an empty object of the
# child removes nothing. So the maps of `tap-postgres` also apply in `tap-postgres--leads`. What the child must not have,
# the parent must not have either.
#
# Seen 2026-11-29 with Python 3.11, in what the process of the child reads as its settings:
#   parent {"a": {"x": "1"}}, child {"b": {"y": "2"}}   ->   {"a": {"x": "1"}, "b": {"y": "2"}}
#   parent {"a": {"x": "1"}}, child {}                  ->   {"a": {"x": "1"}}
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltano==4.4.1' >/dev/null

cat > tap.py <<'PY'
import json
import sys

config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
json.dump([config["stream_maps"], config["text"]], open("seen.json", "w"), sort_keys=True)
PY
write_project() {
    cat > meltano.yml <<YAML
requires_meltano: '>=4.4'
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
plugins:
  extractors:
  - name: tap-probe
    namespace: tap_probe
    executable: ./tap.sh
    settings: [{name: stream_maps, kind: object}, {name: text}]
    config: {text: of the parent, stream_maps: {a: {x: '1'}}}
  - name: tap-probe--child
    inherit_from: tap-probe
    config: {text: of the child, stream_maps: $1}
YAML
}
printf '#!/bin/sh\nexec python3 tap.py "$@"\n' > tap.sh
chmod +x tap.sh

fail() { echo "changed: $1: $(cat seen.json)"; exit 1; }

write_project "{b: {y: '2'}}"
venv/bin/meltano invoke tap-probe--child > log.txt 2>&1 || { cat log.txt; exit 1; }
[ "$(cat seen.json)" = '[{"a": {"x": "1"}, "b": {"y": "2"}}, "of the child"]' ] || fail "an object of the child"
write_project "{}"
venv/bin/meltano invoke tap-probe--child > log.txt 2>&1 || { cat log.txt; exit 1; }
[ "$(cat seen.json)" = '[{"a": {"x": "1"}}, "of the child"]' ] || fail "an empty object of the child"
echo "meltano 4.4.1: a child's object setting is merged into its parent's"
