"""The listening socket of the webhook receiver, and how many connections the limit on descriptors leaves room for."""

from __future__ import annotations

import math
import resource
import socket
from collections.abc import Callable
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import UserError

_MAX_CONNECTIONS = 1000
_MIN_CONNECTIONS = 16
_SEND_BUFFER_BYTES = 16 * 1024  # of a connection: responses are small, and are read
_OTHER_DESCRIPTORS = 64
"""Left for the store, which may have to be connected again at any time, and for files of libraries."""


class Listener(socket.socket):
    """A listening socket that closes connections at once if they need a descriptor of `max_descriptor` or more.

    The kernel assigns the lowest free descriptor, so its number tells how many are in use. Without this limit, accepts
    fail as soon as all are in use, and so does the store.

    Raises: UserError if the address is not usable.
    """

    def __init__(self, host: str, port: int, *, max_descriptor: int, on_refused: Callable[[], None]) -> None:
        # Without the protocol's number asyncio leaves Nagle's algorithm on, and each response takes 40 ms.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._max_descriptor, self._on_refused = max_descriptor, on_refused
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            self.bind((host, port))
            self.listen(_MAX_CONNECTIONS)
        except OSError as error:
            self.close()
            raise UserError(
                f"The receiver cannot listen ({error.strerror}).",
                where=f"{host}:{port}",
                hint="choose another --host or --port",
            ) from None

    @override
    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection. Raises: ConnectionAbortedError for one that is refused, which asyncio ignores."""
        connection, address = super().accept()
        if connection.fileno() < self._max_descriptor:
            return connection, address
        connection.close()
        self._on_refused()
        raise ConnectionAbortedError


def descriptors_for_connections() -> int:
    """Raise this process's limit on descriptors as needed, and return the number that connections stay below.

    Twice as many are accepted as are served, because a connection over the limit gets its answer too.

    Raises: UserError if the limit leaves no room.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (math.inf if limit == resource.RLIM_INFINITY else limit for limit in limits)
    wanted = 2 * _MAX_CONNECTIONS + _OTHER_DESCRIPTORS
    allowed = int(min(hard, wanted))
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, limits[1]))
    if allowed < 2 * _MIN_CONNECTIONS + _OTHER_DESCRIPTORS:
        raise UserError(
            f"The limit of {allowed} open files leaves no room for connections.",
            where="ulimit -n · LimitNOFILE",
            hint=f"allow {wanted} open files, and at least {2 * _MIN_CONNECTIONS + _OTHER_DESCRIPTORS}",
        )
    return allowed - _OTHER_DESCRIPTORS
