"""The command `fieldpulse-sandbox`: a FieldPulse account on a port of this machine."""

from __future__ import annotations

import argparse
import gc
import sys
from typing import TYPE_CHECKING

from .app import create_app
from .seed import build_account
from .server import Server, listen
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .gateway import Request

BELIEF = "fieldpulse-sandbox: this is what we believe of the FieldPulse API, not the API. All data are invented."


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve an account until SIGINT or SIGTERM; print each request on one line, never its body."""
    options = _parser().parse_args(arguments)
    store = _store(options.customers, options.seed)
    app = create_app(
        store,
        api_key=lambda: options.api_key,
        rate_limit=options.rate_limit,
        latency_ms=options.latency_ms,
        answered=_ignore if options.quiet else _print,
    )
    try:
        sock = listen(options.host, options.port)
    except OSError as why:
        print(f"fieldpulse-sandbox: cannot listen on {options.host}:{options.port}: {why.strerror}", file=sys.stderr)
        return 1
    line = f"{BELIEF} url=http://{options.host}:{sock.getsockname()[1]} key={options.api_key}"
    Server(app, sock, lambda: print(line, flush=True)).serve_forever()
    return 0


def _store(customers: int, seed: int) -> Store:
    """Build the account without the garbage collector, which would look through every row again and again."""
    gc.disable()
    store = Store(build_account(customers, seed))
    gc.freeze()
    gc.enable()
    return store


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldpulse-sandbox", description="A FieldPulse account on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8787, help="port to listen on; 0 is any free one")
    parser.add_argument("--api-key", default="sandbox-key", help="the one key that is accepted")
    parser.add_argument("--customers", type=int, default=200, help="size of the account")
    parser.add_argument("--seed", type=int, default=1, help="which account; the same seed gives the same one")
    parser.add_argument("--latency-ms", type=float, default=0, help="milliseconds that each answer takes")
    parser.add_argument("--rate-limit", type=int, default=50, help="requests per second; 0 is no limit")
    parser.add_argument("--quiet", action="store_true", help="do not print the requests")
    return parser


def _print(request: Request) -> None:
    path = f"{request.path}?{request.query_string}" if request.query_string else request.path
    status = "dropped" if request.status is None else request.status
    print(f"{request.method} {path} {status} {request.seconds * 1000:.1f} ms", flush=True)


def _ignore(request: Request) -> None:
    """Print nothing."""


if __name__ == "__main__":
    sys.exit(main())
