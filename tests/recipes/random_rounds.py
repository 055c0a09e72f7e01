"""Rounds of a two-way sync of three streams: both sides change rows at random, and the target is killed on the way."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import httpx

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import plugin_command
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target

from .project import write_count

ROUNDS = 10
KILLED_IN = (3, 6)
"""The rounds in which the target is killed while FieldPulse carries out its second write."""
FIELDS = {
    "customers": ("first_name", "notes"),
    "jobs": ("customer_external_id", "job_type", "notes"),
    "projects": ("customer_external_id", "name", "notes"),
}
OBJECTS = {"customers": "customer", "jobs": "job", "projects": "project"}
OTHER_COLUMNS = {"customers": "next_steps", "jobs": "subtitle", "projects": "description"}
KEY_FIELD = "CRM key"
_SHARE_OF_EARLY_EDITS = 0.7  # before the target writes; the others come between target and tap
Key = tuple[str, str]


class RandomRounds:
    """A CRM in memory, and an account. `edited` are the rows that people changed since the tap last read."""

    def __init__(self, sandbox: Sandbox, folder: Path, seed: int) -> None:
        self.sandbox, self._folder, self._random = sandbox, folder, Random(seed)
        base = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "history_days": 0}
        ledger_url = f"sqlite:///{folder}/ledger.db"
        self._target = {
            **base,
            "ledger_url": ledger_url,
            "rejects_path": str(folder / "rejects.singer"),
            "external_id_fields": dict.fromkeys(FIELDS, KEY_FIELD),
            "trust_ids": True,
            "match": {stream: [] for stream in FIELDS},
            "uncertain_create_timeout_seconds": 0.3,
        }
        self._tap = {**base, "snapshot_url": f"sqlite:///{folder}/snapshot.db", "skip_written_by": ledger_url}
        self._state: Any = None
        self._contacts: dict[str, dict[str, dict[str, Any]]] = {stream: {} for stream in FIELDS}
        self._edited: set[Key] = set()
        self._number = 0
        self._office = httpx.Client(base_url=sandbox.url, headers={"x-api-key": sandbox.key}, timeout=60)
        for kind in OBJECTS.values():
            self._save("post", "/custom-fields", name=KEY_FIELD, object=kind, field_widget_id=1)

    def run(self) -> None:
        """Run the rounds. Raises: AssertionError for an echo, a lost edit, a doubled row, or sides that differ."""
        self._edit_crm()
        self._push()
        self._pull(is_first=True)
        self._push()  # the CRM's keys, into rows that came from FieldPulse
        self._pull()
        for number in range(ROUNDS):
            self._edit_crm()
            is_early = self._random.random() < _SHARE_OF_EARLY_EDITS
            if is_early:
                self._edit_fieldpulse()
            self._push(is_killed=number in KILLED_IN)
            if not is_early:
                self._edit_fieldpulse()
            self._pull(is_after_kill=number in KILLED_IN)
            self._push()  # the CRM confirms what it got; later, that would overwrite what people change until then
        self._pull()
        writes = write_count(self.sandbox)
        self._push()
        assert write_count(self.sandbox) == writes, "both sides were in step, and something was written"
        self._compare()

    def close(self) -> None:
        """Close the connection of the office."""
        self._office.close()

    def _edit_crm(self) -> None:
        """Change two rows, and add one to each list."""
        for stream in self._random.choices(list(FIELDS), k=2):
            if keys := sorted(key for key in self._contacts[stream] if (stream, key) not in self._edited):
                self._contacts[stream][self._random.choice(keys)]["notes"] = self._text()
        customer = self._text("C")
        self._contacts["customers"][customer] = {"first_name": self._text(), "notes": None, "id": None}
        for stream, name in (("jobs", "job_type"), ("projects", "name")):
            values = {"customer_external_id": customer, name: self._text(), "notes": None, "id": None}
            self._contacts[stream][self._text("K")] = values

    def _edit_fieldpulse(self) -> None:
        """Change a row of each list, also one that the CRM has just changed in another column, and add a customer."""
        for stream in FIELDS:
            row = self._random.choice([row for row in self.sandbox.rows(stream) if self._crm_key(stream, row)])
            key = self._crm_key(stream, row) or ""
            is_free = self._contacts[stream][key]["notes"] == row["notes"]  # the CRM did not just change it
            column = "notes" if is_free else OTHER_COLUMNS[stream]
            self.sandbox.store.update(stream, row["id"], {column: self._text()})
            self._edited.add((stream, key))
        row_id = self._save("post", "/customers", first_name=self._text(), notes=self._text())
        self._edited.add(("customers", f"fp-{row_id}"))

    def _push(self, *, is_killed: bool = False) -> None:
        messages = [
            singer_lines(
                schema_message(stream, "external_id", "id", *fields),
                *(record_message(stream, external_id=key, **row) for key, row in self._contacts[stream].items()),
            )
            for stream, fields in FIELDS.items()
        ]
        if is_killed:
            self._kill_in_the_middle("".join(messages))
        result = run_target(self._target, "".join(messages), self._folder)
        assert result.status == 0, result.stderr

    def _kill_in_the_middle(self, messages: str) -> None:
        command = plugin_command("target_fieldpulse", self._target, self._folder)
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        writes = write_count(self.sandbox)
        with subprocess.Popen(command, stdin=pipe, stdout=null, stderr=null, text=True) as process:

            def kill(_: RecordedRequest) -> None:
                if write_count(self.sandbox) >= writes + 2:
                    process.kill()

            self.sandbox.on_request = kill
            process.communicate(messages, timeout=120)
        self.sandbox.on_request = None
        assert process.returncode < 0, "the target was not killed"

    def _pull(self, *, is_first: bool = False, is_after_kill: bool = False) -> None:
        result = run_tap(self._tap, *FIELDS, state=self._state)
        self._state = result.state
        flowed: dict[str, set[str]] = defaultdict(set)
        customer_keys = {row["id"]: self._crm_key("customers", row) for row in self.sandbox.rows("customers")}
        for stream, fields in FIELDS.items():
            for record in result.records[stream]:
                key = (record["custom_fields"] or {}).get("crm_key") or f"fp-{record['id']}"
                flowed[stream].add(key)
                customer_id = record.get("customer_id")
                customer = customer_keys.get(customer_id) or f"fp-{customer_id}"
                values = {name: customer if name == "customer_external_id" else record[name] for name in fields}
                self._contacts[stream][key] = {**values, "id": record["id"]}
        rows = {(stream, key) for stream, keys in flowed.items() for key in keys}
        assert self._edited <= rows, f"lost: {self._edited - rows}"
        if not is_first and not is_after_kill:
            assert rows <= self._edited, f"echoes: {rows - self._edited}"
        self._edited = set()

    def _compare(self) -> None:
        for stream, fields in FIELDS.items():
            names = [name for name in fields if name != "customer_external_id"]
            rows = [(self._crm_key(stream, row), row) for row in self.sandbox.rows(stream)]
            assert len({key for key, _ in rows}) == len(rows), f"{stream}: a row is doubled or has no key"
            for key, row in rows:
                contact = self._contacts[stream][key or ""]
                here, there = [row[name] or "" for name in names], [contact[name] or "" for name in names]
                assert here == there, (stream, key, here, there)

    def _crm_key(self, stream: str, row: dict[str, Any]) -> str | None:
        kind = OBJECTS[stream]
        fields = {
            each["id"]
            for each in self.sandbox.rows("custom_fields")
            if each["name"] == KEY_FIELD and kind in str(each["object"]).lower()
        }
        values = self.sandbox.store.find(stream, row["id"])["customfields"]  # `rows` has what a list shows by default
        return next((each["value"] for each in values if each["field_instance_id"] in fields), None)

    def _text(self, prefix: str = "text") -> str:
        self._number += 1
        return f"{prefix} {self._number}"

    def _save(self, method: str, path: str, **values: Any) -> int:
        answer = self._office.request(method, path, json=values).raise_for_status()
        return int(answer.json()["response"]["id"])


def check_random_rounds(folder: Path, seed: int = 16) -> None:
    """Run the rounds on an account of its own."""
    with Sandbox(customers=5, seed=seed) as sandbox:
        rounds = RandomRounds(sandbox, folder, seed)
        try:
            rounds.run()
        finally:
            rounds.close()
