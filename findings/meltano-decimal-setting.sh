#!/usr/bin/env bash
# Meltano 4.4.1: a plugin setting of kind `decimal` cannot be set from the environment.
#
# `kind: decimal` is a documented kind of setting. Text from the environment becomes a `decimal.Decimal`, and Meltano's
# JSON encoder rejects that whenever it prints or writes the plugin's configuration. The run then ends with
# "TypeError: Object of type Decimal is not JSON serializable". The same number in `meltano.yml` works: YAML makes it a
# float. With `kind: integer` only whole numbers work in the environment. With `kind: string` both work: a number of
# `meltano.yml` stays a number, and one of the environment is text. plugins/*.yml use it for that reason.
#
# Seen 2026-11-29 with Python 3.11:
#   string, environment 4.5:   {"rate": "4.5"}
#   string, meltano.yml 4.5:   {"rate": 4.5}
#   decimal, meltano.yml 4.5:  {"rate": 4.5}
#   decimal, environment 4.5:  TypeError: Object of type Decimal is not JSON serializable
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltano==4.4.1' >/dev/null

# usage: print_config KIND ["config: {rate: NUMBER}"]
print_config() {
    cat > meltano.yml <<YAML
requires_meltano: '>=4.4'
plugins:
  utilities:
  - name: probe
    namespace: probe
    executable: cat
    settings:
    - {name: rate, kind: $1}
    ${2:-}
YAML
    venv/bin/meltano config print probe 2>&1 | tr -d ' \n'
}

fail() { echo "changed: $1"; exit 1; }

PROBE_RATE=4.5 print_config string | grep -q '"rate":"4.5"' || fail "a string from the environment is no longer text"
print_config string 'config: {rate: 4.5}' | grep -q '"rate":4.5' || fail "a number in meltano.yml does not stay a number"
print_config decimal 'config: {rate: 4.5}' | grep -q '"rate":4.5' || fail "a decimal in meltano.yml does not work"
(PROBE_RATE=4.5 print_config decimal || true) | grep -q 'ObjectoftypeDecimalisnotJSONserializable' \
    || fail "a decimal from the environment works now"
echo "as seen: a decimal setting works from meltano.yml and fails from the environment"
