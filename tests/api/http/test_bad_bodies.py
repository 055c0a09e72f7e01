"""Tests with invalid bodies: the tap emits each row as strict JSON, or names the list that failed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.commands import run_command
from tests.harness.odd_values import BROKEN_VALUES, odd
from tests.harness.results import RunResult

Config = dict[str, Any]
LISTED = [resource for resource in RESOURCES if not resource.parent]
EMPTY = b'{"error":false,"response":[],"total_count":0}'
FORMS = [
    *("%s", "[%s", '{"error":%s}', '{"response":%s}', '{"error":true,"errors":%s}', '{"error":true,"message":%s}'),
    *('{"error":false,"response":{"id":%s},"total_count":%s}', '{"error":true,"errors":{"name":[%s]}}'),
]


class BodyServer:
    """A server that sends a fixed body for a path, and an empty page after the first page."""

    def __init__(self) -> None:
        self.by_path: dict[str, bytes] = {}
        body_server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                url = urlsplit(self.path)
                body = body_server.by_path.get(url.path, EMPTY)
                if int(parse_qs(url.query).get("page", ["1"])[0]) > 1:
                    body = EMPTY
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815  names of the library

            def log_message(self, *args: object) -> None:
                """Print no line for a request."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[BodyServer]:
    with closing(BodyServer()) as body_server:
        yield body_server


@pytest.fixture(scope="module")
def catalog(server: BodyServer) -> Config:
    return TapFieldPulse(config=settings_of(server)).catalog_dict


@pytest.fixture(scope="module")
def client(server: BodyServer) -> Iterator[Client]:
    """Yield a client that does not retry."""
    account = ClientSettings(
        api_key=ApiKey("key"), api_url=server.url, requests_per_second=5000, rate_limit_store="memory"
    )
    with closing(Client(account, retry_policy=RetryPolicy(max_attempts=1))) as client:
        yield client


def settings_of(server: BodyServer) -> Config:
    return {"api_key": "key", "api_url": server.url, "requests_per_second": 50, "rate_limit_store": "memory"}


def run_stream(server: BodyServer, catalog: Config, name: str, folder: Path) -> RunResult:
    entry = json.loads(json.dumps(next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == name)))
    (folder / "config.json").write_text(json.dumps(settings_of(server)))
    (folder / "catalog.json").write_text(json.dumps({"streams": [entry]}))
    result = run_command(TapFieldPulse, f"--config={folder}/config.json", f"--catalog={folder}/catalog.json")
    assert result.is_explained, result.stderr
    return result


def parse_strictly(text: str) -> RunResult:
    """Parse the output as a strict loader does: without NaN, infinities and lone surrogates."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for line in filter(None, text.split("\n")):
        json.loads(line, parse_constant=refuse)
        line.encode()
    return RunResult(text)


def envelope(rows: list[str], count: str) -> bytes:
    return f'{{"error":false,"response":[{",".join(rows)}],"total_count":{count}}}'.encode()


@pytest.mark.parametrize("resource", LISTED, ids=lambda resource: resource.name)
def test_rows_with_any_values_become_strict_json_and_no_row_is_lost(
    resource: Resource, server: BodyServer, catalog: Config, tmp_path: Path
) -> None:
    """Every value fits the announced schema, or comes out unchanged with a warning that names its property."""

    @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(
            st.dictionaries(st.sampled_from([*resource.schema["properties"], "brand_new"]), odd), min_size=1, max_size=6
        )
    )
    def check(rows: list[dict[str, str]]) -> None:
        texts = [{**row, "id": str(row_id)} for row_id, row in enumerate(rows, 1)]
        lines = ["{" + ",".join(f'"{name}":{value}' for name, value in row.items()) + "}" for row in texts]
        server.by_path = {resource.path: envelope(lines, str(len(lines)))}
        result = run_stream(server, catalog, resource.name, tmp_path)
        emitted = parse_strictly(result.stdout)
        assert result.status == 0, result.stderr
        assert sorted(emitted.ids(resource.name)) == list(range(1, len(rows) + 1))
        validator = Draft7Validator(emitted.schemas[resource.name])
        invalid_properties = {
            str(next(iter(error.absolute_path), ""))
            for record in emitted.records[resource.name]
            for error in validator.iter_errors(record)
        }
        assert all(f"values of {name}" in result.stderr for name in invalid_properties), invalid_properties

    check()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row_ids=st.lists(odd, min_size=1, max_size=3), count=odd, resource=st.sampled_from(LISTED))
def test_ids_and_counts_of_any_value_lose_no_row_silently(
    row_ids: list[str], count: str, resource: Resource, server: BodyServer, catalog: Config, tmp_path: Path
) -> None:
    """Each row comes out at most once, or the run fails and names the list."""
    server.by_path = {resource.path: envelope([f'{{"id":{row_id}}}' for row_id in row_ids], count)}
    result = run_stream(server, catalog, resource.name, tmp_path)
    emitted = parse_strictly(result.stdout)
    if result.status:
        assert f"GET {resource.path}" in result.stderr
        return
    ids = emitted.ids(resource.name)
    assert len(ids) == len(set(ids)) <= len(row_ids)
    assert all(type(row_id) is int for row_id in ids)


@settings(max_examples=25)
@given(values=st.lists(odd, min_size=6, max_size=6))
def test_custom_field_definitions_of_any_value_lose_no_row(
    values: list[str], server: BodyServer, catalog: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The values of the custom fields come out under a name, or as the API sent them."""
    names = ("name", "object", "field_widget_id", "settings", "related_record_names")
    definition = '{"id":1,' + ",".join(f'"{name}":{value}' for name, value in zip(names, values, strict=False)) + "}"
    row = f'{{"id":7,"customfields":[{{"field_instance_id":1,"value":{values[5]}}}]}}'
    server.by_path = {
        BY_NAME["custom_fields"].path: envelope([definition], "1"),
        BY_NAME["customers"].path: envelope([row], "1"),
    }
    result = run_stream(server, catalog, "customers", tmp_path_factory.mktemp("definitions"))
    assert (result.status, parse_strictly(result.stdout).ids("customers")) == (0, [7]), result.stderr


@settings(max_examples=100)
@given(
    method=st.sampled_from(["get", "post", "put", "delete"]),
    form=st.sampled_from(FORMS),
    value=odd | st.sampled_from(BROKEN_VALUES),
    data=st.sampled_from([b"", b"<html>", b"\xff", b'{"error":false,"response":["\xed\xa0\x80"]}']) | st.none(),
)
def test_any_body_is_an_envelope_or_raises_a_fieldpulse_error(
    method: str, form: str, value: str, data: bytes | None, server: BodyServer, client: Client
) -> None:
    """No method lets an error of httpx or msgspec escape."""
    server.by_path = {"/x": form.replace("%s", value).encode() if data is None else data}
    send = {"get": client.get, "post": client.post, "put": client.put, "delete": lambda path, _: client.delete(path)}
    error = None
    try:
        send[method]("/x", {})
    except FieldPulseError as raised:
        error = raised
    assert error is None or ("/x" in error.where and error.what and error.hint)


def test_large_and_deeply_nested_rows_come_out(server: BodyServer, catalog: Config, tmp_path: Path) -> None:
    """The tap emits a row of 20 MB and a row with 100 levels of nesting."""
    rows = ['{"id":1,"title":"' + "x" * 20_000_000 + '"}', '{"id":2,"brand_new":' + "[" * 100 + "]" * 100 + "}"]
    server.by_path = {"/tags": envelope(rows, "2")}
    result = run_stream(server, catalog, "tags", tmp_path)
    assert (result.status, parse_strictly(result.stdout).ids("tags")) == (0, [1, 2]), result.stderr[-500:]


def test_a_row_with_too_many_levels_fails_its_list(server: BodyServer, catalog: Config, tmp_path: Path) -> None:
    """The error names the stream and the row, and the bookmark does not move."""
    levels = 900 if sys.version_info < (3, 12) else 1200  # the parser's own limit is 1,500 in 3.12.1, and higher later
    server.by_path = {"/tags": envelope(['{"id":2,"brand_new":' + "[" * levels + "]" * levels + "}"], "1")}
    result = run_stream(server, catalog, "tags", tmp_path)
    assert result.status == 1
    assert "stream tags · row 2" in result.stderr
    assert "replication_key" not in repr(parse_strictly(result.stdout).states)
