"""The command `fieldpulse-sandbox`: a FieldPulse account on a port of this machine."""

from __future__ import annotations

import argparse
import gc
import re
import sys
from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from typing_extensions import override

from fieldpulse_sandbox.behaviour.profiles import ABOUT, LIVE, PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.faults.fault import KINDS, Fault
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.server.app import create_app
from fieldpulse_sandbox.server.gateway import RecordedRequest
from fieldpulse_sandbox.server.uvicorn_server import UvicornServer, listen
from fieldpulse_sandbox.server.webhook_sender import WebhookSender

from .options import InvalidOption, behaviour_from, chaos_from, described, fault_from
from .seed import build_account

BELIEF = "fieldpulse-sandbox: this is what we believe of the FieldPulse API, not the API. All data are invented."
PLAIN = re.compile("[!-~]+")
"""What can be sent as the address of a request; other characters must be percent-encoded."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve an account until SIGINT or SIGTERM; print each request on one line, never its body."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        behaviour = behaviour_from(options.profile, options.behaviour, options.set)
        chaos = chaos_from({name: getattr(options, f"fault_{name}") for name, *_ in described(RandomFaults)})
        faults = FaultQueue([fault_from(text) for text in options.fault], chaos)
    except InvalidOption as why:
        parser.error(str(why))
    store = _store(options.customers, options.seed)
    app = create_app(
        store,
        behaviour=behaviour,
        faults=faults,
        api_key=lambda: options.api_key,
        rate_limit=options.rate_limit,
        latency_ms=options.latency_ms,
        on_response=_ignore if options.quiet else _print,
    )
    try:
        sock = listen(options.host, options.port)
    except OSError as why:
        print(f"fieldpulse-sandbox: cannot listen on {options.host}:{options.port}: {why.strerror}", file=sys.stderr)
        return 1
    line = f"{BELIEF} url=http://{options.host}:{sock.getsockname()[1]} key={options.api_key}"
    deliveries = WebhookSender(store, behaviour, options.webhook_url) if options.webhook_url else None
    if deliveries:
        deliveries.start()
    UvicornServer(app, sock, lambda: print(line, flush=True)).serve_forever()
    if deliveries:
        deliveries.close()
    return 0


def _store(customers: int, seed: int) -> Store:
    """Build the account without the garbage collector, which would look through every row again and again."""
    gc.disable()
    store = Store(build_account(customers, seed))
    gc.freeze()
    gc.enable()
    return store


class OneLineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    @override
    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="fieldpulse-sandbox",
        description="A FieldPulse account on this machine.",
        epilog=_manual(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8787, help="port to listen on; 0 is any free one")
    parser.add_argument("--api-key", default="sandbox-key", help="the one key that is accepted")
    parser.add_argument("--customers", type=int, default=200, help="size of the account")
    parser.add_argument("--seed", type=int, default=1, help="which account; the same seed gives the same one")
    parser.add_argument("--latency-ms", type=float, default=0, help="milliseconds that each answer takes")
    parser.add_argument("--rate-limit", type=int, default=50, help="requests per second; 0 is no limit")
    parser.add_argument("--profile", default=LIVE, help=f"how the API behaves: {', '.join(PROFILES)}")
    parser.add_argument("--behaviour", metavar="FILE", help="a JSON object of switches, which go over the profile")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a switch, over both; may come often"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND,NAME=VALUE,...", help="a fault that waits; may come often"
    )
    for name, _, _, about in described(RandomFaults):
        parser.add_argument(f"--fault-{name}", metavar=name.upper(), help=f"faults by chance: {about}")
    parser.add_argument("--webhook-url", type=_address, metavar="URL", help="where webhooks are posted")
    parser.add_argument("--quiet", action="store_true", help="do not print the requests")
    return parser


def _address(text: str) -> str:
    """Return a URL that webhooks can be posted to."""
    try:
        parts = urlsplit(text)
        is_fit = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and PLAIN.fullmatch(text)
        )
    except ValueError:  # a port that is none
        is_fit = False
    if not is_fit:
        raise argparse.ArgumentTypeError(f"{text!r} is no http or https address in plain ASCII")
    return text


def _manual() -> str:
    """Return what can be switched and what can go wrong, behind the options."""
    parts = ["profiles:", *(f"  {name:24} {about}" for name, about in ABOUT.items())]
    for title, options in (("switches:", Behaviour), ("options of a fault:", Fault)):
        parts += ["", title]
        for name, values, default, about in described(options):
            parts.append(f"  {name:24} {about.replace('`', '')}")
            parts.append(f"  {'':24} {values}; default {default}" if default else f"  {'':24} see below")
    return "\n".join([*parts, "", "kinds of faults:", *(f"  {kind:24} {about}" for kind, about in KINDS.items())])


def _print(request: RecordedRequest) -> None:
    path = f"{request.path}?{request.query_string}" if request.query_string else request.path
    status = "dropped" if request.status is None else request.status
    fault = f" ({request.fault})" if request.fault else ""
    print(f"{request.method} {path} {status} {request.seconds * 1000:.1f} ms{fault}", flush=True)


def _ignore(request: RecordedRequest) -> None:
    """Print nothing."""


if __name__ == "__main__":
    sys.exit(main())
