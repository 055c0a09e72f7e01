"""No network: a stand-in that misses a call of the loader must fail, and must not reach the real service."""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

_connect = socket.socket.connect


def close_network() -> None:
    """Let this process connect to its own machine only."""
    socket.socket.connect = _connect_to_loopback  # type: ignore[assignment, method-assign]


def data_folder() -> Path:
    """Return the folder of the configuration file in the arguments."""
    return Path(sys.argv[sys.argv.index("--config") + 1]).resolve().parent


def _connect_to_loopback(self: socket.socket, address: Any, /) -> None:
    if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:
        raise PermissionError("A stand-in has no network.")
    _connect(self, address)
