#!/usr/bin/env bash
# airbyte-cdk 7.19.3: a client-side incremental read ends at the first page whose rows are all older than the state.
#
# The pages here are sorted by id, which the manifest does not contradict. The changed row is on the second page. 7.19.3
# filters the first page to nothing, takes that for the end of the list, and exits with status 0: the row is missed.
# 7.39.1 goes on to the next page. So our manifest uses a component that older runtimes refuse.
#
# Seen 2026-11-30 with Python 3.11:
#   airbyte-cdk 7.19.3: pages 1, no record
#   airbyte-cdk 7.39.1: pages 1 2 3, the record of id 4
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"

cat >server.py <<'PYTHON'
import http.server, json, urllib.parse

PAGES = {1: [(1, "2026-01-01"), (2, "2026-01-02")], 2: [(3, "2026-01-03"), (4, "2026-07-01")]}

class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        number = int(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["page"][0])
        with open("pages", "a") as file:
            file.write(f"{number}\n")
        rows = [{"id": row_id, "updated_at": f"{day}T00:00:00Z"} for row_id, day in PAGES.get(number, [])]
        body = json.dumps({"rows": rows}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 server.py >port &
server=$!
until [ -s port ]; do sleep 0.1; done

cat >manifest.yaml <<YAML
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [rows]}
streams:
  - type: DeclarativeStream
    name: rows
    primary_key: id
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, additionalProperties: true, properties: {}}}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated_at
      cursor_datetime_formats: ["%Y-%m-%dT%H:%M:%SZ"]
      datetime_format: "%Y-%m-%dT%H:%M:%SZ"
      start_datetime: {type: MinMaxDatetime, datetime: "2020-01-01T00:00:00Z", datetime_format: "%Y-%m-%dT%H:%M:%SZ"}
      is_client_side_incremental: true
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "http://127.0.0.1:$(cat port)", path: rows, http_method: GET}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [rows]}}
      paginator:
        type: DefaultPaginator
        pagination_strategy: {type: PageIncrement, start_from_page: 1, inject_on_first_request: true}
        page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
spec: {type: Spec, connection_specification: {type: object, additionalProperties: true, properties: {}}}
YAML
echo '{}' >config.json
cat >catalog.json <<'JSON'
{"streams": [{"stream": {"name": "rows", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]},
  "sync_mode": "incremental", "destination_sync_mode": "append", "cursor_field": ["updated_at"]}]}
JSON
cat >state.json <<'JSON'
[{"type": "STREAM", "stream": {"stream_descriptor": {"name": "rows"},
  "stream_state": {"updated_at": "2026-06-01T00:00:00Z"}}}]
JSON

fail() { echo "changed: $1"; exit 1; }

# usage: read_with VERSION; prints the pages, then the ids of the records
read_with() {
    python3 -m venv "venv-$1"
    "venv-$1/bin/pip" install --quiet --disable-pip-version-check "airbyte-cdk==$1" >/dev/null 2>&1
    rm -f pages
    "venv-$1/bin/source-declarative-manifest" read --config config.json --catalog catalog.json --state state.json \
        --manifest-path manifest.yaml >messages 2>errors || fail "$1 does not exit with status 0"
    echo "pages $(tr '\n' ' ' <pages)ids $(grep '"type":"RECORD"' messages | grep -o '"id":[0-9]*' | tr '\n' ' ' || true)"
}

old=$(read_with 7.19.3)
new=$(read_with 7.39.1)
echo "7.19.3: $old"
echo "7.39.1: $new"
[ "$old" = "pages 1 ids " ] || fail "7.19.3 reads on"
[ "$new" = 'pages 1 2 3 ids "id":4 ' ] || fail "7.39.1 does not read the changed row alone"
echo "as seen: airbyte-cdk 7.19.3 ends a list at a page of old rows"
