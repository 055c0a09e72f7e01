"""The transport: certificates, proxies, redirects, endless responses, and a key that is rotated."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
import trustme

from fieldpulse_api.errors import AuthenticationError, ConfigError, ConnectionFailed, UncertainWrite, UnexpectedResponse
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.tap_runner import run_tap

KEY = "key-canary-0123456789"
ENVELOPE = b'{"error":false,"response":[]}'
Answer = Callable[[BaseHTTPRequestHandler], None]


def plain(handler: BaseHTTPRequestHandler) -> None:
    """Answer with an empty list."""
    handler.send_response(200)
    handler.send_header("content-length", str(len(ENVELOPE)))
    handler.end_headers()
    handler.wfile.write(ENVELOPE)


@contextmanager
def server(answer: Answer = plain, certificate: trustme.LeafCert | None = None) -> Iterator[tuple[int, list[str]]]:
    """Serve on a port of this machine; yield it, and the keys that came."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("x-api-key", ""))
            with suppress(OSError):
                answer(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        one.socket = context.wrap_socket(one.socket, server_side=True)
    with _serving(one):
        yield one.server_address[1], keys


@contextmanager
def _serving(one: ThreadingTCPServer | ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        one.shutdown()
        one.server_close()
        thread.join()


@contextmanager
def proxy(to_port: int) -> Iterator[tuple[int, list[bytes]]]:
    """Serve as a proxy that connects everybody to one port; yield its own port, and what it could read."""
    seen: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            seen.append(self.request.recv(65536))
            if not seen[-1].startswith(b"CONNECT"):
                return
            with socket.create_connection(("127.0.0.1", to_port)) as upstream:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, self.request, []))
                back.start()
                _pump(self.request, upstream, seen)
                back.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as one, _serving(one):
        yield one.server_address[1], seen


def _pump(source: socket.socket, sink: socket.socket, seen: list[bytes]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            seen.append(data)
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def client_of(url: str, **settings: Any) -> Client:
    api_key = settings.pop("api_key", ApiKey(KEY))
    account = ClientSettings(
        api_key=api_key, api_url=url, requests_per_second=5000, rate_limit_store="memory", **settings
    )
    return Client(account, retry_policy=RetryPolicy(max_attempts=2, max_seconds=5, first_wait_seconds=0.01))


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    """Make a CA that nobody knows, and write its certificate to `ca.pem`."""
    one = trustme.CA()
    one.cert_pem.write_to_path(tmp_path / "ca.pem")
    return one


def test_a_private_ca_is_trusted_by_the_usual_variable(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the variable nothing is sent, not even the key."""
    with server(certificate=ca.issue_cert("localhost")) as (port, keys):
        url = f"https://localhost:{port}"
        with closing(client_of(url)) as one, pytest.raises(ConnectionFailed):
            one.get("/version")
        assert keys == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with closing(client_of(url)) as one:
            assert one.get("/customers").data == []
        assert keys == [KEY]


def test_a_proxy_of_the_environment_is_used_and_sees_no_key(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the name of the host, and then only encrypted data."""
    with server(certificate=ca.issue_cert("fieldpulse.test")) as (port, keys), proxy(port) as (proxy_port, seen):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy_port}")
        with closing(client_of("https://fieldpulse.test/stage")) as one:
            assert one.get("/customers").data == []
        assert keys == [KEY]
        assert seen[0].startswith(b"CONNECT fieldpulse.test:443")
        assert KEY.encode() not in b"".join(seen)


def test_requests_to_this_machine_use_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not encrypted: a proxy would see the key."""
    with server() as (port, keys), proxy(port) as (proxy_port, seen):
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
        with closing(client_of(f"http://127.0.0.1:{port}")) as one:
            one.get("/customers")
        assert (keys, seen) == ([KEY], [])


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "proxy.test:port"), ("ALL_PROXY", "ftp://proxy.test"), ("SSL_CERT_FILE", "/nowhere/ca.pem")],
)
def test_a_wrong_environment_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is not that the API cannot be reached."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        client_of("https://fieldpulse.test")
    assert name in caught.value.where


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The key is sent to `api_url` only; the outcome of a redirected create is unknown."""
    with server() as (elsewhere, leaked):

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("location", f"http://127.0.0.1:{elsewhere}/customers")
            handler.send_header("content-length", "0")
            handler.end_headers()

        with server(redirect) as (port, keys), closing(client_of(f"http://127.0.0.1:{port}")) as one:
            with pytest.raises(UnexpectedResponse, match="redirected") as caught:
                one.get("/customers")
            assert "api_url" in caught.value.hint
            with pytest.raises(UncertainWrite):
                one.post("/customers", {"first_name": "Ada"})
        assert (keys, leaked) == ([KEY, KEY], [])


@pytest.mark.parametrize(
    ("chunk", "pause_seconds"), [(b" " * 2**20, 0.0), (b" ", 0.02)], ids=["without end", "drop by drop"]
)
def test_a_response_without_end_is_cut_off(chunk: bytes, pause_seconds: float) -> None:
    """Neither memory nor time of a run are the server's to use up."""
    gone = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not gone.wait(pause_seconds):
            handler.wfile.write(chunk)

    with server(endless) as (port, _):
        with closing(client_of(f"http://127.0.0.1:{port}", timeout_seconds=0.5)) as one:
            with pytest.raises(ConnectionFailed):
                one.get("/customers")
            with pytest.raises(UncertainWrite):
                one.post("/customers", {"first_name": "Ada"})
        gone.set()


def packed(answer: bytes, how: str = "gzip") -> Answer:
    """Return what sends these bytes as packed."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-encoding", how)
        handler.send_header("content-length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    return send


def test_a_compressed_response_is_decompressed() -> None:
    """Compression saves a slow connection most of a page."""
    with server(packed(gzip.compress(ENVELOPE))) as (port, _), closing(client_of(f"http://127.0.0.1:{port}")) as one:
        assert one.get("/customers").data == []


@pytest.mark.parametrize(
    "answer",
    [
        packed(gzip.compress(b" " * 2**27)),
        packed(gzip.compress(ENVELOPE)[:-3]),
        packed(b"no gzip at all"),
        packed(ENVELOPE, how="br"),
    ],
    ids=["a bomb", "cut", "not packed", "packed otherwise"],
)
def test_a_response_that_cannot_be_decompressed_is_an_error(answer: Answer) -> None:
    """Neither is one accepted that is small only while it is compressed."""
    with (
        server(answer) as (port, _),
        closing(client_of(f"http://127.0.0.1:{port}")) as one,
        pytest.raises(ConnectionFailed),
    ):
        one.get("/customers")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@fieldpulse.test",
        "https://fieldpulse.test/stage?key=s3cret",
        "https://fieldpulse.test/#s3cret",
        "https://a..b",
        "https://.",
        "https://☃-.com",
        "https://field pulse.test",
        "https://fieldpulse.test/\0",
        "http://fieldpulse.test",
        "fieldpulse.test",
        "https://fieldpulse.test:port",
    ],
)
def test_an_invalid_url_is_rejected(url: str) -> None:
    """The error shows nothing of it that may be secret."""
    with pytest.raises(ConfigError) as caught:
        ClientSettings(api_key=ApiKey(KEY), api_url=url)
    assert "api_url" in caught.value.where
    assert "s3cret" not in str(caught.value)


def test_a_key_can_be_replaced_during_a_run(box: Sandbox, tmp_path: Path) -> None:
    """The file is read again when FieldPulse rejects the key, and the request is sent again, a create too."""
    path = tmp_path / "key"
    path.write_text("the-key-before\n")
    key = ApiKey.from_config({"api_key_file": str(path)})
    with closing(client_of(box.url, api_key=key)) as one:
        with pytest.raises(AuthenticationError):
            one.get("/customers")
        path.write_text(f"{box.key}\n")
        assert one.post("/customers", {"first_name": "Ada"}).data["first_name"] == "Ada"
        assert len(one.get("/customers").data) > 1
    assert [(each.method, each.has_valid_key) for each in box.requests] == [
        ("GET", False),
        ("POST", False),
        ("POST", True),
        ("GET", True),
    ]


def test_a_key_can_be_rotated_in_the_middle_of_a_scan(box: Sandbox, tmp_path: Path) -> None:
    """All requests in flight with the old key are sent again with the new one; no row is lost."""
    path = tmp_path / "key"
    path.write_text(box.key)
    before = {row["id"] for row in box.rows("customers")}

    def rotate(_: RecordedRequest) -> None:
        if len(box.requests) == 3:
            box.key = "the-key-after"
            path.write_text(box.key)

    box.on_request = rotate
    config = {"api_key_file": str(path), "api_url": box.url, "requests_per_second": 50, "rate_limit_store": "memory"}
    emitted = run_tap(config | {"page_size": 3}, "customers")
    assert set(emitted.ids("customers")) == before
    assert any(not each.has_valid_key for each in box.requests)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({}, "api_key"),
        ({"api_key": KEY, "api_key_file": "x"}, "api_key_file"),
        ({"api_key": f"{KEY} "}, "api_key"),
        ({"api_key": f"{KEY}\n"}, "api_key"),
        ({"api_key": f"{KEY}ü"}, "api_key"),
        ({"api_key_file": "missing"}, "missing"),
        ({"api_key_file": "."}, "api_key_file"),
        ({"api_key_file": "\0"}, "api_key_file"),
        ({"api_key_file": "empty"}, "empty"),
        ({"api_key_file": "two lines"}, "two lines"),
    ],
    ids=repr,
)
def test_an_invalid_key_is_rejected_and_never_shown(
    config: dict[str, Any], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent."""
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text(" \n")
    Path("two lines").write_text(f"{KEY}\n{KEY}\n")
    with pytest.raises(ConfigError) as caught:
        ApiKey.from_config(config)
    assert where in caught.value.where
    assert KEY not in f"{caught.value}{ApiKey(KEY)!r}"


def test_each_request_has_a_line_at_debug_without_key_query_or_body(
    box: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, milliseconds and attempt. Neither httpx nor httpcore adds a line."""
    caplog.set_level(logging.DEBUG)
    box.add_fault(Fault("error_status", path="/customers", status=503))
    client.get("/customers", {"search": "ada@example.com"})
    client.post("/customers", {"first_name": "Ada", "email": "ada@example.com"})
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [re.sub(r"\d+ ms", "1 ms", line) for line in lines] == [
        "GET /customers: 503 in 1 ms (attempt 1)",
        "GET /customers: 200 in 1 ms (attempt 2)",
        "POST /customers: 201 in 1 ms (attempt 1)",
    ]
    assert box.key not in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_request_without_a_response_has_a_line_too(
    box: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the kind of failure instead of a status."""
    caplog.set_level(logging.DEBUG)
    box.add_fault(Fault("dropped_connection", path="/customers"))
    client.get("/customers")
    assert re.search(r"GET /customers: RemoteProtocolError in \d+ ms \(attempt 1\)", caplog.text)
