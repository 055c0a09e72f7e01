"""The receiver's application: it stores deliveries of senders that know the token, within limits, and never fails."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_fieldpulse.webhooks.inbox import Inbox
from tap_fieldpulse.webhooks.server import MAX_BODY_BYTES, Receiver
from tests.harness.receiver import TOKEN, created_delivery, status_delivery

GOOD = json.dumps(created_delivery(7)).encode()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Open an inbox."""
    store = Inbox(f"sqlite:///{tmp_path}/store.db")
    yield store
    store.close()


def receiver(inbox: Inbox, **more: Any) -> Receiver:
    """Return a receiver that logs nothing."""
    return Receiver(inbox, token=TOKEN, **{"log": lambda text: None, **more})


async def send_request(
    app: Receiver, *parts: bytes, path: str = f"/{TOKEN}", method: str = "POST", ends: bool = True, **headers: str
) -> int:
    """Send one request as a server does, and return the status; if `ends` is false, the body never ends."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if ends:
        waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        if waiting:
            return waiting.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[1]["body"] == b"" or path == "/health"
    return int(sent[0]["status"])


def stored_ids(inbox: Inbox) -> list[int]:
    """Return the ids of the stored deliveries."""
    return [row["object_id"] for row in inbox.read_after("1", 0)]


def test_a_delivery_is_stored_before_the_response(inbox: Inbox) -> None:
    """The body may come in pieces. A repeated delivery is stored once."""
    app = receiver(inbox)
    assert asyncio.run(send_request(app, GOOD[:9], GOOD[9:])) == 200
    assert stored_ids(inbox) == [7]
    assert asyncio.run(send_request(app, GOOD)) == 200
    assert stored_ids(inbox) == [7]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "POST", 404),
        ("/x", "POST", 404),
        (f"/{TOKEN[:-1]}", "POST", 404),
        (f"/{TOKEN}x", "POST", 404),
        (f"/{TOKEN}/", "POST", 404),
        (f"/{TOKEN}", "GET", 405),
        (f"/{TOKEN}", "PUT", 405),
        ("/x", "GET", 404),
        ("/\N{SNOWMAN}", "POST", 404),
        ("/health", "POST", 405),
        ("/health", "GET", 200),
    ],
)
def test_only_a_post_to_the_token_is_accepted(inbox: Inbox, path: str, method: str, status: int) -> None:
    """A sender without the token learns nothing."""
    assert asyncio.run(send_request(receiver(inbox), GOOD, path=path, method=method)) == status
    assert stored_ids(inbox) == []


def test_the_size_of_a_body_is_limited(inbox: Inbox) -> None:
    """The received bytes count, not the announced size. The rest of a body that is too large is not read."""
    app = receiver(inbox)
    padded = GOOD + b" " * (MAX_BODY_BYTES - len(GOOD))
    assert asyncio.run(send_request(app, padded)) == 200
    assert asyncio.run(send_request(app, padded, b" ", ends=False)) == 413


def test_a_slow_body_is_rejected_after_the_time_out(inbox: Inbox) -> None:
    """Nothing of it is stored."""
    app = receiver(inbox, body_timeout_seconds=0.01)
    assert asyncio.run(send_request(app, GOOD[:5], ends=False)) == 408
    assert stored_ids(inbox) == []


def test_the_number_of_waiting_deliveries_is_limited(inbox: Inbox, tmp_path: Path) -> None:
    """The vendor repeats a rejected delivery. Waiting deliveries are stored once the database accepts writes."""
    app = receiver(inbox, max_waiting=3)
    other = sqlite3.connect(tmp_path / "store-webhooks.db", isolation_level=None)
    other.execute("begin immediate")

    async def burst() -> tuple[int, list[int]]:
        bodies = [json.dumps(created_delivery(number)).encode() for number in range(1, 5)]
        *first, last = [asyncio.create_task(send_request(app, body)) for body in bodies]
        refused = await last
        assert not any(task.done() for task in first)
        other.execute("rollback")
        return refused, await asyncio.gather(*first)

    assert asyncio.run(burst()) == (503, [200, 200, 200])
    other.close()
    assert stored_ids(inbox) == [1, 2, 3]
    assert asyncio.run(send_request(app, GOOD)) == 200


def test_a_delivery_that_timed_out_is_written_no_more(inbox: Inbox, tmp_path: Path) -> None:
    """It waits for a batch that the store does not answer, and leaves its place. The batch itself may be written."""
    app = receiver(inbox, max_waiting=2, store_timeout_seconds=0.1)
    other = sqlite3.connect(tmp_path / "store-webhooks.db", isolation_level=None)
    other.execute("begin immediate")

    async def send_all() -> list[int]:
        statuses = [await send_request(app, json.dumps(created_delivery(number)).encode()) for number in range(1, 5)]
        statuses.append(await send_request(app, path="/health", method="GET"))
        other.execute("rollback")
        while await send_request(app, json.dumps(created_delivery(5)).encode()) != 200:
            pass
        return statuses

    assert asyncio.run(send_all()) == [503] * 5
    other.close()
    assert stored_ids(inbox) == [1, 5]


def test_a_bug_is_a_status_and_a_count(inbox: Inbox) -> None:
    """Uvicorn would log a traceback, which may quote what was sent."""
    log_lines: list[str] = []
    app = receiver(inbox, log=log_lines.append)
    assert asyncio.run(send_request(app, GOOD, path=cast("str", None))) == 500
    app.report()
    assert log_lines == ["1 bug (AttributeError)"]


def test_health_checks_block_no_delivery(inbox: Inbox, tmp_path: Path) -> None:
    """They need no token. All of them share one check, which does not count towards the limit."""
    app = receiver(inbox, max_waiting=1)
    other = sqlite3.connect(tmp_path / "store-webhooks.db", isolation_level=None)
    other.execute("begin immediate")

    async def burst() -> list[int]:
        checks = [asyncio.create_task(send_request(app, path="/health", method="GET")) for _ in range(50)]
        delivery = asyncio.create_task(send_request(app, GOOD))
        refused = asyncio.create_task(send_request(app, GOOD))
        assert await refused == 503  # the first delivery occupies the only place
        checks.pop().cancel()
        other.execute("rollback")
        return await asyncio.gather(delivery, *checks)

    assert asyncio.run(burst()) == [200] * 50
    other.close()
    assert stored_ids(inbox) == [7]


def test_a_failing_store_is_reported_with_503(inbox: Inbox, tmp_path: Path) -> None:
    """Deliveries and health checks return the same status, and the next request tries the store again."""
    app = receiver(inbox)
    with sqlite3.connect(tmp_path / "store-webhooks.db") as file:
        file.execute("alter table fieldpulse_deliveries_last_1 rename to away")
    assert asyncio.run(send_request(app, GOOD)) == 503
    assert asyncio.run(send_request(app, path="/health", method="GET")) == 503
    with file:
        file.execute("alter table away rename to fieldpulse_deliveries_last_1")
    file.close()
    assert asyncio.run(send_request(app, GOOD)) == 200
    assert stored_ids(inbox) == [7]


SECRET = "5e" * 32
RIGHT = base64.b64encode(hmac.new(SECRET.encode(), GOOD, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("signature", "status"), [(RIGHT, 200), ("", 401), (RIGHT.lower(), 401), ("x" * 9000, 401), ("\xe9", 401)]
)
def test_with_a_secret_a_delivery_must_be_signed(inbox: Inbox, signature: str, status: int) -> None:
    """The signature is the base64 of the raw HMAC of the body (inferred from a post of a developer of the vendor)."""
    assert asyncio.run(send_request(receiver(inbox, secret=SECRET), GOOD, x_encrypted_data=signature)) == status
    assert stored_ids(inbox) == [7] * (status == 200)


def test_without_a_secret_a_signature_is_ignored(inbox: Inbox) -> None:
    """The vendor does not document signatures."""
    assert asyncio.run(send_request(receiver(inbox), GOOD, x_encrypted_data="wrong")) == 200


def test_the_log_contains_only_counts(inbox: Inbox) -> None:
    """It contains no token, no name and no value, and repeats no line without news."""
    log_lines: list[str] = []
    app = receiver(inbox, log=log_lines.append)
    asyncio.run(send_request(app, json.dumps(status_delivery(7, "Canary", notes="Canary")).encode()))
    asyncio.run(send_request(app, b'{"canary": 1}'))
    asyncio.run(send_request(app, GOOD, path="/canary"))
    for _ in range(2):
        asyncio.run(app.report_changes())
    assert [line.partition("; last delivery at 20")[0] for line in log_lines] == [
        "1 malformed (keys), 1 stored, 1 wrong path"
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(lambda value: repr(value).encode())
)
def test_no_body_causes_status_500(inbox: Inbox, body: bytes) -> None:
    """A body that is not a delivery is rejected with 400."""
    assert asyncio.run(send_request(receiver(inbox), body)) == 400
