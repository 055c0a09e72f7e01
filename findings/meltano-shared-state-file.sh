#!/usr/bin/env bash
# Meltano 4.4.1: two runs of one extractor at the same time share state.json, whatever their state ids are.
#
# `meltano run --state-id-suffix` gives each account of an extractor a state of its own, and Meltano lets runs of
# different state ids go on at the same time. But it hands the state over in `.meltano/run/EXTRACTOR/state.json`, a
# file without the state id or the run in its name. A run that begins in between overwrites it: the first extractor
# continues from the bookmarks of the other account, and misses what changed before them. There is no error.
# With a folder for each account (MELTANO_SYS_DIR_ROOT), each reads its own.
#
# Seen 2026-11-30 with Python 3.11. `north` begins, and reads its state 4 s later; `south` begins 2 s after it:
#   one folder:         north continues from {"account": "south"}
#   a folder for each:  north continues from {"account": "north"}
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltano==4.4.1' >/dev/null

cat > tap.sh <<'SH'
#!/bin/sh
sleep "$WAIT"
while [ $# -gt 0 ]; do [ "$1" = --state ] && state=$2; shift; done
[ -z "$state" ] || tr -d ' \n' < "$state" > "read-by-$ACCOUNT"
echo "{\"type\": \"STATE\", \"value\": {\"account\": \"$ACCOUNT\"}}"
SH
cat > target.sh <<'SH'
#!/bin/sh
exec cat
SH
chmod +x tap.sh target.sh
cat > meltano.yml <<'YAML'
requires_meltano: '>=4.4'
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
plugins:
  extractors:
  - {name: tap-probe, namespace: tap_probe, executable: ./tap.sh, capabilities: [state]}
  loaders:
  - {name: target-probe, namespace: target_probe, executable: ./target.sh}
YAML
export MELTANO_DATABASE_URI="sqlite:///$folder/meltano.db"

run() { # account, seconds until the extractor reads its state, folder of Meltano
    ACCOUNT=$1 WAIT=$2 MELTANO_SYS_DIR_ROOT="$folder/$3" \
        venv/bin/meltano run tap-probe target-probe --state-id-suffix "$1" > "log-$1" 2>&1
}
read_by_north() {
    sed -E 's/.*"account":"(north|south)".*/\1/' read-by-north
}
fail() { echo "changed: $1"; exit 1; }

run north 0 one
run south 0 one
for folders in "one one" "north south"; do
    read -r of_north of_south <<< "$folders"
    rm -f read-by-north
    run north 4 "$of_north" & first=$!
    sleep 2
    run south 0 "$of_south"
    wait "$first" || { cat log-north; exit 1; }
    echo "folders $folders: north continues from the state of $(read_by_north)"
    expected=north
    [ "$of_north" != "$of_south" ] || expected=south
    [ "$(read_by_north)" = "$expected" ] || fail "the state that north reads"
done
echo "as seen: with one folder, an account continues from the state of another"
