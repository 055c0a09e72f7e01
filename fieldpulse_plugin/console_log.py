"""Log lines on stderr for a person. A runner that wants JSON sets SINGER_SDK_LOG_CONFIG, as Meltano does."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import singer_sdk
from singer_sdk.logging import ConsoleFormatter as SdkConsoleFormatter
from typing_extensions import override

from .output import for_output

_SDK_FOLDER = str(Path(singer_sdk.__file__).parent)


class ConsoleFormatter(logging.Formatter):
    """Formatter for a terminal: time, level and message.

    A record of an error that ended the run (see `exit_codes.report_error`) takes three lines: what happened, where, and
    what to do.
    """

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:7} {message}", "%Y-%m-%d %H:%M:%S", style="{")

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        if not hasattr(record, "hint"):
            return line
        what, where, hint = (getattr(record, name) for name in ("what", "where", "hint"))
        prefix = line.removesuffix(record.message)
        return f"{prefix}{what}\n  where: {where}\n  do:    {hint}"


class PrintableFilter(logging.Filter):
    """Filter that changes records instead of hiding them: secrets are left out, and names of others are escaped.

    A record with the attribute `is_traceback` keeps its lines.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        lines = message.split("\n") if hasattr(record, "is_traceback") else [message]
        record.msg, record.args = "\n".join(map(for_output, lines)), None
        for name in ("what", "where", "hint"):
            if hasattr(record, name):
                setattr(record, name, for_output(getattr(record, name)))
        return True


class SdkNoiseFilter(logging.Filter):
    """Filter that hides the SDK's own INFO and ERROR records, unless the level is DEBUG.

    At INFO the SDK reports each deselected stream and three metrics per stream; our line per stream has the same
    numbers. At ERROR it reports that a stream failed, just before it raises the error that `report_error` logs.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            return True
        return record.levelno == logging.WARNING or not record.pathname.startswith(_SDK_FOLDER)


def configure_console() -> None:
    """Log to stderr, at the level that LOGLEVEL names. For commands that the SDK does not configure."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ConsoleFormatter())
    handler.addFilter(PrintableFilter())
    logging.basicConfig(handlers=[handler], level=os.environ.get("LOGLEVEL", "INFO").upper())


def adapt_sdk_logging() -> None:
    """Shorten the lines of the SDK's console handler and hide its noise. Handlers of a runner keep their format."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(SdkNoiseFilter())
        handler.addFilter(PrintableFilter())
        if isinstance(handler.formatter, SdkConsoleFormatter):
            handler.setFormatter(ConsoleFormatter())
