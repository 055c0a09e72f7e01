"""`fieldpulse serve`: the page of runs in the browser, while runs go on. Reads only."""

from __future__ import annotations

import ipaddress
import secrets
import signal
import socket

import click

from fieldpulse_api.errors import UserError
from fieldpulse_cli.history.stores import open_stores
from fieldpulse_plugin.exit_codes import end_by_signal
from fieldpulse_plugin.history.facts import now

_MAX_CONNECTIONS = 50
_SECONDS_TO_END = 1


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8789, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
def serve(host: str, port: int) -> None:
    """Serve the page of `fieldpulse report`, kept up to date, until a signal ends it. Reads only.

    Needs no API key. On another address than loopback, the page is served to those who have the token in the printed
    URL. There is no TLS: use a proxy or a tunnel.
    """
    try:
        import uvicorn  # noqa: PLC0415  of the extras

        from .overview import read_overview  # noqa: PLC0415  as above
        from .page import render_page  # noqa: PLC0415  as above
        from .server import LivePage  # noqa: PLC0415  as above
    except ImportError:
        raise UserError(
            "The dependencies of the page are not installed.",
            where="fieldpulse serve",
            hint="pip install 'singer-fieldpulse[report,webhooks]'",
        ) from None
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends in order, and raises the signal again
        signal.signal(number, end_by_signal)
    token = None if _is_loopback(host) else secrets.token_urlsafe(32)

    def render() -> str:
        with open_stores() as stores:
            return render_page(read_overview(stores, now()), is_live=True)

    render()  # a store that cannot be read ends the command at once
    server = uvicorn.Server(
        uvicorn.Config(
            LivePage(render, token=token).application(),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,  # it would contain the token
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_END,  # streams of events never end by themselves
        )
    )
    with _listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        query = f"?token={token}" if token else ""
        click.echo(f"fieldpulse serve: http://{name}:{listener.getsockname()[1]}/{query}", err=True)
        server.run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises: UserError if the address is not usable."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"The page cannot be served there ({error.strerror}).",
            where=f"{host}:{port}",
            hint="choose another --host or --port",
        ) from None
