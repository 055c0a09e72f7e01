#!/usr/bin/env bash
# Meltano 4.4.1: `state_backend.s3.endpoint_url` is ignored unless the S3 keys are settings of Meltano too.
#
# The setting names another object store than Amazon's, such as MinIO or Ceph. Where the keys come from the usual
# places of AWS (AWS_ACCESS_KEY_ID, a profile, the role of a machine), Meltano makes its client without it. The state
# then goes to amazonaws.com, with that store's keys, or the run ends with "Could not connect to the endpoint URL".
# AWS_ENDPOINT_URL_S3, a variable of boto3 itself, works with both kinds of keys.
#
# Seen 2026-11-30 with Python 3.11 and boto3 1.44, requests that arrive at the named server:
#   keys of Meltano, endpoint_url:             some
#   keys of AWS's variables, endpoint_url:     none; without the proxy below, https://states.s3.amazonaws.com
#   keys of AWS's variables, AWS_ENDPOINT_URL_S3: some
set -euo pipefail

folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
server=
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'meltano[s3]==4.4.1' >/dev/null 2>&1

venv/bin/python - > port <<'PY' &
import http.server, pathlib, socketserver, sys

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("requests", "a") as file:
            file.write(self.path + "\n")
        body = b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_PUT = do_GET
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
PY
server=$!
until [ -s port ]; do sleep 0.1; done
url="http://127.0.0.1:$(cat port)"
cat > meltano.yml <<'YAML'
requires_meltano: '>=4.4'
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
YAML
export MELTANO_STATE_BACKEND_URI=s3://states/meltano AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1
# What leaves this machine goes to a proxy that is not there, and not to Amazon.
export HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1

arrived() { # variables
    rm -f requests
    env "$@" venv/bin/meltano state get probe > log 2>&1 || true
    if [ -s requests ]; then echo some; else echo none; fi
}
fail() { echo "changed: $1"; cat log; exit 1; }

own=$(arrived MELTANO_STATE_BACKEND_S3_AWS_ACCESS_KEY_ID=a MELTANO_STATE_BACKEND_S3_AWS_SECRET_ACCESS_KEY=b \
    MELTANO_STATE_BACKEND_S3_ENDPOINT_URL="$url")
echo "keys of Meltano, endpoint_url: $own"
[ "$own" = some ] || fail "the setting with keys of Meltano"
of_aws=$(arrived AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b MELTANO_STATE_BACKEND_S3_ENDPOINT_URL="$url")
echo "keys of AWS's variables, endpoint_url: $of_aws"
[ "$of_aws" = none ] && grep -q ProxyConnectionError log || fail "the setting with keys of AWS's variables"
variable=$(arrived AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_ENDPOINT_URL_S3="$url")
echo "keys of AWS's variables, AWS_ENDPOINT_URL_S3: $variable"
[ "$variable" = some ] || fail "boto3's own variable"
echo "as seen: the setting counts only beside keys that are settings too"
