"""Tests of the client: which requests it retries, and which response or error it returns."""

from __future__ import annotations

import gc
import logging
import re
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from fieldpulse_api import errors
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import parse_response
from fieldpulse_api.http.retry import RetryPolicy, seconds_until_reset
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.plugins import fast_client
from tests.harness.fast_clock import FastClock

CUSTOMER = {"first_name": "Ada"}


def customer_creates(sandbox: Sandbox) -> int:
    return sum(request.method == "POST" for request in sandbox.requests)


def test_a_list_response_has_rows_a_count_and_the_server_time(client: Client) -> None:
    """The client returns the rows, the count and the `Date` header of the response."""
    response = client.get("/customers", {"page": "1", "limit": "5"})
    assert len(response.data) == 5
    assert response.server_count == 30
    assert abs(response.date.timestamp() - time.time()) < 5


def test_the_count_may_be_named_total_results(sandbox: Sandbox, client: Client) -> None:
    """Some responses of 2024 have `total_results` instead of `total_count`."""
    sandbox.behaviour.count_key = "total_results"
    assert client.get("/customers").server_count == 30


def test_a_response_is_freed_before_garbage_is_collected(client: Client) -> None:
    """A run of a million rows has ten thousand responses; Python 3.14 collects garbage late."""
    gc.collect()
    gc.disable()
    try:
        assert client.get("/customers").data
        assert [each for each in gc.get_objects() if isinstance(each, httpx.Response)] == []
    finally:
        gc.enable()


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_is_an_authentication_error_with_either_status(sandbox: Sandbox, status: int) -> None:
    """The documentation names 401; the default of the gateway is 403."""
    sandbox.behaviour.bad_key_status = status  # type: ignore[assignment]
    settings = ClientSettings(api_key=ApiKey("wrong-key-canary"), api_url=sandbox.url, rate_limit_store="memory")
    with closing(Client(settings)) as client, pytest.raises(errors.AuthenticationError) as caught:
        client.get("/customers")
    assert caught.value.exit_status == 2
    assert "wrong-key-canary" not in str(caught.value) + repr(settings)


def test_a_create_with_30_throttled_attempts_succeeds(sandbox: Sandbox) -> None:
    """The server does not carry out a request with a 429, so the create is not uncertain."""
    sandbox.add_fault(Fault("throttle_past_reset", method="POST", times=30))
    with closing(fast_client({"api_key": sandbox.key, "api_url": sandbox.url})) as client:
        assert client.post("/customers", CUSTOMER).data["first_name"] == "Ada"
        assert client.request_count == customer_creates(sandbox) == 31


def test_the_guard_of_writes_is_asked_before_each_attempt(sandbox: Sandbox) -> None:
    """Before the headers and before the body, after every 429, and not for a GET."""
    sandbox.add_fault(Fault("throttle_past_reset", method="POST", times=2))
    asked_after: list[int] = []
    with closing(fast_client({"api_key": sandbox.key, "api_url": sandbox.url})) as client:
        client.guard_writes(lambda: asked_after.append(customer_creates(sandbox)))
        client.get("/customers")
        client.post("/customers", CUSTOMER)
        assert sorted({*asked_after}) == [0, 1, 2]
        row_id = client.get("/customers").data[0]["id"]
        client.put(f"/customers/{row_id}", CUSTOMER)
        client.delete(f"/customers/{row_id}")
        assert asked_after.count(3) == 4


@pytest.mark.parametrize("refused_call", [1, 2], ids=["before the headers", "before the body"])
def test_a_write_that_the_guard_refuses_is_not_carried_out(sandbox: Sandbox, refused_call: int) -> None:
    """The client works on after that."""
    calls = 0

    def refuse() -> None:
        nonlocal calls
        calls += 1
        if calls == refused_call:
            raise errors.RunLocked("The lock is lost.", where="a test", hint="none")

    with closing(fast_client({"api_key": sandbox.key, "api_url": sandbox.url})) as client:
        before = len(sandbox.rows("customers"))
        client.guard_writes(refuse)
        with pytest.raises(errors.RunLocked):
            client.post("/customers", CUSTOMER)
        assert len(sandbox.rows("customers")) == before
        client.post("/customers", CUSTOMER)
        assert len(sandbox.rows("customers")) == before + 1


def test_throttling_that_never_ends_is_an_error_after_two_minutes(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resets in the past would allow hundreds of attempts, and each may wait long for the pauses of other threads."""
    sandbox.add_fault(Fault("throttle_past_reset", method="POST", times=10_000))
    monkeypatch.setattr(time, "monotonic", FastClock())
    with pytest.raises(errors.RateLimited):
        client.post("/customers", CUSTOMER)
    assert client.request_count < 60  # by the pauses alone, it would be 240


def test_an_unknown_path_is_not_mistaken_for_a_rejected_key(client: Client) -> None:
    """The gateway responds to an unknown path with 403 and `Missing Authentication Token`."""
    with pytest.raises(errors.UnexpectedResponse, match="no such path"):
        client.get("/purchase_orders")


def test_a_missing_row_raises_row_not_found(client: Client) -> None:
    """The API responds in the same way to a deleted row and to an id that never existed."""
    with pytest.raises(errors.RowNotFound):
        client.get("/customers/1")


@pytest.mark.parametrize("shape", ["400", "422", "200"])
def test_each_shape_of_a_validation_error_raises_record_invalid(sandbox: Sandbox, client: Client, shape: str) -> None:
    """The API reports a validation error with status 400 or 422, or with `error: true` in a 200."""
    sandbox.behaviour.validation_status = shape  # type: ignore[assignment]
    with pytest.raises(errors.RecordInvalid, match=r"(?i)name"):
        client.post("/customers", {"notes": "A customer without a name"})
    assert customer_creates(sandbox) == 1


def test_personal_data_is_removed_from_messages_of_the_server() -> None:
    """A validation message may quote the values of the request."""
    assert (
        errors.without_personal_data("The ada@example.com or +1 (214) 555-0100 is taken.") == "The […] or […] is taken."
    )


@pytest.mark.parametrize("kind", ["not_json", "empty_body", "dropped_connection", "error_status"])
def test_a_failed_read_is_retried(sandbox: Sandbox, client: Client, kind: str) -> None:
    """A GET changes nothing, so the client retries it as often as the retry policy allows."""
    sandbox.add_fault(Fault(kind, path="/customers", times=2, status=503))  # type: ignore[arg-type]
    assert len(client.get("/customers", {"limit": "5"}).data) == 5
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("error_status", errors.ServerError),
        ("dropped_connection", errors.ConnectionFailed),
        ("not_json", errors.UnexpectedResponse),
    ],
)
def test_the_retries_of_a_read_are_limited(sandbox: Sandbox, client: Client, kind: str, error: type[Exception]) -> None:
    """After the last attempt, the class of the error names the cause."""
    sandbox.add_fault(Fault(kind, path="/customers", times=99, status=500))  # type: ignore[arg-type]
    with pytest.raises(error):
        client.get("/customers")
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("kind", ["error_status", "dropped_connection", "not_json", "empty_body"])
def test_an_uncertain_create_is_never_retried(
    sandbox: Sandbox,
    client: Client,
    kind: str,
    after_commit: bool,
) -> None:
    """A second request could create a second customer if the server carried out the first."""
    sandbox.add_fault(Fault(kind, method="POST", after_commit=after_commit, status=502))  # type: ignore[arg-type]
    with pytest.raises(errors.UncertainWrite):
        client.post("/customers", CUSTOMER)
    assert customer_creates(sandbox) == 1


def test_a_throttled_create_is_retried(sandbox: Sandbox, client: Client) -> None:
    """The server does not carry out a request that it throttles."""
    sandbox.add_fault(Fault("throttle", method="POST", seconds=0.2))
    assert client.post("/customers", CUSTOMER).data["first_name"] == "Ada"
    assert customer_creates(sandbox) == 2


def test_a_create_without_a_connection_is_retried_and_not_uncertain() -> None:
    """A request that was never sent cannot have created a customer."""
    settings = ClientSettings(
        api_key=ApiKey("k"), api_url="http://127.0.0.1:9", requests_per_second=50, rate_limit_store="memory"
    )
    policy = RetryPolicy(max_attempts=2, max_seconds=5, first_wait_seconds=0.01)
    with closing(Client(settings, retry_policy=policy)) as client, pytest.raises(errors.ConnectionFailed):
        client.post("/customers", CUSTOMER)


def test_a_failed_update_is_retried(sandbox: Sandbox, client: Client) -> None:
    """A PUT is idempotent: a second one with the same body leaves the same row."""
    row = sandbox.rows("customers")[0]
    sandbox.add_fault(Fault("error_status", method="PUT", status=504, after_commit=True))
    client.put(f"/customers/{row['id']}", {"notes": "Called"})
    assert sandbox.rows("customers")[0]["notes"] == "Called"


def test_an_exceeded_quota_stops_the_run_at_once(sandbox: Sandbox, client: Client) -> None:
    """The quota renews with the month, so the client does not retry."""
    sandbox.add_fault(Fault("quota_exceeded"))
    with pytest.raises(errors.QuotaExceeded) as caught:
        client.get("/customers")
    assert caught.value.exit_status == 3
    assert len(sandbox.requests) == 1


def test_an_exceeded_quota_is_recognised_without_json() -> None:
    """A proxy may report the quota as HTML. Waits as for a throttled request would not help."""
    response = httpx.Response(429, text="<h1>Limit Exceeded</h1>")
    with pytest.raises(errors.QuotaExceeded):
        parse_response(response, method="GET", where="GET /customers")


@pytest.mark.parametrize(("method", "status"), [("GET", 403), ("POST", 422), ("POST", 502)])
def test_an_error_does_not_repeat_the_key(method: str, status: int) -> None:
    """A server or a proxy may quote the header that it refuses."""
    key = "live-0123456789abcdef"
    response = httpx.Response(status, json={"errors": [f"The key {key} is not allowed"]})
    with pytest.raises(errors.FieldPulseError) as caught:
        parse_response(response, method=method, where="/customers", api_key=key)
    assert key not in str(caught.value)
    assert "is not allowed" in caught.value.what


@pytest.mark.parametrize(
    ("message", "in_log"),
    [
        ("Customer Ada Byron already exists", "Customer […] already exists"),
        ("Ada Byron, ada@example.com, 214 555 0100: duplicate entry.", "[…]: duplicate entry."),
        ("ada byron has this display_name already", "[…] has this display_name already"),
        ("The phone 555-0100 of 山田 is not valid.", "The phone […] of […] is not valid."),
        ("The display name has already been taken.", "The display name has already been taken."),
        ("The line_items.0.unit_price field is required.", "The line_items.0.unit_price field is required."),
        ("The title may not be greater than 255 characters.", "The title may not be greater than 255 characters."),
        ("SQLSTATE[23000]: Duplicate entry 'Ada' for key 'name'", "[…]: Duplicate entry […] for key […]"),
        ("Too Many Requests", "Too Many Requests"),
    ],
)
@pytest.mark.parametrize("shape", ["message", "errors"])
def test_a_name_in_the_servers_words_is_left_out(message: str, in_log: str, shape: str) -> None:
    """The server may repeat the values of the request, or those of another row. The rejects file gets all its words."""
    response = httpx.Response(422, json={"message": message} if shape == "message" else {"errors": {"name": [message]}})
    with pytest.raises(errors.RecordInvalid) as caught:
        parse_response(response, method="POST", where="/customers")
    assert caught.value.one_line.startswith(f"FieldPulse rejected the record (HTTP 422): {in_log} (/customers)")
    assert (message in caught.value.full_line) == (message != str(caught.value.args[0]))
    assert message in caught.value.full_line


@pytest.mark.parametrize(
    ("header", "throttled_count", "seconds"),
    [
        ({"RateLimit-Reset": "1700000005"}, 1, 5.0),
        ({"RateLimit-Reset": "1699999000"}, 1, 0.25),
        ({"RateLimit-Reset": "1700003600"}, 1, 30.0),
        ({"RateLimit-Reset": "7"}, 1, 7.0),
        ({"RateLimit-Reset": "0"}, 1, 0.25),
        ({"RateLimit-Reset": "-7"}, 1, 0.25),
        ({"RateLimit-Reset": "9" * 400}, 1, 1.0),
        ({"RateLimit-Reset": "1e300"}, 1, 30.0),
        ({"RateLimit-Reset": "nan"}, 1, 1.0),
        ({"RateLimit-Reset": "soon"}, 1, 1.0),
        ({}, 1, 1.0),
        ({}, 3, 4.0),
    ],
)
def test_the_wait_after_a_429_follows_the_header_within_limits(
    header: dict[str, str], throttled_count: int, seconds: float
) -> None:
    """A UNIX time is relative to the `Date` header. The limits apply to past, distant and invalid times."""
    response = httpx.Response(429, headers={"Date": "Tue, 14 Nov 2023 22:13:20 GMT", **header})
    assert seconds_until_reset(response, throttled_count) == seconds


def test_two_clients_of_one_key_share_the_rate_limit() -> None:
    """A server that limits any sliding second throttles neither a tap nor a target with the same key."""
    with Sandbox(customers=30, rate_limit=50) as sandbox:
        pair = [Client(ClientSettings(api_key=ApiKey(sandbox.key), api_url=sandbox.url)) for _ in range(2)]
        for index in range(60):
            pair[index % 2].get("/tags", {"limit": "1"})
        for client in pair:
            client.close()
        assert {request.status for request in sandbox.requests} == {200}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("error_status", path="/customers", status=503), "FieldPulse had an internal error (HTTP 503)"),
        (Fault("dropped_connection", path="/customers"), "The connection to FieldPulse failed ("),
        (Fault("throttle", path="/customers", seconds=1.2), "FieldPulse throttles this API key (HTTP 429)"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_each_retry_and_throttle_wait_is_logged(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture, fault: Fault, reason: str
) -> None:
    """An INFO line names request, seconds, attempt and reason, and contains neither the key nor the query."""
    caplog.set_level(logging.INFO)
    sandbox.add_fault(fault)
    client.get("/customers", {"page": "2", "search": "ada@example.com"})
    assert [record.levelname for record in caplog.records] == ["INFO"]
    line = rf"Sending GET /customers page 2 again in \d\.\d s \(attempt 2\): {re.escape(reason)}"
    assert re.match(line, caplog.records[0].getMessage())
    assert "ada@example.com" not in caplog.text
    assert sandbox.key not in caplog.text


def test_a_replaced_key_is_logged_once(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log of the run reports the rotation once and contains neither key."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "key"
    path.write_text("the-key-before")
    key = ApiKey.from_config({"api_key_file": str(path)})
    path.write_text(sandbox.key)
    settings = ClientSettings(api_key=key, api_url=sandbox.url, requests_per_second=5000, rate_limit_store="memory")
    with closing(Client(settings)) as client:
        client.get("/customers")
        client.get("/customers")
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "rejected the API key" in caplog.text
    assert sandbox.key not in caplog.text
    assert "the-key-before" not in caplog.text


def test_the_sandbox_has_the_default_behaviour() -> None:
    """The tests of this module rely on these defaults."""
    assert Behaviour() == Behaviour(create_status=201, bad_key_status=403, validation_status="400", put_null="ignore")
