"""Tests of the transport: certificates, proxies, redirects, endless responses and rotated keys."""

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
Respond = Callable[[BaseHTTPRequestHandler], None]


def send_empty_list(handler: BaseHTTPRequestHandler) -> None:
    """Send an empty list."""
    handler.send_response(200)
    handler.send_header("content-length", str(len(ENVELOPE)))
    handler.end_headers()
    handler.wfile.write(ENVELOPE)


@contextmanager
def server(
    respond: Respond = send_empty_list, certificate: trustme.LeafCert | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Serve on a port of localhost; yield the port and the API keys of the requests."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("x-api-key", ""))
            with suppress(OSError):
                respond(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        http_server.socket = context.wrap_socket(http_server.socket, server_side=True)
    with _serving(http_server):
        yield http_server.server_address[1], keys


@contextmanager
def _serving(tcp_server: ThreadingTCPServer) -> Iterator[None]:
    thread = threading.Thread(target=tcp_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        tcp_server.shutdown()
        tcp_server.server_close()
        thread.join()


@contextmanager
def proxy(to_port: int) -> Iterator[tuple[int, list[bytes]]]:
    """Serve as a proxy that forwards every connection to `to_port`; yield its port and the bytes that it read."""
    received: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            received.append(self.request.recv(65536))
            if not received[-1].startswith(b"CONNECT"):
                return
            with socket.create_connection(("127.0.0.1", to_port)) as upstream:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                backward = threading.Thread(target=_forward, args=(upstream, self.request, []))
                backward.start()
                _forward(self.request, upstream, received)
                backward.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as proxy_server, _serving(proxy_server):
        yield proxy_server.server_address[1], received


def _forward(source: socket.socket, sink: socket.socket, received: list[bytes]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            received.append(data)
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
    """Return a new CA that no trust store contains; its certificate is in `ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


def test_ssl_cert_file_makes_a_private_ca_trusted(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the variable the client sends nothing, not even the key."""
    with server(certificate=ca.issue_cert("localhost")) as (port, keys):
        url = f"https://localhost:{port}"
        with closing(client_of(url)) as client, pytest.raises(ConnectionFailed):
            client.get("/version")
        assert keys == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with closing(client_of(url)) as client:
            assert client.get("/customers").data == []
        assert keys == [KEY]


def test_a_proxy_of_the_environment_is_used_and_receives_no_key(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy receives the name of the host, then only encrypted data."""
    with server(certificate=ca.issue_cert("fieldpulse.test")) as (port, keys), proxy(port) as (proxy_port, received):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy_port}")
        with closing(client_of("https://fieldpulse.test/stage")) as client:
            assert client.get("/customers").data == []
        assert keys == [KEY]
        assert received[0].startswith(b"CONNECT fieldpulse.test:443")
        assert KEY.encode() not in b"".join(received)


def test_requests_to_localhost_use_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP would show the key to the proxy."""
    with server() as (port, keys), proxy(port) as (proxy_port, received):
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
        with closing(client_of(f"http://127.0.0.1:{port}")) as client:
            client.get("/customers")
        assert (keys, received) == ([KEY], [])


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "proxy.test:port"), ("ALL_PROXY", "ftp://proxy.test"), ("SSL_CERT_FILE", "/nowhere/ca.pem")],
)
def test_an_invalid_environment_variable_is_named_in_the_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error blames the configuration, not the connection to the API."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        client_of("https://fieldpulse.test")
    assert name in caught.value.where


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The client sends the key to `api_url` only, and a redirected create is uncertain."""
    with server() as (elsewhere, redirected_keys):

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("location", f"http://127.0.0.1:{elsewhere}/customers")
            handler.send_header("content-length", "0")
            handler.end_headers()

        with server(redirect) as (port, keys), closing(client_of(f"http://127.0.0.1:{port}")) as client:
            with pytest.raises(UnexpectedResponse, match="redirected") as caught:
                client.get("/customers")
            assert "api_url" in caught.value.hint
            with pytest.raises(UncertainWrite):
                client.post("/customers", {"first_name": "Ada"})
        assert (keys, redirected_keys) == ([KEY, KEY], [])


@pytest.mark.parametrize(
    ("chunk", "pause_seconds"), [(b" " * 2**20, 0.0), (b" ", 0.02)], ids=["large chunks", "slow bytes"]
)
def test_an_endless_response_is_cut_off(chunk: bytes, pause_seconds: float) -> None:
    """A server cannot use up the memory or the time of a run."""
    is_closed = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not is_closed.wait(pause_seconds):
            handler.wfile.write(chunk)

    with server(endless) as (port, _):
        with closing(client_of(f"http://127.0.0.1:{port}", timeout_seconds=0.5)) as client:
            with pytest.raises(ConnectionFailed):
                client.get("/customers")
            with pytest.raises(UncertainWrite):
                client.post("/customers", {"first_name": "Ada"})
        is_closed.set()


def compressed(body: bytes, encoding: str = "gzip") -> Respond:
    """Return a handler that sends a body with this content encoding."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-encoding", encoding)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


@pytest.mark.parametrize(
    "respond",
    [
        compressed(gzip.compress(ENVELOPE)),
        compressed(gzip.compress(ENVELOPE), encoding="x-gzip"),
        compressed(gzip.compress(ENVELOPE[:5]) + gzip.compress(ENVELOPE[5:])),
        compressed(ENVELOPE, encoding=""),
    ],
    ids=["gzip", "its other name", "two members", "no encoding"],
)
def test_a_compressed_response_is_decompressed(respond: Respond) -> None:
    """Compression makes most pages many times smaller."""
    with (
        server(respond) as (port, _),
        closing(client_of(f"http://127.0.0.1:{port}")) as client,
    ):
        assert client.get("/customers").data == []


@pytest.mark.parametrize(
    "respond",
    [
        compressed(gzip.compress(b" " * 2**27)),
        compressed(gzip.compress(ENVELOPE)[:-3]),
        compressed(b"not gzip"),
        compressed(ENVELOPE, encoding="br"),
    ],
    ids=["bomb", "truncated", "not gzip", "unsupported encoding"],
)
def test_a_response_that_cannot_be_decompressed_is_an_error(respond: Respond) -> None:
    """The client also rejects a small compressed body that becomes too large."""
    with (
        server(respond) as (port, _),
        closing(client_of(f"http://127.0.0.1:{port}")) as client,
        pytest.raises(ConnectionFailed),
    ):
        client.get("/customers")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@fieldpulse.test",
        "https://fieldpulse.test/stage?key=s3cret",
        "https://fieldpulse.test/#s3cret",
        "https://a..b",
        f"https://{'a' * 64}.test",
        f"https://{'☃' * 30}ü{'a' * 40}.test",
        f"https://{'a.' * 127}test",
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
    """The error names the setting and shows no part of the URL that may be secret."""
    with pytest.raises(ConfigError) as caught:
        ClientSettings(api_key=ApiKey(KEY), api_url=url)
    assert "api_url" in caught.value.where
    assert "s3cret" not in str(caught.value)


def test_a_key_can_be_replaced_during_a_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """When FieldPulse rejects the key, the client reads the file again and repeats the request, even a create."""
    path = tmp_path / "key"
    path.write_text("the-key-before\n")
    key = ApiKey.from_config({"api_key_file": str(path)})
    with closing(client_of(sandbox.url, api_key=key)) as client:
        with pytest.raises(AuthenticationError):
            client.get("/customers")
        path.write_text(f"{sandbox.key}\n")
        assert client.post("/customers", {"first_name": "Ada"}).data["first_name"] == "Ada"
        assert len(client.get("/customers").data) > 1
    assert [(request.method, request.has_valid_key) for request in sandbox.requests] == [
        ("GET", False),
        ("POST", False),
        ("POST", True),
        ("GET", True),
    ]


def test_a_key_can_be_rotated_in_the_middle_of_a_scan(sandbox: Sandbox, tmp_path: Path) -> None:
    """The client repeats all requests in flight with the new key, and the scan loses no row."""
    path = tmp_path / "key"
    path.write_text(sandbox.key)
    before = {row["id"] for row in sandbox.rows("customers")}

    def rotate(_: RecordedRequest) -> None:
        if len(sandbox.requests) == 3:
            sandbox.key = "the-key-after"
            path.write_text(sandbox.key)

    sandbox.on_request = rotate
    config = {
        "api_key_file": str(path),
        "api_url": sandbox.url,
        "requests_per_second": 50,
        "rate_limit_store": "memory",
    }
    emitted = run_tap(config | {"page_size": 3}, "customers")
    assert set(emitted.ids("customers")) == before
    assert any(not request.has_valid_key for request in sandbox.requests)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({}, "api_key"),
        ({"api_key": KEY, "api_key_file": "x"}, "api_key_file"),
        ({"api_key": f"{KEY} {KEY}"}, "api_key"),
        ({"api_key": " "}, "api_key"),
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
    """The error comes before the first request and does not contain the key."""
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text(" \n")
    Path("two lines").write_text(f"{KEY}\n{KEY}\n")
    with pytest.raises(ConfigError) as caught:
        ApiKey.from_config(config)
    assert where in caught.value.where
    assert KEY not in f"{caught.value}{ApiKey(KEY)!r}"


def test_each_request_has_a_debug_line_without_key_query_or_body(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The line names method, path, status, milliseconds and attempt; httpx and httpcore add no lines."""
    caplog.set_level(logging.DEBUG)
    sandbox.add_fault(Fault("error_status", path="/customers", status=503))
    client.get("/customers", {"search": "ada@example.com"})
    client.post("/customers", {"first_name": "Ada", "email": "ada@example.com"})
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [re.sub(r"\d+ ms", "1 ms", line) for line in lines] == [
        "GET /customers: 503 in 1 ms (attempt 1)",
        "GET /customers: 200 in 1 ms (attempt 2)",
        "POST /customers: 201 in 1 ms (attempt 1)",
    ]
    assert sandbox.key not in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_request_without_a_response_has_a_debug_line(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The line names the class of the failure instead of a status."""
    caplog.set_level(logging.DEBUG)
    sandbox.add_fault(Fault("dropped_connection", path="/customers"))
    client.get("/customers")
    assert re.search(r"GET /customers: RemoteProtocolError in \d+ ms \(attempt 1\)", caplog.text)
