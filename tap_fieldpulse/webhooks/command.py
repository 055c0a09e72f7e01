"""`fieldpulse webhooks`: a small server that takes FieldPulse's webhooks and keeps them for the tap."""

from __future__ import annotations

import logging
import re
import select
import signal
import sys
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import end_by_signal
from fieldpulse_plugin.output import for_output
from fieldpulse_plugin.settings import SHARED_SETTINGS
from fieldpulse_plugin.stores.defaults import folder_for_command, url_in
from fieldpulse_plugin.validation import check_settings
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings

if TYPE_CHECKING:
    from .forwarder import Forwarder

_PREFIX = "TAP_FIELDPULSE_"
_PROPERTIES = {**SHARED_SETTINGS, **TAP_SETTINGS}
_TOKEN = re.compile(TAP_SETTINGS["webhook_token"]["pattern"].strip("^$"))
_SECONDS_BETWEEN_REPORTS = 60
_SECONDS_TO_END = 6
"""For requests under way when a signal comes: more than the store may take, less than a slow client."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@click.option("--forward", metavar="URL", help="Post each delivery to this https:// URL too, signed with push_secret.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --forward: append deliveries that the other receiver refuses (HTTP 4xx) to this file, and go on.",
)
def webhooks(host: str, port: int, forward: str | None, refused: Path | None) -> None:
    """Receive FieldPulse's webhooks and store them for the tap, until a signal ends it.

    Needs no API key; with one, forwarded deliveries have names beside ids.

    Settings come from the environment or from `.env`: TAP_FIELDPULSE_WEBHOOK_TOKEN, TAP_FIELDPULSE_WEBHOOK_SECRET and
    TAP_FIELDPULSE_SNAPSHOT_URL. Run it behind a proxy that terminates TLS, and let FieldPulse post to
    https://<your host>/<token>.
    """
    if refused and not forward:
        raise click.UsageError("--refused needs --forward")
    config = _settings()
    try:
        import uvicorn  # noqa: PLC0415  of the extra

        from .connection import TimedConnection  # noqa: PLC0415  as above
        from .listener import Listener, descriptors_for_connections  # noqa: PLC0415  POSIX only
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
    max_descriptor = descriptors_for_connections()
    with ExitStack() as stack:
        inbox = stack.enter_context(closing(Inbox(config["snapshot_url"])))
        forwarder = None
        if forward:
            forwarder = stack.enter_context(closing(_forwarder(forward, refused, config)))
        receiver = Receiver(
            inbox,
            token=config["webhook_token"],
            secret=config.get("webhook_secret"),
            log=_log,
            max_connections=max_descriptor // 2,
            last_stored_at=inbox.last_received_at(),
            forwarder=forwarder,
        )
        _count_log_records(receiver.counts)
        server = uvicorn.Server(
            uvicorn.Config(
                receiver,
                http=TimedConnection,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,  # it would contain the token
                proxy_headers=False,
                server_header=False,
                callback_notify=receiver.report_changes,
                timeout_notify=_SECONDS_BETWEEN_REPORTS,
                timeout_graceful_shutdown=_SECONDS_TO_END,
            )
        )

        def count_refused() -> None:
            receiver.counts["too many connections (closed)"] += 1

        with closing(Listener(host, port, max_descriptor=max_descriptor, on_refused=count_refused)) as listener:
            _log(f"listening at http://{host}:{listener.getsockname()[1]}/<webhook_token>")
            if forwarder:
                forwarder.start()
            try:
                server.run(sockets=[listener])
            finally:
                receiver.report()


def _forwarder(url: str, refused: Path | None, config: dict[str, Any]) -> Forwarder:
    """Return a forwarder with an inbox of its own. Raises: ConfigError; RunLocked."""
    from tap_fieldpulse.delivery.endpoint import Endpoint  # noqa: PLC0415  other commands need no HTTP
    from tap_fieldpulse.delivery.refused_file import RefusedFile  # noqa: PLC0415  as above
    from tap_fieldpulse.delivery.sender import Sender  # noqa: PLC0415  as above

    from .account_names import AccountNames  # noqa: PLC0415  as above
    from .forwarder import FORWARDING_POLICY, Forwarder  # noqa: PLC0415  as above
    from .inbox import Inbox  # noqa: PLC0415  as above

    endpoint = Endpoint.from_config(url, config, option="--forward")
    defaults = {name: schema["default"] for name, schema in _PROPERTIES.items() if "default" in schema}
    settings = TapSettings.from_config(defaults | config)
    refused_file = RefusedFile(refused, settings) if refused else None
    return Forwarder(
        Inbox(config["snapshot_url"]),
        Sender(endpoint, refused_file=refused_file, log=_log, policy=FORWARDING_POLICY),
        add_names=AccountNames(settings, settings.client).add_to if settings.client else _without_names,
        log=_log,
    )


def _without_names(event: dict[str, Any], _: object) -> dict[str, Any]:
    return event


def _log(text: str) -> None:
    """Write a line, unless the process that reads the log has ended or has stopped to read: counts come again."""
    with suppress(OSError):
        if select.select([], [sys.stderr], [], 0)[1]:
            click.echo(for_output(f"fieldpulse webhooks: {text}"), err=True)


class _CountingHandler(logging.Handler):
    """Count the records of a logger instead of writing them: they hold what was sent, and a client can cause many."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self._counts = counts

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Count a record."""
        self._counts[f"errors ({record.name})"] += 1


def _count_log_records(counts: Counter[str]) -> None:
    for name in ("asyncio", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        logger.handlers = [_CountingHandler(counts)]


def _settings() -> dict[str, Any]:
    """Return the tap's settings. Raises: ConfigError, also for a token that may be guessed."""
    config = settings_from_environment(_PREFIX, _PROPERTIES, environment_variables())
    if not _TOKEN.fullmatch(config.get("webhook_token", "")):
        raise ConfigError(
            "There is no webhook_token, or not one of 32 or more letters, digits, `-` and `_`.",
            where=f"setting webhook_token · {_PREFIX}WEBHOOK_TOKEN",
            hint="make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    check_settings(config, {"type": "object", "properties": _PROPERTIES}, where=f"environment · {_PREFIX}…")
    return {"snapshot_url": config.get("snapshot_url") or url_in(folder_for_command("snapshot"), "snapshot"), **config}
