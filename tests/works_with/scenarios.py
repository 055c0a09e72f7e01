"""The scenarios: one or more runs of the tap on an account of the sandbox, each of which leaves a message file.

The tap is a black box here. The second file of a scenario is that of a run with the state of the first, after a change
of the account.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.behaviour.profiles import LIVE, profile_of
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import run_tap

Change = Callable[[Sandbox], None]
SEED = 7
_NUMBER, _DATE = 2, 3
"""Widgets of custom fields."""
NUL_TEXT = "nul \0 inside"
UNUSUAL_TEXTS = (
    "\\N",
    "NULL",
    "null",
    "''",
    '""',
    '"quoted", with a comma',
    "back\\slash\\",
    "tab\tand line\nfeed",
    "carriage\r\nreturn",
    " spaces around ",
    "emoji 🔧, 漢字, עברית, e\u0301",
    "{not json}",
    "\\x41 \\u0041 %s $1 {}",
    "line separator \u2028 and control \x01",
    "long " * 10_000,
)


@dataclass(frozen=True)
class Scenario:
    """What the tap reads and how. It runs once after `before`, and once after each of `changes`.

    `zone` is the time zone of the database's sessions and of the loader's process.
    """

    name: str
    about: str
    before: Change | None = None
    changes: tuple[Change, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: str = LIVE
    switches: Mapping[str, Any] = field(default_factory=dict)
    has_events: bool = False
    zone: str = "UTC"

    def produce(self, folder: Path, customers: int) -> list[Path]:
        """Run the tap on an account of this size, and return its message files in their order."""
        behaviour = profile_of(self.profile, **self.switches)
        with Sandbox(customers=customers, seed=SEED, behaviour=behaviour) as sandbox:
            return list(self._runs(sandbox, folder))

    def _runs(self, sandbox: Sandbox, folder: Path) -> Iterator[Path]:
        folder.mkdir(parents=True)
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
        config |= {"snapshot_url": f"sqlite:///{folder}/snapshot.db", **self.settings}
        state = None
        for number, change in enumerate((self.before, *self.changes), start=1):
            if change:
                change(sandbox)
            streams = _with_events(config) if self.has_events else ()
            result = run_tap(config, *streams, state=state)
            state = result.state
            path = folder / f"{number}.singer"
            path.write_text(result.stdout, "utf-8")
            yield path


def _with_events(config: Mapping[str, Any]) -> list[str]:
    """Return every stream but the one that needs a receiver of webhooks."""
    catalog = json.loads(TapFieldPulse(config=dict(config)).catalog_json_text)
    return [entry["stream"] for entry in catalog["streams"] if entry["stream"] != "webhook_events"]


def _ids(sandbox: Sandbox, name: str, count: int) -> list[int]:
    return [row["id"] for row in sandbox.rows(name)[:count]]


def change_rows(sandbox: Sandbox) -> None:
    """Change ten rows and create another."""
    for row_id in _ids(sandbox, "jobs", 5):
        sandbox.store.update("jobs", row_id, {"subtitle": "Rescheduled by phone"})
    for row_id in _ids(sandbox, "customers", 3):
        sandbox.store.update("customers", row_id, {"notes": "Called back"})
    for row_id in _ids(sandbox, "payments", 2):
        sandbox.store.update("payments", row_id, {"amount": "1234.57"})
    sandbox.store.create("customers", {"first_name": "Juniper", "last_name": "Sample", "status": "lead"})


def delete_rows(sandbox: Sandbox) -> None:
    """Delete three jobs, a payment and a customer."""
    for name, count in (("jobs", 3), ("payments", 1), ("customers", 1)):
        for row_id in _ids(sandbox, name, count):
            sandbox.store.delete(name, row_id)


def change_custom_fields(sandbox: Sandbox) -> None:
    """Add a custom field of customers with a value, and rename another, of which the office then sets a value."""
    old = sandbox.rows("custom_fields")[0]
    sandbox.store.update("custom_fields", old["id"], {"name": "Code of the gate"})
    copied = {name: value for name, value in old.items() if name not in ("id", "created_at", "updated_at")}
    new = sandbox.store.create("custom_fields", copied | {"name": "Dogs", "field_widget_id": _NUMBER, "settings": None})
    for row_id, definition_id, value in zip(_ids(sandbox, "customers", 2), (new["id"], old["id"]), "27", strict=True):
        _set_custom_value(sandbox, row_id, definition_id, value)


def write_misfits(sandbox: Sandbox) -> None:
    """Write values that do not fit their types: text as an integer, money, a custom number and date; a NUL in a note.

    The first row and a later one have each, because some loaders read the first row of a batch in another way.
    """
    fields = sandbox.rows("custom_fields")
    for row_id in _ids(sandbox, "customers", 3)[::2]:
        sandbox.store.update("customers", row_id, {"parent_id": "n/a", "notes": NUL_TEXT})
        for widget, value in ((_NUMBER, "a few"), (_DATE, "next spring")):
            definition = next(row for row in fields if row["field_widget_id"] == widget and row["object"] == "customer")
            _set_custom_value(sandbox, row_id, definition["id"], value)
    for row_id in _ids(sandbox, "payments", 3)[::2]:
        sandbox.store.update("payments", row_id, {"amount": "ten", "payment_date": "soon"})
    for row_id in _ids(sandbox, "jobs", 3)[::2]:
        sandbox.store.update("jobs", row_id, {"is_multiday_job": "perhaps", "tags": "none"})


def write_unusual_values(sandbox: Sandbox) -> None:
    """Write values that fit, and that loaders have been seen to change: texts, amounts, large ids, far times."""
    text_field = sandbox.rows("custom_fields")[0]["id"]
    for row_id, text in zip(_ids(sandbox, "customers", len(UNUSUAL_TEXTS)), UNUSUAL_TEXTS, strict=True):
        sandbox.store.update("customers", row_id, {"notes": text, "tags": [1, 2]})
        _set_custom_value(sandbox, row_id, text_field, text)
    amounts = ("0.00", "-0.01", "99999999999999999.99", "1e3", "0.123456789")
    for row_id, amount in zip(_ids(sandbox, "payments", len(amounts)), amounts, strict=True):
        sandbox.store.update("payments", row_id, {"amount": amount})
    for row_id, value in zip(_ids(sandbox, "jobs", 3), ("1970-01-01", "9999-12-31", "2026-03-08"), strict=True):
        sandbox.store.update("jobs", row_id, {"due_date": f"{value} 02:30:00", "import_id": 9_007_199_254_740_993})


def write_nuls(sandbox: Sandbox) -> None:
    """Write NUL characters, which PostgreSQL cannot store, into a text, an object and an array."""
    (row_id,) = _ids(sandbox, "customers", 1)
    sandbox.store.update("customers", row_id, {"notes": NUL_TEXT})
    _set_custom_value(sandbox, row_id, sandbox.rows("custom_fields")[0]["id"], NUL_TEXT)


def _set_custom_value(sandbox: Sandbox, row_id: int, definition_id: int, value: str) -> None:
    row = sandbox.store.get("customers", row_id)
    others = [entry for entry in row["customfields"] if entry["field_instance_id"] != definition_id]
    entry = {
        "id": sandbox.store.next_element_id(),
        "company_id": row["company_id"],
        "field_instance_id": definition_id,
        "customer_id": row_id,
        "value": value,
    }
    stamps = {"created_at": sandbox.store.now(), "updated_at": sandbox.store.now()}
    sandbox.store.update("customers", row_id, {"customfields": [*others, entry | stamps]})


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("full", "all streams"),
        Scenario("incremental", "then a second run after 11 changes", changes=(change_rows,)),
        Scenario(
            "deletes",
            "`detect_deletes` and `change_events`; then three jobs, a payment and a customer are deleted",
            changes=(delete_rows,),
            settings={"detect_deletes": True},
            has_events=True,
        ),
        Scenario("custom-field", "then a custom field is added and another renamed", changes=(change_custom_fields,)),
        Scenario("unusual", "texts, amounts and times that fit and are unusual", before=write_unusual_values),
        Scenario("nul", "NUL characters in a text, an object and an array", before=write_nuls),
        Scenario("misfits", "values that do not fit their types, and NUL in a text", before=write_misfits),
        Scenario("unknown", "rows have columns that the catalogue lacks", switches={"unknown_columns": True}),
        Scenario(
            "flattened",
            "`flattening_enabled`, depth 1",
            settings={"flattening_enabled": True, "flattening_max_depth": 1},
        ),
        Scenario("empty", "`start_date` now: no rows", settings={"start_date": datetime.now(timezone.utc).isoformat()}),
        Scenario(
            "zone",
            "`incremental`, with database and loader in New York",
            changes=(change_rows,),
            zone="America/New_York",
        ),
        Scenario("hostile", "the sandbox's worst account", profile="hostile"),
    )
}
