"""Recorded traffic, replayed without a network; every interaction is played.

Sandbox cassettes show that the code agrees with our model of the API; only live ones show that the model is right.
`make record`, `make record-live`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from vcr.cassette import Cassette

from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import API_URL
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_plugin.settings import client_settings
from tap_fieldpulse.records.record_builder import RecordBuilder, RecordOptions
from tap_fieldpulse.records.shaper import UNEXPECTED
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.scrub import scrub, scrub_live
from tests.harness.tap_runner import run_tap

FOLDER = Path(__file__).parent.parent.parent / "cassettes"
LIVE_KEY = os.environ.get("FIELDPULSE_API_KEY", "")
SMALL = "http://127.0.0.1:8790"  # a few customers, for whole runs
ADDRESS = {"sandbox": "http://127.0.0.1:8791", "live": API_URL}
KEY = "cassette-key"

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]


def recorded_lists() -> list[tuple[str, str]]:
    """Return every list of the sandbox, and the lists of a live account that were recorded (or are being recorded)."""
    names = [resource.name for resource in RESOURCES if not resource.parent]
    live = [name for name in names if LIVE_KEY or (FOLDER / "live" / "lists" / f"{name}.yaml").exists()]
    return [("sandbox", name) for name in names if not LIVE_KEY] + [("live", name) for name in live]


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    """Match the whole request, and remove keys and personal data."""

    def clean_request(request: Any) -> Any:
        if request.body:
            request.body = scrub(request.body.decode()).encode()
        return request

    def clean_response(response: dict[str, Any]) -> dict[str, Any]:
        body = response["body"]["string"].decode()
        response["body"]["string"] = (scrub_live if LIVE_KEY else scrub)(body).encode()
        headers = {"date", "content-type", "ratelimit-reset"}
        response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() in headers}
        return response

    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "filter_headers": [("x-api-key", "scrubbed"), ("user-agent", None)],
        "before_record_request": clean_request,
        "before_record_response": clean_response,
    }


@pytest.fixture
def vcr_cassette_dir() -> str:
    """Return the root folder; the path below it says where a cassette was recorded."""
    return str(FOLDER)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Return the path of a test's cassette."""
    if "place" in request.fixturenames:
        place, name = request.node.callspec.params["place"], request.node.callspec.params["name"]
        return f"{place}/lists/{name}"
    return f"sandbox/{request.node.name.removeprefix('test_')}"


@pytest.fixture(autouse=True)
def _every_interaction_is_played(vcr: Cassette) -> Iterator[None]:
    """Fail if a recorded interaction was not played."""
    yield
    if vcr.write_protected:
        assert vcr.all_played, "the cassette has interactions that were not requested: `make record`"


def settings(address: str = SMALL) -> dict[str, Any]:
    return {"api_key": LIVE_KEY or KEY, "api_url": address, "rate_limit_store": "memory", "requests_per_second": 50}


@pytest.mark.parametrize(("place", "name"), recorded_lists())
def test_the_rows_of_a_list_fit_its_schema(place: str, name: str) -> None:
    """The first rows of a list fit the schema after shaping: no unknown column, no value of another type."""
    client, resource = Client(client_settings(settings(ADDRESS[place]))), BY_NAME[name]
    page = Pages(client, resource, ReadOptions(page_size=3)).read(resource.sort_params("id", "asc"), 1)
    client.close()
    builder = RecordBuilder(resource, RecordOptions())
    for row in page.rows:
        record = builder.add_derived(builder.shape(row), row)
        Draft7Validator(builder.schema, format_checker=Draft7Validator.FORMAT_CHECKER).validate(record)
        assert record[UNEXPECTED] is None
    assert place == "live" or page.rows


def test_the_tap_reads_parents_children_and_people() -> None:
    """A complete run over five streams."""
    emitted = run_tap(settings(), "customers", "customer_contacts", "jobs", "teams", "users")
    numbers = {name: len(records) for name, records in emitted.records.items()}
    assert numbers == {"customers": 6, "customer_contacts": 3, "jobs": 9, "teams": 3, "users": 12}
    assert emitted.state["bookmarks"]["jobs"]["replication_key_value"].startswith("2026-")


def test_the_target_creates_changes_and_moves(tmp_path: Path) -> None:
    """A customer, the same customer changed, a job for it, and a pipeline move, in one run."""
    text = singer_lines(
        schema_message("customers", "external_id", "first_name", "email", "phone"),
        record_message(
            "customers", external_id="tape-1", first_name="Tape", email="canary@example.com", phone="+12145550123"
        ),
        record_message(
            "customers", external_id="tape-1", first_name="Taped", email="canary@example.com", phone="+12145550123"
        ),
        schema_message("jobs", "external_id", "customer_external_id", "job_type"),
        record_message("jobs", external_id="tape-job", customer_external_id="tape-1", job_type="Recording"),
        schema_message("pipeline_statuses", "customer_external_id", "pipeline_status"),
        record_message("pipeline_statuses", customer_external_id="tape-1", pipeline_status="Quoted"),
        state_message(1),
    )
    paths = {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "rejects_path": f"{tmp_path}/rejects.singer"}
    target = TargetFieldPulse(config=settings() | paths)
    output = io.StringIO()
    with redirect_stdout(output):
        target.listen(io.StringIO(text))
    assert target.run.close() == 0
    assert json.loads(output.getvalue()) == {"bookmarks": 1}
