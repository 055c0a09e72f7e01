"""`fieldpulse events`: change events, pushed to a URL or printed, once or until a signal ends the command."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

import click
from typing_extensions import override

from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import check_stream, end_by_signal
from fieldpulse_plugin.output import for_output
from fieldpulse_plugin.settings import SHARED_SETTINGS, client_settings
from fieldpulse_plugin.stores.defaults import folder_for_command, url_in
from fieldpulse_plugin.validation import check_settings
from tap_fieldpulse.delivery.endpoint import Endpoint
from tap_fieldpulse.delivery.refused_file import RefusedFile
from tap_fieldpulse.delivery.sender import Outcome, Sender
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings
from tap_fieldpulse.sync.context import SyncContext

from .outbox import Outbox, WaitingEvent
from .poll import POLL_LOGGER, open_context, poll

_PREFIX = "TAP_FIELDPULSE_"
_EVENTS_PER_READ = 100
_SECONDS_TO_RENEW_NAMES = _SECONDS_TO_REPEAT = 600
_LOGGER = logging.getLogger(__name__)
_PROPERTIES = {**SHARED_SETTINGS, **TAP_SETTINGS}

Deliver: TypeAlias = Callable[[Sequence[WaitingEvent]], Iterator[tuple[int, Outcome, int]]]
"""Delivers events in order. Yields up to which sequence number they are settled, how, and how many since the last."""


@click.command()
@click.option("--follow", is_flag=True, help="Poll again and again, until a signal ends the command.")
@click.option(
    "--interval",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="With --follow: seconds from the start of a poll to that of the next.",
)
@click.option("--post", metavar="URL", help="Post each event to this https:// URL, signed with push_secret.")
@click.option("--jsonl", is_flag=True, help="Print each event as a line of JSON.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --post: append events that the receiver refuses (HTTP 4xx) to this file, and go on.",
)
def events(*, follow: bool, interval: int, post: str | None, jsonl: bool, refused: Path | None) -> None:
    """Detect changes in the account, and push an event for each, at least once, those of a row in order.

    Settings come from the environment or from `.env`, as the tap has them: change_event_streams, filters,
    detect_deletes and others. The first poll stores what is there and pushes nothing. What was not delivered waits in a
    store beside the snapshot.
    """
    if (post is None) is not jsonl:
        raise click.UsageError("give either --post or --jsonl")
    if refused and not post:
        raise click.UsageError("--refused needs --post")
    config = _config()
    settings = TapSettings.from_config(config)
    client_settings(config)  # raises without an API key
    endpoint = Endpoint.from_config(post, config, option="--post") if post else None
    refused_file = RefusedFile(refused, settings) if refused else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_by_signal)
    context = open_context(settings)
    with ExitStack() as stack:
        outbox = stack.enter_context(closing(Outbox(settings.snapshot_url, context.account)))
        deliver: Deliver = _print_lines
        if endpoint:
            sender = stack.enter_context(closing(Sender(endpoint, refused_file=refused_file, log=_log)))
            deliver = _posting_with(sender)
        pusher = _Pusher(outbox, deliver)
        if follow:
            _follow(context, pusher, interval)
        failures = poll(context, outbox)
        pusher.push()
        if failures:
            raise failures[0]


def _follow(context: SyncContext, pusher: _Pusher, interval: int) -> None:
    """Poll and push for ever. A list that cannot be read is read by the next poll."""
    renewed_at = time.monotonic()
    POLL_LOGGER.addFilter(_RareRepeats())
    while True:
        began_at = time.monotonic()
        if began_at - renewed_at > _SECONDS_TO_RENEW_NAMES:
            context.client.close()
            context, renewed_at = open_context(context.settings), began_at
        for failure in poll(context, pusher.outbox):
            _LOGGER.warning("%s", failure.one_line)
        pusher.push()
        _log_warnings_only()
        time.sleep(max(0, began_at + interval - time.monotonic()))


class _RareRepeats(logging.Filter):
    """Filter that passes a message once in ten minutes: each poll would repeat what it says about the same row."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        now, message = time.monotonic(), record.getMessage()
        self._logged_at = {each: at for each, at in self._logged_at.items() if now - at < _SECONDS_TO_REPEAT}
        return self._logged_at.setdefault(message, now) == now


class _Pusher:
    """Deliver what waits in an outbox, and log how much that was."""

    def __init__(self, outbox: Outbox, deliver: Deliver) -> None:
        self.outbox, self._deliver = outbox, deliver
        self._counts, self._last_at = Counter[Outcome](), ""

    def push(self) -> None:
        """Deliver all events. Raises: what delivering raises; the event concerned and those behind it stay."""
        before = self._counts.copy()
        try:
            while waiting := self.outbox.read(_EVENTS_PER_READ):
                for sequence, outcome, count in self._deliver(waiting):
                    self.outbox.remove_through(sequence)
                    self._counts[outcome] += count
                    self._last_at = iso_timestamp(datetime.now(timezone.utc))
        finally:
            if self._counts != before:
                counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._counts.items()))
                _log(f"{counts}, the last at {self._last_at}")


def _print_lines(waiting: Sequence[WaitingEvent]) -> Iterator[tuple[int, Outcome, int]]:
    """Print events, and let them count as delivered once all are flushed."""
    stdout = check_stream(sys.stdout, "standard output")
    for event in waiting:
        stdout.write(event.body.decode() + "\n")
    stdout.flush()
    yield waiting[-1].sequence, "delivered", len(waiting)


def _posting_with(sender: Sender) -> Deliver:
    def post(waiting: Sequence[WaitingEvent]) -> Iterator[tuple[int, Outcome, int]]:
        for event in waiting:
            yield event.sequence, sender.send(event.event_id, event.body), 1

    return post


def _config() -> dict[str, Any]:
    """Return the tap's settings with their defaults. Raises: ConfigError."""
    config = settings_from_environment(_PREFIX, _PROPERTIES, environment_variables())
    check_settings(config, {"type": "object", "properties": _PROPERTIES}, where=f"environment · {_PREFIX}…")
    defaults = {name: schema["default"] for name, schema in _PROPERTIES.items() if "default" in schema}
    if not config.get("snapshot_url"):
        config["snapshot_url"] = url_in(folder_for_command("snapshot"), "snapshot")
    return defaults | config


def _log(text: str) -> None:
    click.echo(for_output(f"fieldpulse events: {text}"), err=True)


def _log_warnings_only() -> None:
    """Log no more lines about each stream of each poll, unless the level is DEBUG."""
    root = logging.getLogger()
    if root.level == logging.INFO:
        root.setLevel(logging.WARNING)
