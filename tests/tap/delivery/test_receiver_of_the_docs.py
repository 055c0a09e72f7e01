"""The receiver in docs/tap/events.md, as a process: it accepts what is signed with its secret, and nothing else."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fieldpulse_api.errors import UserError
from fieldpulse_api.http.retry import RetryPolicy
from tap_fieldpulse.delivery.endpoint import Endpoint
from tap_fieldpulse.delivery.sender import Sender
from tests.harness.event_receiver import SECRET
from tests.harness.receiver import environment

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "tap" / "events.md"
OTHER_SECRET = "whsec_" + base64.b64encode(b"another key of the tests, 32 B !").decode()
UNTIL_IT_LISTENS = RetryPolicy(max_attempts=1000, max_seconds=60, first_wait_seconds=0.05)


@pytest.fixture
def receiver() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the receiver on a free port, and return its URL and its process."""
    script = re.search(r"`receiver\.py`:\n\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert script
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", script[1].replace("8790", str(port))]
    with subprocess.Popen(command, env=environment(push_secret=SECRET), stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{port}/", process
        process.kill()


def sender_with(secret: str, url: str) -> Sender:
    """Return a sender that waits until the receiver listens."""
    endpoint = Endpoint.from_config(url, {"push_secret": secret}, option="--post")
    return Sender(endpoint, refused_file=None, log=lambda _: None, policy=UNTIL_IT_LISTENS)


def test_it_prints_what_is_signed(receiver: tuple[str, subprocess.Popen[str]]) -> None:
    """What is signed with another secret ends the sender: the address or the secret is wrong."""
    url, process = receiver
    with closing(sender_with(SECRET, url)) as sender:
        assert sender.send("e1", b'{"event":"created"}') == "delivered"
    with closing(sender_with(OTHER_SECRET, url)) as sender, pytest.raises(UserError, match="401"):
        sender.send("e2", b"{}")
    process.kill()
    assert process.communicate()[0] == 'e1 {"event":"created"}\n'
