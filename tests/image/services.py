"""The services of `deploy/compose.yaml`: two syncs, `fieldpulse doctor`, the page, webhooks and events."""

from __future__ import annotations

import json
import re
import signal
from base64 import b64encode
from collections.abc import Iterator

import httpx
import yaml

from fieldpulse_sandbox.server.webhook_sender import WebhookSender
from tests.accounts.checks import wrong_rows
from tests.accounts.engine import free_port, wait_for

from .machine import Machine
from .podman import ROOT, Container, remove

ACCOUNT = "central"
_TOKEN = "token-of-the-webhooks-of-the-central-account"
_VOLUME = "fieldpulse-check-output"
_SERVICES = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]


class Services:
    """The services, on the account `central`. Ports of this machine stand in for those that Compose publishes."""

    def __init__(self, machine: Machine, image: str) -> None:
        """Write the file `.env`."""
        self._machine, self._image = machine, image
        self._variables = machine.variables | {
            "POSTGRES_PASSWORD": machine.password,
            "TAP_FIELDPULSE_API_KEY": machine.server.accounts[ACCOUNT].key,
            "TAP_FIELDPULSE_WEBHOOK_TOKEN": _TOKEN,
            "TAP_FIELDPULSE_PUSH_SECRET": "whsec_" + b64encode(b"for the events of this account").decode(),
            "EVENTS_URL": "https://127.0.0.1:1/",  # the first poll pushes nothing
        }
        self._env_file = machine.write_variables("compose.env", self._variables)

    def start(self, name: str, *command: str, port: int = 0) -> Container:
        """Start a service, with another command or port if that is given."""
        service = _SERVICES[name]
        variables = {key: self._interpolated(value) for key, value in service["environment"].items()}
        volumes = [f"{_VOLUME}:{path}" for path in (each.split(":")[1] for each in service["volumes"])]
        options = [
            "--add-host=postgres:127.0.0.1",
            f"--env-file={self._env_file}",
            *(f"--env={key}={value}" for key, value in variables.items()),
            *(f"--volume={volume}" for volume in volumes),
            *(f"--cap-drop={capability}" for capability in service["cap_drop"]),
            *(f"--security-opt={option}" for option in service["security_opt"]),
            *(f"--ulimit={limit}={number}" for limit, number in service.get("ulimits", {}).items()),
        ]
        arguments = [self._interpolated(each) for each in command or service.get("command", ())]
        arguments += ["--port", str(port)] if port else []
        return self._machine.start(name, self._image, options, arguments)

    def problems_of_the_end(self, name: str, container: Container) -> Iterator[str]:
        """Stop a service as `docker stop` does. Yield what is wrong with its end."""
        container.stop(int(_SERVICES[name]["stop_grace_period"].removesuffix("s")))
        yield from container.problems(128 + signal.SIGTERM)

    def _interpolated(self, text: str) -> str:
        return re.sub(r"\$\{(\w+):[^}]*\}", lambda match: self._variables.get(match[1], ""), text)


def check_services(machine: Machine, images: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with the services."""
    services = Services(machine, images["meltano"])
    try:
        yield from Services(machine, images["plugins"]).start("sync", "fieldpulse", "doctor").problems(0)
        yield from _check_syncs(machine, services)
        yield from _check_page(services)
        yield from _check_webhooks(machine, services)
        yield from _check_events(services)
    finally:
        remove(_VOLUME)


def _check_syncs(machine: Machine, services: Services) -> Iterator[str]:
    """Run the job twice. The second run must find nothing new."""
    account = machine.server.accounts[ACCOUNT]
    for _ in range(2):
        yield from services.start("sync").problems(0)
        yield from wrong_rows(machine.rows, "fieldpulse", account)
    history = services.start("sync", "fieldpulse", "runs", "--json")
    yield from history.problems(0)
    stores = machine.rows(
        "select tablename from pg_tables where schemaname = 'fieldpulse' and tablename ~ '^fieldpulse'"
    )
    yield from (f"the store {name} is in the schema of the warehouse" for (name,) in stores)
    second, first = json.loads(history.output)["runs"]
    records = [{stream["name"]: stream["records"] for stream in run["streams"]} for run in (first, second)]
    print(f"   records: {sum(records[0].values())}, then {sum(records[1].values())}", flush=True)
    if (records[0]["customers"], records[1]["customers"]) != (len(account.rows("customers")), 1):
        yield f"customers: {records[0]['customers']} and then {records[1]['customers']}, not all and then the newest"


def _check_page(services: Services) -> Iterator[str]:
    """Open the page of the runs by the address that it prints, and without the token."""
    port = free_port()
    container = services.start("page", port=port)
    found = wait_for("the page", lambda: re.search(r"\?token=\S+", container.output), 60)
    page = httpx.get(f"http://127.0.0.1:{port}/{found[0]}", follow_redirects=True)
    if page.status_code != 200 or "tap-fieldpulse" not in page.text:
        yield f"the page: HTTP {page.status_code}"
    if (without := httpx.get(f"http://127.0.0.1:{port}/")).status_code != 403:
        yield f"the page without its token: HTTP {without.status_code}"
    yield from services.problems_of_the_end("page", container)


def _check_webhooks(machine: Machine, services: Services) -> Iterator[str]:
    """Let the account post an event. It must be in PostgreSQL."""
    port = free_port()
    container = services.start("webhooks", port=port)
    wait_for("the receiver", lambda: "listening" in container.output, 60)
    account = machine.server.accounts[ACCOUNT]
    sender = WebhookSender(account.store, account.behaviour, f"http://127.0.0.1:{port}/{_TOKEN}")
    sender.start()
    account.store.create("invoices", {"title": "New", "customer_id": account.rows("customers")[0]["id"]})
    sender.flush()
    sender.close()
    if machine.rows("select event from public.fieldpulse_deliveries_1") != [("invoice_created",)]:
        yield f"the receiver of webhooks has not stored the event: {container.output}"
    yield from services.problems_of_the_end("webhooks", container)


def _check_events(services: Services) -> Iterator[str]:
    """Let the first poll store what is there."""
    container = services.start("events")
    wait_for("the first poll", lambda: " jobs: records=" in container.output, 60)
    yield from services.problems_of_the_end("events", container)
