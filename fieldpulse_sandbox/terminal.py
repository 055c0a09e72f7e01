"""What the commands write on a terminal: errors on one line, nothing that steers it, no API key typed by mistake."""

from __future__ import annotations

import argparse
from typing import NoReturn

from typing_extensions import override

from fieldpulse_api.errors import without_likely_keys


class OneLineParser(argparse.ArgumentParser):
    """A parser that prints an error on one line, without the usage."""

    @override
    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {one_line(message)}\n")


def one_line(message: str) -> str:
    """Return a message without what may be an API key, on one line."""
    return printable(without_likely_keys(message))


def printable(text: str) -> str:
    """Return a text in which everything is escaped that is not printable."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
