"""The command `fieldpulse-sandbox poke`: change or delete a row of a running sandbox by hand.

It plays the people in the office: they rename a pipeline status or deactivate a user, which the API does not allow.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from fieldpulse_api.resources.catalogue import BY_NAME

from .terminal import OneLineParser, one_line

PATH = "/sandbox/rows/{name}/{row_id}"
_TIMEOUT_SECONDS = 10


def main(arguments: Sequence[str]) -> int:
    """Send one change to a running sandbox, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if bool(options.values) == options.delete:
        parser.error("give COLUMN=VALUE, or --delete")
    body = None if options.delete else json.dumps(dict(map(_cell, options.values))).encode()
    request = Request(  # noqa: S310  the URL is the user's own sandbox
        options.url.rstrip("/") + PATH.format(name=options.resource, row_id=options.id),
        data=body,
        method="DELETE" if options.delete else "PUT",
        headers={"x-api-key": options.api_key, "content-type": "application/json"},
    )
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310  as above
            return 0
    except HTTPError as error:
        problem = "there is no such row" if error.code == 404 else f"status {error.code}"  # noqa: PLR2004  not found
    except (URLError, ValueError) as error:
        problem = f"no sandbox responds ({getattr(error, 'reason', error)})"
    where = f"{options.resource} {options.id} at {options.url}"
    print(one_line(f"fieldpulse-sandbox poke: {where}: {problem}"), file=sys.stderr)
    return 1


def _cell(text: str) -> tuple[str, Any]:
    """Return a column and its value: JSON where the text is JSON, else the text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = OneLineParser(prog="fieldpulse-sandbox poke", description=__doc__)
    parser.add_argument("resource", choices=sorted(BY_NAME), metavar="STREAM", help="stream of the row")
    parser.add_argument("id", type=int, help="id of the row")
    parser.add_argument("values", nargs="*", metavar="COLUMN=VALUE", help="new values: JSON, or text")
    parser.add_argument("--delete", action="store_true", help="delete the row")
    parser.add_argument("--url", default="http://127.0.0.1:8787", help="the sandbox (default: %(default)s)")
    parser.add_argument("--api-key", default="sandbox-key", help="its API key (default: %(default)s)")
    return parser
