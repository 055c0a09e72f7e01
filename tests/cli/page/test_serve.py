"""`fieldpulse serve`: the page while runs go on, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.harness.past_runs import write_runs
from tests.harness.processes import run_process

from .page_reader import read_page


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Yield the URL that the command prints, and its process."""
    command = [sys.executable, "-m", "fieldpulse_cli", "serve", "--port", "0", "--host", host]
    urls = {"TAP_FIELDPULSE_SNAPSHOT_URL": "snapshot", "TARGET_FIELDPULSE_LEDGER_URL": "ledger"}
    environment = {**os.environ, **{name: f"sqlite:///{folder}/{store}.db" for name, store in urls.items()}}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        try:
            assert process.stderr
            yield process.stderr.readline().removeprefix("fieldpulse serve: ").strip(), process
        finally:
            process.kill()


def test_the_page_is_served_and_follows_the_runs(tmp_path: Path) -> None:
    """A browser is told of a new run; the page only reads, and no other site can frame, script or read it."""
    write_runs(f"sqlite:///{tmp_path}/snapshot.db", 1, [])
    with serving(tmp_path) as (url, process), httpx.Client(base_url=url, timeout=60) as client:
        response = client.get("/")
        page = read_page(response.text)
        assert "From 1 run." in page.text
        assert page.links[0] == "/live.js"
        assert client.get("/live.js").headers["content-type"].startswith("text/javascript")
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["cache-control"] == "no-store"
        assert client.post("/").status_code == 405
        assert client.get("/", headers={"host": "rebound.example"}).status_code == 400
        with client.stream("GET", "/events") as events:
            lines = events.iter_lines()
            assert next(lines) == "retry: 3000"
            write_runs(f"sqlite:///{tmp_path}/snapshot.db", 1, [])
            assert "event: changed" in lines
            assert "From 2 runs" in read_page(client.get("/").text).text
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM


def test_elsewhere_than_on_loopback_the_page_needs_its_token(tmp_path: Path) -> None:
    """The token of the printed URL becomes a cookie, and leaves the address of the page."""
    with serving(tmp_path, "0.0.0.0") as (url, _), httpx.Client(timeout=60) as client:
        address, _, token = url.replace("0.0.0.0", "127.0.0.1").partition("?token=")
        assert len(token) >= 32
        for path in ("", "events", "?token=guessed"):
            assert client.get(address + path).status_code == 403
        response = client.get(f"{address}?token={token}")
        assert (response.status_code, response.headers["location"]) == (303, "/")
        assert "HttpOnly; Path=/; SameSite=strict" in response.headers["set-cookie"]
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("host", ["192.0.2.1", "not a host"])
def test_an_address_that_is_not_usable(host: str) -> None:
    """Said in three parts, and without a traceback."""
    result = run_process([sys.executable, "-m", "fieldpulse_cli", "serve", "--host", host])
    assert result.returncode == 2
    assert "The page cannot be served there" in result.stderr
    assert "Traceback" not in result.stderr
