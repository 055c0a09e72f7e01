"""The command `fieldpulse-sandbox`: a FieldPulse account on a local port."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from . import poke
from .behaviour.account_profile import office_names_like
from .behaviour.profiles import ABOUT, LIVE, PROFILES
from .behaviour.switches import Behaviour
from .data.store import Store
from .faults.fault import KINDS, Fault
from .faults.fault_queue import FaultQueue
from .faults.random_faults import RandomFaults
from .options import (
    InvalidOption,
    account_profile_from,
    behaviour_from,
    described_options,
    fault_from,
    random_faults_from,
)
from .schema.table_shapes import COMPANY_ID
from .seed import build_account
from .seed.draft import Rows
from .server.recorded_request import RecordedRequest
from .server.webhook_sender import WebhookSender
from .terminal import OneLineParser, one_line, printable

PROGRAM = "fieldpulse-sandbox"
NOTICE = f"{PROGRAM}: a simulation of the FieldPulse API, not the API. All data is invented."
PRINTABLE_ASCII = re.compile("[!-~]+")
"""Characters of a URL; others must be percent-encoded."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve an account until SIGINT or SIGTERM; print each request on one line, never its body."""
    # Started with them closed, as by `>&-`.
    sys.stdout, sys.stderr = sys.stdout or _null_stream(), sys.stderr or _null_stream()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["poke"]:
        return poke.main(words[1:])
    parser = _parser()
    options = parser.parse_args(words)
    try:
        like = account_profile_from(options.like) if options.like else {}
        behaviour = behaviour_from(options.profile, options.behaviour, options.set, like)
        random_faults = random_faults_from(
            {option.name: getattr(options, f"fault_{option.name}") for option in described_options(RandomFaults)}
        )
        faults = FaultQueue([fault_from(text) for text in options.fault], random_faults)
    except InvalidOption as error:
        parser.error(str(error))
    return _serve(parser, options, _build_store(options, office_names_like(like)), behaviour, faults)


def _serve(
    parser: argparse.ArgumentParser, options: argparse.Namespace, store: Store, behaviour: Behaviour, faults: FaultQueue
) -> int:
    try:
        from .server.app import create_app  # noqa: PLC0415  the extra `sandbox` may be missing
        from .server.uvicorn_server import UvicornServer, listen  # noqa: PLC0415  as above
    except ModuleNotFoundError as error:
        parser.error(f"{error.name} is not installed; run: pip install 'singer-fieldpulse[sandbox]'")
    app = create_app(
        store,
        behaviour=behaviour,
        faults=faults,
        api_key=lambda: options.api_key,
        rate_limit=options.rate_limit,
        latency_ms=options.latency_ms,
        on_response=lambda request: None if options.quiet else _print(request),
    )
    try:
        sock = listen(options.host, options.port)
    except OSError as error:
        print(one_line(f"{PROGRAM}: cannot listen on {options.host}:{options.port}: {error.strerror}"), file=sys.stderr)
        return 1
    line = f"{NOTICE} url=http://{options.host}:{sock.getsockname()[1]} key={options.api_key}"
    webhook_sender = WebhookSender(store, behaviour, options.webhook_url) if options.webhook_url else None
    if webhook_sender:
        webhook_sender.start()
    UvicornServer(app, sock, lambda: print(line, flush=True)).serve_forever()
    if webhook_sender:
        webhook_sender.close()
    return 0


def _build_store(options: argparse.Namespace, office_names: Rows) -> Store:
    """Build the account without the garbage collector, which would scan all rows again and again."""
    gc.disable()
    store = Store(build_account(options.customers, options.seed, options.users, options.company_id, office_names))
    gc.freeze()
    gc.enable()
    return store


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Run a local FieldPulse account with invented data behind a simulation of the API. "
        "`fieldpulse-sandbox poke --help`: change a row of a running sandbox.",
        epilog=_reference(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8787, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    parser.add_argument("--api-key", default="sandbox-key", help="the only accepted API key (default: %(default)s)")
    parser.add_argument("--customers", type=int, default=200, help="number of customers (default: %(default)s)")
    parser.add_argument(
        "--company-id", type=int, default=COMPANY_ID, help="id of the company, to tell two accounts apart"
    )
    parser.add_argument(
        "--users", type=int, default=12, help="number of users; a large account has 377 (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same account (default: %(default)s)"
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="milliseconds that each response takes")
    parser.add_argument(
        "--rate-limit", type=int, default=50, help="requests per second; 0: no limit (default: %(default)s)"
    )
    parser.add_argument(
        "--profile", default=LIVE, help=f"behaviour of the API: {', '.join(PROFILES)} (default: %(default)s)"
    )
    parser.add_argument(
        "--behaviour", metavar="FILE", help="JSON object of switches; they take precedence over the profile"
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FILE",
        help="an account profile that `fieldpulse doctor` wrote: behave as that account does, where it is known",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a switch; it takes precedence over file and profile; repeatable",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND,NAME=VALUE,...",
        help="queue a fault for the next matching requests; repeatable",
    )
    for option in described_options(RandomFaults):
        flag = f"--fault-{option.name}"
        parser.add_argument(flag, metavar=option.name.upper(), help=f"random faults: {_plain(option.description)}")
    parser.add_argument("--webhook-url", type=_webhook_url, metavar="URL", help="post webhooks to this URL")
    parser.add_argument("--quiet", action="store_true", help="do not print the requests")
    return parser


def _webhook_url(text: str) -> str:
    try:
        url = urlsplit(text)
        is_valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # the port is not a number
        is_valid = False
    if not is_valid or not PRINTABLE_ASCII.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an http or https URL in plain ASCII")
    return text


def _reference() -> str:
    """Return the profiles, switches, fault options and kinds of faults, for the end of the help text."""
    lines = ["profiles:", *(f"  {name:24} {about}" for name, about in ABOUT.items())]
    for title, options in (("switches:", Behaviour), ("fault options:", Fault)):
        lines += ["", title]
        for option in described_options(options):
            lines.append(f"  {option.name:24} {_plain(option.description)}")
            lines.append(f"  {'':24} values: {option.values}; default: {option.default}")
    return "\n".join([*lines, "", "kinds of faults:", *(f"  {kind:24} {_plain(text)}" for kind, text in KINDS.items())])


def _null_stream() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _print(request: RecordedRequest) -> None:
    path = f"{request.path}?{request.query_string}" if request.query_string else request.path
    status = "dropped" if request.status is None else request.status
    fault = f" ({request.fault})" if request.fault else ""
    print(printable(f"{request.method} {path} {status} {request.seconds * 1000:.1f} ms{fault}"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
