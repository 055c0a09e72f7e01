"""The client: what is retried, what is not, and which response or error comes out."""

from __future__ import annotations

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

CUSTOMER = {"first_name": "Ada"}


def customers_posted(box: Sandbox) -> int:
    return sum(request.method == "POST" for request in box.requests)


def test_a_list_has_rows_a_count_and_the_servers_clock(client: Client) -> None:
    """A response is the envelope, taken apart."""
    reply = client.get("/customers", {"page": "1", "limit": "5"})
    assert len(reply.data) == 5
    assert reply.server_count == 30
    assert abs(reply.date.timestamp() - time.time()) < 5


def test_a_count_is_found_under_its_other_name(box: Sandbox, client: Client) -> None:
    """Some responses of 2024 call it total_results."""
    box.behaviour.count_key = "total_results"
    assert client.get("/customers").server_count == 30


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_is_an_authentication_error_with_either_status(box: Sandbox, status: int) -> None:
    """The documentation says 401, the gateway's default is 403."""
    box.behaviour.bad_key_status = status  # type: ignore[assignment]
    settings = ClientSettings(api_key=ApiKey("wrong-key-canary"), api_url=box.url, rate_limit_store="memory")
    one = Client(settings)
    with pytest.raises(errors.AuthenticationError) as caught:
        one.get("/customers")
    one.close()
    assert caught.value.exit_status == 2
    assert "wrong-key-canary" not in str(caught.value) + repr(settings)


def test_a_create_that_is_throttled_for_long_is_sent_in_the_end(box: Sandbox) -> None:
    """A request with a 429 was not carried out, however often: nothing is uncertain."""
    box.add_fault(Fault("throttle_past_reset", method="POST", times=30))
    with closing(fast_client({"api_key": box.key, "api_url": box.url})) as one:
        assert one.post("/customers", CUSTOMER).data["first_name"] == "Ada"
        assert one.request_count == customers_posted(box) == 31


def test_an_unknown_path_is_not_mistaken_for_a_rejected_key(client: Client) -> None:
    """The gateway sends 403 Missing Authentication Token for a path that it does not have."""
    with pytest.raises(errors.UnexpectedResponse, match="no such path"):
        client.get("/purchase_orders")


def test_a_row_that_does_not_exist_is_not_found(client: Client) -> None:
    """A deleted row and one that never existed look the same."""
    with pytest.raises(errors.RowNotFound):
        client.get("/customers/1")


@pytest.mark.parametrize("shape", ["400", "422", "200"])
def test_a_rejected_record_is_invalid_in_each_of_the_three_shapes(box: Sandbox, client: Client, shape: str) -> None:
    """Also inside an HTTP 200."""
    box.behaviour.validation_status = shape  # type: ignore[assignment]
    with pytest.raises(errors.RecordInvalid, match=r"(?i)name"):
        client.post("/customers", {"notes": "nobody"})
    assert customers_posted(box) == 1


def test_the_servers_message_is_shown_without_personal_data() -> None:
    """Validation messages may quote what was sent."""
    assert (
        errors.without_personal_data("The ada@example.com or +1 (214) 555-0100 is taken.") == "The […] or […] is taken."
    )


@pytest.mark.parametrize("kind", ["not_json", "empty_body", "dropped_connection", "error_status"])
def test_a_read_that_fails_is_retried(box: Sandbox, client: Client, kind: str) -> None:
    """A GET changes nothing, so it may be sent as often as the retry policy allows."""
    box.add_fault(Fault(kind, path="/customers", times=2, status=503))  # type: ignore[arg-type]
    assert len(client.get("/customers", {"limit": "5"}).data) == 5
    assert len(box.requests) == 3


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("error_status", errors.ServerError),
        ("dropped_connection", errors.ConnectionFailed),
        ("not_json", errors.UnexpectedResponse),
    ],
)
def test_a_read_is_not_retried_for_ever(box: Sandbox, client: Client, kind: str, error: type[Exception]) -> None:
    """The attempts are limited, and the error says what failed."""
    box.add_fault(Fault(kind, path="/customers", times=99, status=500))  # type: ignore[arg-type]
    with pytest.raises(error):
        client.get("/customers")
    assert len(box.requests) == 3


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("kind", ["error_status", "dropped_connection", "not_json", "empty_body"])
def test_a_create_is_never_retried_when_its_outcome_is_unknown(
    box: Sandbox,
    client: Client,
    kind: str,
    after_commit: bool,
) -> None:
    """Whether it happened or not: sending it again could create a second customer."""
    box.add_fault(Fault(kind, method="POST", after_commit=after_commit, status=502))  # type: ignore[arg-type]
    with pytest.raises(errors.UncertainWrite):
        client.post("/customers", CUSTOMER)
    assert customers_posted(box) == 1


def test_a_create_that_was_throttled_is_sent_again(box: Sandbox, client: Client) -> None:
    """A 429 means that nothing was carried out."""
    box.add_fault(Fault("throttle", method="POST", seconds=0.2))
    assert client.post("/customers", CUSTOMER).data["first_name"] == "Ada"
    assert customers_posted(box) == 2


def test_a_create_that_was_never_sent_is_retried_and_then_not_uncertain() -> None:
    """Without a connection there is no customer."""
    settings = ClientSettings(
        api_key=ApiKey("k"), api_url="http://127.0.0.1:9", requests_per_second=50, rate_limit_store="memory"
    )
    one = Client(settings, retry_policy=RetryPolicy(max_attempts=2, max_seconds=5, first_wait_seconds=0.01))
    with pytest.raises(errors.ConnectionFailed):
        one.post("/customers", CUSTOMER)
    one.close()


def test_an_update_that_failed_is_retried(box: Sandbox, client: Client) -> None:
    """The same PUT twice gives the same row."""
    row = box.rows("customers")[0]
    box.add_fault(Fault("error_status", method="PUT", status=504, after_commit=True))
    client.put(f"/customers/{row['id']}", {"notes": "Called"})
    assert box.rows("customers")[0]["notes"] == "Called"


def test_a_used_up_quota_stops_at_once(box: Sandbox, client: Client) -> None:
    """Waiting for the next month is no retry."""
    box.add_fault(Fault("quota_exceeded"))
    with pytest.raises(errors.QuotaExceeded) as caught:
        client.get("/customers")
    assert caught.value.exit_status == 3
    assert len(box.requests) == 1


def test_a_used_up_quota_is_recognised_without_json() -> None:
    """A proxy may answer with text; a short throttle would be waited out for nothing."""
    response = httpx.Response(429, text="<h1>Limit Exceeded</h1>")
    with pytest.raises(errors.QuotaExceeded):
        parse_response(response, method="GET", where="GET /customers")


@pytest.mark.parametrize(
    ("header", "throttled_count", "seconds"),
    [
        ({"RateLimit-Reset": "1700000005"}, 1, 5.0),
        ({"RateLimit-Reset": "1699999000"}, 1, 0.25),
        ({"RateLimit-Reset": "1700003600"}, 1, 30.0),
        ({"RateLimit-Reset": "7"}, 1, 7.0),
        ({"RateLimit-Reset": "soon"}, 1, 1.0),
        ({}, 1, 1.0),
        ({}, 3, 4.0),
    ],
)
def test_the_wait_after_a_429_follows_the_header_within_limits(
    header: dict[str, str], throttled_count: int, seconds: float
) -> None:
    """An epoch is compared with the server's clock; the past, the far future and nonsense are clamped."""
    response = httpx.Response(429, headers={"Date": "Tue, 14 Nov 2023 22:13:20 GMT", **header})
    assert seconds_until_reset(response, throttled_count) == seconds


def test_tap_and_target_share_the_rate_limit() -> None:
    """Two clients of one key, and a server with a limit in any sliding second: no request is rejected."""
    with Sandbox(customers=30, rate_limit=50) as box:
        pair = [Client(ClientSettings(api_key=ApiKey(box.key), api_url=box.url)) for _ in range(2)]
        for number in range(60):
            pair[number % 2].get("/tags", {"limit": "1"})
        for client in pair:
            client.close()
        assert {request.status for request in box.requests} == {200}


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
    box: Sandbox, client: Client, caplog: pytest.LogCaptureFixture, fault: Fault, reason: str
) -> None:
    """One line at INFO with request, seconds, attempt and reason, and without the key or a query."""
    caplog.set_level(logging.INFO)
    box.add_fault(fault)
    client.get("/customers", {"page": "2", "search": "ada@example.com"})
    assert [record.levelname for record in caplog.records] == ["INFO"]
    line = rf"Sending GET /customers page 2 again in \d\.\d s \(attempt 2\): {re.escape(reason)}"
    assert re.match(line, caplog.records[0].getMessage())
    assert "ada@example.com" not in caplog.text
    assert box.key not in caplog.text


def test_a_replaced_key_is_logged_once(box: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rotation of a key shows in the log of the run that met it, the keys do not."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "key"
    path.write_text("the-key-before")
    key = ApiKey.from_config({"api_key_file": str(path)})
    path.write_text(box.key)
    settings = ClientSettings(api_key=key, api_url=box.url, requests_per_second=5000, rate_limit_store="memory")
    with closing(Client(settings)) as renewing:
        renewing.get("/customers")
        renewing.get("/customers")
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "rejected the API key" in caplog.text
    assert box.key not in caplog.text
    assert "the-key-before" not in caplog.text


def test_the_sandbox_has_the_default_behaviour() -> None:
    """The tests above claim what they say for the defaults only."""
    assert Behaviour() == Behaviour(create_status=201, bad_key_status=403, validation_status="400", put_null="ignore")
