#!/usr/bin/env bash
# Meltano 4.4.1: `meltano run` writes to the user's home, although project and MELTANO_SYS_DIR_ROOT are elsewhere.
#
# The log of each run of a tap and a target is below XDG_STATE_HOME, else below ~/.local/state. Where that cannot be
# written, as in a container with a read-only file system and a volume for `.meltano`, the run ends with status 1 before
# it starts a plugin. `meltano invoke` is not concerned. Our image sets XDG_STATE_HOME to the folder of the volume.
#
# Seen 2026-11-30 with Python 3.11:
#   invoke, no writable home: status 0
#   run, no writable home: status 1, nothing loaded
#   run, XDG_STATE_HOME in .meltano: status 0, loaded, .meltano/meltano/log/elt has the log
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet 'meltano==4.4.1'
export PATH="$folder/venv/bin:$PATH" MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_DISABLE_VERSION_CHECK=true
touch home # a file, in which root cannot make a folder either
export HOME="$folder/home" MELTANO_SYS_DIR_ROOT="$folder/project/.meltano"
unset XDG_STATE_HOME

mkdir -p project/.meltano
cd project
cat >tap-one <<'SH'
#!/bin/sh
echo '{"type": "SCHEMA", "stream": "a", "schema": {"properties": {}}, "key_properties": []}'
SH
cat >target-one <<'SH'
#!/bin/sh
cat >loaded
SH
chmod +x tap-one target-one
cat >meltano.yml <<YAML
default_environment: dev
environments: [{name: dev}]
plugins:
  extractors: [{name: tap-one, namespace: tap_one, executable: $PWD/tap-one}]
  loaders: [{name: target-one, namespace: target_one, executable: $PWD/target-one}]
YAML

meltano invoke tap-one >output 2>&1
echo "invoke, no writable home: status 0"

status=0
meltano run tap-one target-one >output 2>&1 || status=$?
[ "$status" = 1 ]
[ ! -e loaded ]
tr -d '\n' <output | grep -q "home/.local/state/meltano/log/elt"
echo "run, no writable home: status 1, nothing loaded"

XDG_STATE_HOME="$PWD/.meltano" meltano run tap-one target-one >output 2>&1
[ -s loaded ]
[ -n "$(find .meltano/meltano/log/elt -name '*.log')" ]
echo "run, XDG_STATE_HOME in .meltano: status 0, loaded, .meltano/meltano/log/elt has the log"
