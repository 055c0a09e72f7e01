"""Bodies that no API should send: each row comes out as strict JSON, or the run names the list that failed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
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


class Answers:
    """A server that answers a path with bytes: the first page of a list, and then none."""

    def __init__(self) -> None:
        self.by_path: dict[str, bytes] = {}
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                url = urlsplit(self.path)
                body = answers.by_path.get(url.path, EMPTY)
                if int(parse_qs(url.query).get("page", ["1"])[0]) > 1:
                    body = EMPTY
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  the library's names

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    one = Answers()
    yield one
    one.close()


@pytest.fixture(scope="module")
def catalog(server: Answers) -> Config:
    return TapFieldPulse(config=settings_of(server)).catalog_dict


@pytest.fixture(scope="module")
def asking(server: Answers) -> Iterator[Client]:
    """Return a client that asks once."""
    account = ClientSettings(
        api_key=ApiKey("key"), api_url=server.url, requests_per_second=5000, rate_limit_store="memory"
    )
    one = Client(account, retry_policy=RetryPolicy(max_attempts=1))
    yield one
    one.close()


def settings_of(server: Answers) -> Config:
    return {"api_key": "key", "api_url": server.url, "requests_per_second": 50, "rate_limit_store": "memory"}


def read(server: Answers, catalog: Config, name: str, folder: Path) -> RunResult:
    entry = json.loads(json.dumps(next(one for one in catalog["streams"] if one["tap_stream_id"] == name)))
    (folder / "config.json").write_text(json.dumps(settings_of(server)))
    (folder / "catalog.json").write_text(json.dumps({"streams": [entry]}))
    ended = run_command(TapFieldPulse, f"--config={folder}/config.json", f"--catalog={folder}/catalog.json")
    assert ended.is_explained, ended.stderr
    return ended


def strict(text: str) -> RunResult:
    """Read the output as a strict loader does."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for line in filter(None, text.split("\n")):
        json.loads(line, parse_constant=refuse)
        line.encode()
    return RunResult(text)


def envelope(rows: list[str], count: str) -> bytes:
    return f'{{"error":false,"response":[{",".join(rows)}],"total_count":{count}}}'.encode()


@pytest.mark.parametrize("resource", LISTED, ids=lambda one: one.name)
def test_rows_of_any_values_come_out_as_strict_json_and_none_is_lost(
    resource: Resource, server: Answers, catalog: Config, tmp_path: Path
) -> None:
    """What does not fit its type comes out as it came, and is said to; everything else fits what was announced."""

    @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(
            st.dictionaries(st.sampled_from([*resource.schema["properties"], "brand_new"]), odd), min_size=1, max_size=6
        )
    )
    def check(rows: list[dict[str, str]]) -> None:
        texts = [{**row, "id": str(number)} for number, row in enumerate(rows, 1)]
        lines = ["{" + ",".join(f'"{name}":{value}' for name, value in row.items()) + "}" for row in texts]
        server.by_path = {resource.path: envelope(lines, str(len(lines)))}
        ended = read(server, catalog, resource.name, tmp_path)
        emitted = strict(ended.stdout)
        assert ended.status == 0, ended.stderr
        assert sorted(emitted.ids(resource.name)) == list(range(1, len(rows) + 1))
        validator = Draft7Validator(emitted.schemas[resource.name])
        unfit = {
            str(next(iter(error.absolute_path), ""))
            for record in emitted.records[resource.name]
            for error in validator.iter_errors(record)
        }
        assert all(f"values of {name}" in ended.stderr for name in unfit), unfit

    check()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(identity=st.lists(odd, min_size=1, max_size=3), count=odd, resource=st.sampled_from(LISTED))
def test_ids_and_counts_of_any_value_lose_no_row_in_silence(
    identity: list[str], count: str, resource: Resource, server: Answers, catalog: Config, tmp_path: Path
) -> None:
    """A row comes out once, or the list fails and is named, or the list is said not to be proved complete."""
    server.by_path = {resource.path: envelope([f'{{"id":{one}}}' for one in identity], count)}
    ended = read(server, catalog, resource.name, tmp_path)
    emitted = strict(ended.stdout)
    if ended.status:
        assert f"GET {resource.path}" in ended.stderr
        return
    ids = emitted.ids(resource.name)
    assert len(ids) == len(set(ids)) <= len(identity)
    assert all(type(one) is int for one in ids)


@settings(max_examples=25)
@given(values=st.lists(odd, min_size=6, max_size=6))
def test_definitions_of_custom_fields_of_any_value_cost_no_row(
    values: list[str], server: Answers, catalog: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Their values come out under a name, or as they came."""
    names = ("name", "object", "field_widget_id", "settings", "related_record_names")
    definition = '{"id":1,' + ",".join(f'"{name}":{one}' for name, one in zip(names, values, strict=False)) + "}"
    row = f'{{"id":7,"customfields":[{{"field_instance_id":1,"value":{values[5]}}}]}}'
    server.by_path = {
        BY_NAME["custom_fields"].path: envelope([definition], "1"),
        BY_NAME["customers"].path: envelope([row], "1"),
    }
    ended = read(server, catalog, "customers", tmp_path_factory.mktemp("definitions"))
    assert (ended.status, strict(ended.stdout).ids("customers")) == (0, [7]), ended.stderr


@settings(max_examples=100)
@given(
    method=st.sampled_from(["get", "post", "put", "delete"]),
    form=st.sampled_from(FORMS),
    value=odd | st.sampled_from(BROKEN_VALUES),
    data=st.sampled_from([b"", b"<html>", b"\xff", b'{"error":false,"response":["\xed\xa0\x80"]}']) | st.none(),
)
def test_any_body_is_an_envelope_or_one_of_our_errors(
    method: str, form: str, value: str, data: bytes | None, server: Answers, asking: Client
) -> None:
    """For each method; errors of httpx and msgspec never come out."""
    server.by_path = {"/x": form.replace("%s", value).encode() if data is None else data}
    ask = {"get": asking.get, "post": asking.post, "put": asking.put, "delete": lambda path, _: asking.delete(path)}
    error = None
    try:
        ask[method]("/x", {})
    except FieldPulseError as raised:
        error = raised
    assert error is None or ("/x" in error.where and error.what and error.hint)


def test_a_row_of_20_mb_or_of_many_levels_is_a_row(server: Answers, catalog: Config, tmp_path: Path) -> None:
    """It comes out as any other."""
    rows = ['{"id":1,"title":"' + "x" * 20_000_000 + '"}', '{"id":2,"brand_new":' + "[" * 100 + "]" * 100 + "}"]
    server.by_path = {"/tags": envelope(rows, "2")}
    ended = read(server, catalog, "tags", tmp_path)
    assert (ended.status, strict(ended.stdout).ids("tags")) == (0, [1, 2]), ended.stderr[-500:]


def test_a_row_of_levels_without_end_fails_its_list(server: Answers, catalog: Config, tmp_path: Path) -> None:
    """The stream and the row are named, and the bookmark does not move."""
    server.by_path = {"/tags": envelope(['{"id":2,"brand_new":' + "[" * 900 + "]" * 900 + "}"], "1")}
    ended = read(server, catalog, "tags", tmp_path)
    assert ended.status == 1
    assert "stream tags · row 2" in ended.stderr
    assert "replication_key" not in repr(strict(ended.stdout).states)
