"""A tap in front of a vendor's API that answers from a file: `python vendor_api.py ANSWERS MODULE:FUNCTION ARGUMENT …`.

It runs in the tap's environment, and replaces the server only: discovery, schemas, paging and transformation are the
tap's own. ANSWERS is a JSON object. Its keys are patterns of paths with queries, its values are bodies; the first
pattern that matches counts. Exit status 1: a request that no pattern matches.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

import requests
from requests.adapters import HTTPAdapter

HEADERS = {"Content-Type": "application/json", "Sforce-Limit-Info": "api-usage=1/15000"}


def main() -> None:
    """Run the tap's own entry point."""
    answers, entry_point, *arguments = sys.argv[1:]
    module, _, function = entry_point.partition(":")
    bodies = json.loads(Path(answers).read_text("utf-8"))

    def body_of(url: str) -> object:
        parts = urlsplit(url)
        wanted = unquote_plus(f"{parts.path}?{parts.query}")
        found = next((body for pattern, body in bodies.items() if fnmatchcase(wanted, pattern)), None)
        if found is None:
            raise SystemExit(f"no answer for {wanted}")
        return found

    def send(_: HTTPAdapter, request: requests.PreparedRequest, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response.headers.update(HEADERS)
        response._content = json.dumps(body_of(response.url)).encode()
        return response

    HTTPAdapter.send = send  # type: ignore[method-assign]
    replace_aiohttp(body_of)
    sys.argv = [module, *arguments]
    attrgetter(function)(importlib.import_module(module))()


def replace_aiohttp(body_of) -> None:
    """Do the same for taps that use aiohttp as well."""
    try:
        aiohttp = importlib.import_module("aiohttp")
    except ImportError:
        return

    class Answer:
        status = 200

        def __init__(self, body: object) -> None:
            self.body = body

        async def json(self) -> object:
            return self.body

    @asynccontextmanager
    async def get(_: object, url: str, **__: object):
        yield Answer(body_of(url))

    aiohttp.ClientSession.get = get


if __name__ == "__main__":
    main()
