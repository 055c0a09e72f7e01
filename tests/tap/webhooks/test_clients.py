"""Clients that misbehave: the receiver answers or disconnects them, serves others, and logs counts only."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.harness.receiver import TOKEN, ReceiverProcess, created_delivery, post_delivery, run_receiver

BODY = json.dumps(created_delivery(7)).encode()
OPEN_HEAD = f"POST /{TOKEN} HTTP/1.1\r\nhost: x\r\n".encode()
HEAD = OPEN_HEAD + b"connection: close\r\n"
LENGTH = f"content-length: {len(BODY)}\r\n\r\n".encode()
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


def exchange(receiver: ReceiverProcess, *parts: bytes) -> list[int]:
    """Send parts in one connection and return the statuses of the responses until the receiver closes it."""
    with receiver.connect() as connection:
        for part in parts:
            connection.sendall(part)
        return [int(line[9:12]) for line in read_all(connection).splitlines() if line.startswith(b"HTTP/1.1 ")]


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(4096):
            answer += part
    return answer


def counts(receiver: ReceiverProcess) -> str:
    """End a receiver and return the counts that it logs; all that it logged beside them is that it began and ended."""
    assert receiver.stop(signal.SIGTERM) == 143
    lines = receiver.log().splitlines()
    assert ["Using" in lines[0], "listening" in lines[1], "Stopped" in lines[-1]] == [True] * 3
    assert all(line.startswith("fieldpulse webhooks: ") for line in lines[2:-1])
    return lines[-2].removeprefix("fieldpulse webhooks: ").partition("; last delivery at ")[0]


def test_more_connections_than_descriptors_leave_the_receiver_working(tmp_path: Path) -> None:
    """The others are closed without a line in the log for each, and deliveries come through when there is room."""
    with run_receiver(f"sqlite:///{tmp_path}/store.db", max_files=200) as receiver:
        with ExitStack() as stack:
            for _ in range(400):
                stack.enter_context(receiver.connect())
            with suppress(OSError):
                assert post_delivery(receiver.url, created_delivery(1)) == 503
        while True:
            with suppress(OSError):
                if post_delivery(receiver.url, created_delivery(2)) == 200:
                    break
        log = counts(receiver)
    assert "too many connections (closed)" in log
    assert "errors" not in log


def test_a_signal_ends_a_receiver_that_is_full(tmp_path: Path) -> None:
    """Connections that wait do not hold it."""
    with run_receiver(f"sqlite:///{tmp_path}/store.db", max_files=200) as receiver, ExitStack() as stack:
        for number in range(400):
            connection = stack.enter_context(receiver.connect())
            with suppress(ConnectionError):
                connection.sendall((b"", HEAD, HEAD + LENGTH + BODY[:9])[number % 3])
        started = time.monotonic()
        assert receiver.stop(signal.SIGTERM) == 143
        assert time.monotonic() - started < 20
        assert "Traceback" not in receiver.log()


def test_a_receiver_without_room_for_connections_does_not_start(tmp_path: Path) -> None:
    """The error names the limit."""
    with pytest.raises(AssertionError, match=r"limit of 80 open files(.|\n)*do:  .*2064 open files"):
        run_receiver(f"sqlite:///{tmp_path}/store.db", max_files=80).__enter__()


def test_heads_are_limited_to_16_kib(tmp_path: Path) -> None:
    """The limit holds for a head that arrives at once, and for a client that goes on to send."""
    padding = b"x-padding: " + b"x" * 4000 + b"\r\n"
    with run_receiver(f"sqlite:///{tmp_path}/store.db") as receiver:
        assert exchange(receiver, HEAD + padding * 3 + LENGTH + BODY) == [200]
        assert exchange(receiver, HEAD + padding * 5 + LENGTH + BODY) == [431]
        assert exchange(receiver, HEAD, *[padding] * 5, LENGTH) == [431]
        assert exchange(receiver, HEAD + padding * 1000 + LENGTH) == [431]
        assert exchange(receiver, b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n") == [431]
        assert counts(receiver) == "4 head too large, 1 stored"


def test_every_framing_of_http_is_answered(tmp_path: Path) -> None:
    """Clients differ in how they send a body. What is not HTTP gets 400, or no answer after a request has begun."""
    chunks = b"3\r\n" + BODY[:3] + b"\r\n" + f"{len(BODY) - 3:x}\r\n".encode() + BODY[3:] + b"\r\n0\r\n\r\n"
    with run_receiver(f"sqlite:///{tmp_path}/store.db") as receiver:
        assert exchange(receiver, (OPEN_HEAD + LENGTH + BODY) * 3 + HEAD + LENGTH + BODY) == [200] * 4
        assert exchange(receiver, HEAD + CHUNKED + chunks) == [200]
        assert exchange(receiver, HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + LENGTH + BODY) == [200]
        assert exchange(receiver, HEAD + b"connection: upgrade, close\r\nupgrade: h2c\r\n" + LENGTH + BODY) == [200]
        assert exchange(receiver, HEAD + b"expect: 100-continue\r\n" + LENGTH + BODY) == [100, 200]
        assert exchange(receiver, b"\x16\x03\x01 no HTTP\r\n\r\n") == [400]
        assert exchange(receiver, HEAD + CHUNKED + b"no length\r\n") == []
        with receiver.connect() as connection:
            connection.sendall(HEAD + LENGTH + BODY[:9])
        log = counts(receiver)
    assert log == "2 disconnected, 1 malformed (http), 8 stored"


def test_an_unread_body_is_not_parsed_as_the_next_request(tmp_path: Path) -> None:
    """The receiver closes the connection."""
    with run_receiver(f"sqlite:///{tmp_path}/store.db") as receiver, receiver.connect() as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 404")


def test_every_wait_for_a_client_has_an_end(tmp_path: Path) -> None:
    """Clients are disconnected that send nothing, slow heads or slow bodies, or read no responses."""
    with run_receiver(f"sqlite:///{tmp_path}/store.db") as receiver, ExitStack() as stack:
        with receiver.connect() as first:
            first.sendall(HEALTH)
            assert first.recv(15) == b"HTTP/1.1 200 OK"
            own = receiver.count_sockets() - 1  # now that its event loop runs, which has sockets, too
        silent, slow, later, body, deaf = (stack.enter_context(receiver.connect(buffer_bytes=4096)) for _ in range(5))
        slow.sendall(HEALTH[:-2])
        later.sendall(HEALTH + HEALTH[:-2])
        assert later.recv(15) == b"HTTP/1.1 200 OK"
        body.sendall(HEAD + LENGTH)
        send_until_full(deaf)
        assert is_closed(body, b" ")
        assert is_closed(slow, b"x-more: x\r\n")
        assert is_closed(later)
        assert is_closed(silent)
        while receiver.count_sockets() > own:
            time.sleep(0.1)  # the kernel tells the client nothing, because it reads nothing
        log = counts(receiver)
    assert "1 body timed out" in log
    assert "2 head timed out" in log
    assert "1 response not read" in log


def send_until_full(connection: socket.socket) -> None:
    """Send requests until neither side takes more, and read no response."""
    connection.settimeout(5)
    with suppress(TimeoutError):
        while True:
            connection.sendall(HEALTH * 100)


def is_closed(connection: socket.socket, more: bytes = b"") -> bool:
    """Return whether a connection ends within a minute, although `more` is sent every half second."""
    connection.settimeout(0.5)
    for _ in range(120):
        with suppress(TimeoutError):
            try:
                connection.sendall(more)
                while connection.recv(4096):
                    pass
            except ConnectionError:
                pass
            return True
    return False
