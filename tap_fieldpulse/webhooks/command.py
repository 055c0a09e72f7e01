"""`fieldpulse webhooks`: a small server that takes FieldPulse's webhooks and keeps them for the tap."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import closing
from typing import Any

import click

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import end_by_signal
from fieldpulse_plugin.settings import SHARED_SETTINGS
from fieldpulse_plugin.validation import check_settings
from tap_fieldpulse.settings import TAP_SETTINGS

_PREFIX = "TAP_FIELDPULSE_"
_TOKEN = re.compile(TAP_SETTINGS["webhook_token"]["pattern"].strip("^$"))
_MOST_CONNECTIONS = 1000
_SECONDS_TO_END = 20


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
def webhooks(host: str, port: int) -> None:
    """Receive FieldPulse's webhooks and store them for the tap, until a signal ends it. Needs no API key.

    Settings come from the environment or from `.env`: TAP_FIELDPULSE_WEBHOOK_TOKEN, TAP_FIELDPULSE_WEBHOOK_SECRET and
    TAP_FIELDPULSE_SNAPSHOT_URL. Run it behind a proxy that terminates TLS, and let FieldPulse post to
    https://<your host>/<token>.
    """
    config = _settings()
    try:
        import uvicorn  # noqa: PLC0415  of the extra

        from .connection import TimedConnection  # noqa: PLC0415  as above
        from .server import Receiver  # noqa: PLC0415  as above
    except ImportError:
        raise UserError(
            "The dependencies of the webhook receiver are not installed.",
            where="fieldpulse webhooks",
            hint="pip install 'singer-fieldpulse[webhooks]'",
        ) from None
    from .inbox import Inbox  # noqa: PLC0415  other commands need no SQLAlchemy

    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends in order, and raises the signal again
        signal.signal(number, end_by_signal)
    with closing(_listen(host, port)) as sock, closing(Inbox(config["snapshot_url"])) as inbox:
        receiver = Receiver(inbox, token=config["webhook_token"], secret=config.get("webhook_secret"), log=_log)
        server = uvicorn.Server(
            uvicorn.Config(
                receiver,
                http=TimedConnection,
                lifespan="off",
                ws="none",
                log_level="warning",
                access_log=False,  # it would contain the token
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_SECONDS_TO_END,
            )
        )
        _log(f"listening at http://{host}:{sock.getsockname()[1]}/<webhook_token>")
        try:
            server.run(sockets=[sock])
        finally:
            receiver.report()


def _log(text: str) -> None:
    click.echo(f"fieldpulse webhooks: {text}", err=True)


def _settings() -> dict[str, Any]:
    """Return the tap's settings. Raises: ConfigError, also for a token that may be guessed."""
    properties = {**SHARED_SETTINGS, **TAP_SETTINGS}
    config = settings_from_environment(_PREFIX, properties, environment_variables())
    if not _TOKEN.fullmatch(config.get("webhook_token", "")):
        raise ConfigError(
            "There is no webhook_token, or not one of 32 or more letters, digits, `-` and `_`.",
            where=f"setting webhook_token · {_PREFIX}WEBHOOK_TOKEN",
            hint="make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    check_settings(config, {"type": "object", "properties": properties}, where=f"environment · {_PREFIX}…")
    return {"snapshot_url": TAP_SETTINGS["snapshot_url"]["default"], **config}


def _listen(host: str, port: int) -> socket.socket:
    # Without the protocol's number asyncio leaves Nagle's algorithm on, and each response takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_MOST_CONNECTIONS)
    except OSError as error:
        sock.close()
        raise UserError(
            f"The receiver cannot listen ({error.strerror}).",
            where=f"{host}:{port}",
            hint="choose another --host or --port",
        ) from None
    return sock
