"""What our own tap emits, sent back, also by way of a warehouse: nothing may be written."""

from __future__ import annotations

import json

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap as run_own_tap
from tests.works_with.environments import prepare_environment
from tests.works_with.loaders import TARGET_POSTGRES, Destination
from tests.works_with.stores import SCHEMA

from .account import CUSTOMERS
from .databases import POSTGRES, tap_postgres
from .source import Office, Source

STREAMS = [resource.name for resource in WRITABLE.values() if not resource.write_spec.target_resource]


def _emit(_: Office) -> str:
    with Sandbox(customers=CUSTOMERS) as sandbox:  # every account of this size has the same rows
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
        return run_own_tap(config, *STREAMS).stdout


def _emit_through_warehouse(office: Office) -> str:
    messages, config = office.folder / "own.singer", office.folder / "loader.json"
    messages.write_text(_emit(office), "utf-8")
    database = office.postgres.create_database(office.folder.name, "UTC")
    config.write_text(json.dumps(TARGET_POSTGRES.settings(Destination(office.folder, database))))
    command = (*TARGET_POSTGRES.command, "--config", str(config))
    environment = prepare_environment(TARGET_POSTGRES.name, TARGET_POSTGRES.packages, office.environment.folder.parent)
    loaded = environment.run(command, stdin=messages, variables=TARGET_POSTGRES.variables)
    assert loaded.returncode == 0, loaded.stderr
    return tap_postgres(office, database, SCHEMA)


OWN = Source(
    name="tap-fieldpulse",
    about="what the tap emits of the account, sent back",
    packages=(),
    emit=_emit,
    settings={},
    rows={},
)
WAREHOUSE = Source(
    name="tap-fieldpulse-through-postgres",
    about=f"the same, loaded into PostgreSQL by {TARGET_POSTGRES.packages[0]}, and read from there",
    packages=POSTGRES.packages,
    emit=_emit_through_warehouse,
    settings={"stream_maps": {f"{SCHEMA}-{stream}": {"__alias__": stream} for stream in STREAMS}},
    rows={},
)
