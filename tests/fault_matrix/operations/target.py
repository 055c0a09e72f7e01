"""Operations of the target: an input written with faults, and written again without."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.accounts import can_settle_creates
from tests.fault_matrix.invariants import (
    LINKS,
    Expectation,
    converged,
    counts_add_up,
    no_duplicates,
    no_lost_records,
    no_unexpected_error,
    refused_by_setting,
)
from tests.fault_matrix.office import Rows, rows_of
from tests.fault_matrix.plugins import Message, read_report, run_target
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.results import RunResult

Config = dict[str, Any]
RunTarget = Callable[[Config, str], list[RunResult]]
_REPLAYS = 2


@dataclass(frozen=True)
class WriteOperation:
    """One input and the rows that it must lead to.

    `written_before` is written first, without faults. `has_changes`: the records differ from it. `refused_setting` is
    the setting that the run must refuse, where the account cannot do what it asks for.
    """

    records: list[Message]
    expectations: list[Expectation]
    config: Config = field(default_factory=dict)
    written_before: list[Message] = field(default_factory=list)
    has_changes: bool = True
    refused_setting: str = ""


def key_of(values: Message) -> str:
    """Return the key of a record in these checks."""
    return str(values.get("external_id") or values.get("customer_id"))


def input_of(records: list[Message], random: Random | None = None) -> str:
    """Return an input: a SCHEMA before each change of stream, and now and then a STATE with the number of records."""
    parts: list[Message] = []
    names = {
        stream: {name for message in records if message["stream"] == stream for name in message["record"]}
        for stream in {message["stream"] for message in records}
    }
    stream = ""
    for number, message in enumerate(records, start=1):
        if message["stream"] != stream:
            stream = message["stream"]
            parts.append(schema_message(stream, *sorted(names[stream])))
        parts.append(message)
        if random is None or random.random() < 0.4 or number == len(records):
            parts.append(state_message(number))
    return singer_lines(*parts)


def _customers(tag: str, numbers: range, **more: Any) -> tuple[list[Message], list[Expectation]]:
    records, dues = [], []
    for n in numbers:
        name = f"K{tag}x{n}"
        values = {"first_name": name, "email": f"{name.lower()}@example.com", **more}
        records.append(record_message("customers", external_id=f"c{n}", **values))
        dues.append(Expectation("customers", (f"c{n}",), {"first_name": name}, values))
    return records, dues


def create(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create customers."""
    return WriteOperation(*_customers(tag, range(random.randrange(2, 12))))


def create_similar(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create similar jobs of one customer: some are equal, some differ only in their notes."""
    customer = random.choice(sorted(rows_of(sandbox, "customers")))
    number, twins = random.randrange(2, 6), random.randrange(2, 4)
    base = {"customer_id": customer, "job_type": f"Visit {tag}"}
    records = [record_message("jobs", external_id=f"j{n}", notes=f"Note {n}", **base) for n in range(number)]
    records += [record_message("jobs", external_id=f"t{n}", notes="Twin", **base) for n in range(twins)]
    random.shuffle(records)
    like = {"job_type": base["job_type"]}
    dues = [Expectation("jobs", (f"j{n}",), like | {"notes": f"Note {n}"}) for n in range(number)]
    return WriteOperation(
        records, [*dues, Expectation("jobs", tuple(f"t{n}" for n in range(twins)), like | {"notes": "Twin"})]
    )


def update(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Update customers that the target wrote, some of them twice."""
    before, dues = _customers(tag, range(random.randrange(2, 8)))
    records = []
    for turn in range(2):
        for message in before:
            if turn == 0 or random.random() < 0.5:
                changed = {**message["record"], "notes": f"Turn {turn}", "company_name": f"Firm {turn}"}
                records.append(record_message("customers", **changed))
    last = {message["record"]["external_id"]: message["record"] for message in records}
    final = [
        Expectation(
            "customers",
            due.keys,
            due.match,
            {"notes": last[due.keys[0]]["notes"], "company_name": last[due.keys[0]]["company_name"]},
        )
        for due in dues
    ]
    return WriteOperation(records, final, written_before=before)


def unchanged(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Write unchanged records again."""
    records, dues = _customers(tag, range(random.randrange(2, 8)))
    return WriteOperation(records, dues, written_before=records, has_changes=False)


def match(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Update existing customers, matched by e-mail."""
    known = [row for row in rows_of(sandbox, "customers").values() if row["email"]]
    some = random.sample(known, min(len(known), 5))
    records = [
        record_message("customers", external_id=f"m{row['id']}", email=row["email"], company_name=f"Firm {tag}")
        for row in some
    ]
    dues = [
        Expectation(
            "customers", (f"m{row['id']}",), {"email": row["email"]}, {"id": row["id"], "company_name": f"Firm {tag}"}
        )
        for row in some
    ]
    return WriteOperation(records, dues)


def create_with_stored_key(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create customers of the same name, with the source's key stored in a custom field."""
    number = random.randrange(2, 8)
    records = [record_message("customers", external_id=f"{tag}-{n}", first_name=f"Same {tag}") for n in range(number)]
    due = Expectation("customers", tuple(f"{tag}-{n}" for n in range(number)), {"first_name": f"Same {tag}"})
    refused = (
        "setting external_id_fields.customers" if "custom_fields" in sandbox.behaviour.unavailable_resources else ""
    )
    return WriteOperation(records, [due], {"external_id_fields": {"customers": "Gate code"}}, refused_setting=refused)


def create_children(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create customers and their children by external id, in mixed order."""
    customers, dues = _customers(tag, range(random.randrange(2, 5)), tags=[f"Tag {tag}"])
    dues = [Expectation("customers", due.keys, due.match) for due in dues]
    records = []
    for n, customer in enumerate(customers):
        key = customer["record"]["external_id"]
        records.append(customer)
        below = {"customer_external_id": key}
        records += [
            record_message("jobs", external_id=f"j{n}", job_type=f"Job {tag} {n}", notes=f"N{n}", **below),
            record_message("comments", external_id=f"n{n}", text=f"Comment {tag} {n}", job_external_id=f"j{n}"),
            record_message("customer_contacts", external_id=f"p{n}", first_name=f"Con{tag}x{n}", **below),
            record_message("assets", external_id=f"a{n}", title=f"Asset {tag} {n}", **below),
        ]
        dues += [
            Expectation("jobs", (f"j{n}",), {"job_type": f"Job {tag} {n}"}),
            Expectation("comments", (f"n{n}",), {"text": f"Comment {tag} {n}"}),
            Expectation("customer_contacts", (f"p{n}",), {"first_name": f"Con{tag}x{n}"}),
            Expectation("assets", (f"a{n}",), {"title": f"Asset {tag} {n}"}),
        ]
    dues.append(Expectation("tags", ("tag",), {"title": f"Tag {tag}"}))
    return WriteOperation(records, dues, {"create_missing_references": ["tags"]})


def link(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create material lists, and link each to a job."""
    jobs = random.sample(sorted(rows_of(sandbox, "jobs")), 3)
    records = [
        record_message(
            "material_lists",
            external_id=f"l{n}",
            title=f"Van {tag} {n}",
            connect=[{"to_entity": "job", "to_entity_id": job}],
        )
        for n, job in enumerate(jobs)
    ]
    dues = [
        Expectation("material_lists", (f"l{n}",), {"title": f"Van {tag} {n}"}, {LINKS: [f"job {job}"]}, is_money=True)
        for n, job in enumerate(jobs)
    ]
    return WriteOperation(records, dues)


def delete(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Delete customers that this target wrote."""
    before, dues = _customers(tag, range(random.randrange(2, 8)))
    deletes = [
        record_message("customers", **message["record"], _sdc_deleted_at="2026-05-04T00:00:00Z") for message in before
    ]
    final = [Expectation("customers", due.keys, due.match, is_deleted=True) for due in dues]
    return WriteOperation(deletes, final, {"hard_delete": True}, before)


def move(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Move customers through the pipeline, some of them twice."""
    ids = {row["name"]: row["id"] for row in sandbox.rows("pipeline_statuses")}
    some = random.sample(sorted(rows_of(sandbox, "customers")), 4)
    moves = [(customer, random.choice(sorted(ids))) for customer in (*some, *some[:2])]
    records = [
        record_message("pipeline_statuses", customer_id=customer, pipeline_status=name) for customer, name in moves
    ]
    dues = [
        Expectation("customers", (str(customer),), {"id": customer}, {"pipeline_status_id": ids[name]})
        for customer, name in dict(moves).items()
    ]
    return WriteOperation(records, dues)


def money(sandbox: Sandbox, random: Random, tag: str) -> WriteOperation:
    """Create invoices, and payments of an existing invoice; two payments are equal."""
    customer = random.choice(sorted(rows_of(sandbox, "customers")))
    invoice = random.choice(sorted(rows_of(sandbox, "invoices")))
    records = [
        record_message("invoices", external_id=f"i{n}", customer_id=customer, title=f"Bill {tag} {n}") for n in range(3)
    ]
    dues = [Expectation("invoices", (f"i{n}",), {"title": f"Bill {tag} {n}"}, is_money=True) for n in range(3)]
    whole = random.randrange(10_000, 99_999)
    amounts = [f"{whole}.{n:02}" for n in (1, 2, 3, 3)]
    for n, amount in enumerate(amounts):
        records.append(
            record_message("payments", external_id=f"p{n}", invoice_id=invoice, amount=amount, method="cash")
        )
    dues += [Expectation("payments", (f"p{n}",), {"amount": amounts[n]}, is_money=True) for n in range(2)]
    dues.append(Expectation("payments", ("p2", "p3"), {"amount": amounts[2]}, is_money=True))
    return WriteOperation(records, dues)


WRITE_OPERATIONS: dict[str, Callable[[Sandbox, Random, str], WriteOperation]] = {
    "target-create": create,
    "target-alike": create_similar,
    "target-update": update,
    "target-unchanged": unchanged,
    "target-match": match,
    "target-key": create_with_stored_key,
    "target-children": create_children,
    "target-link": link,
    "target-delete": delete,
    "target-move": move,
    "target-money": money,
}


class TargetCheck:
    """The check of one point of the target."""

    def __init__(self, sandbox: Sandbox, work: WriteOperation, random: Random, folder: Path) -> None:
        self._box, self._operation, self._folder = sandbox, work, folder
        self._text = input_of(work.records, random)
        self._rejects, self._report = folder / "rejects.singer", folder / "report.json"
        self.config: Config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "requests_per_second": 50,
            "ledger_url": f"sqlite:///{folder}/ledger.db",
            "rejects_path": str(self._rejects),
            "report_path": str(self._report),
            "uncertain_create_timeout_seconds": 0.02,
            "api_timezone": sandbox.behaviour.time_zone,
            **work.config,
        }

    def run(self, faulty: RunTarget) -> Iterator[str]:
        """Write the records before, then the input with faults, then the input and the rejects twice without."""
        if self._operation.written_before:
            yield from no_unexpected_error(run_target(self.config, input_of(self._operation.written_before)))
        yield from self._run_with_faults(faulty)
        for _ in range(_REPLAYS):
            rejects = self._rejects.read_text("utf-8") if self._rejects.exists() else ""
            self._rejects.unlink(missing_ok=True)
            result = run_target(self.config, self._text + rejects)
            yield from no_unexpected_error(result)
            yield from no_duplicates(self._operation.expectations, self._rows())
        yield from counts_add_up(read_report(self._report), read=None, rejects=len(self._rejected_records()))
        if self._operation.refused_setting:
            yield from refused_by_setting(
                result, self._operation.expectations, self._rows(), self._operation.refused_setting
            )
        else:
            yield from converged(
                self._operation.expectations,
                self._rows(),
                read_report(self._report),
                can_settle=can_settle_creates(self._box.behaviour),
                ignored=self._box.behaviour.ignored_fields,
                rejected_keys=frozenset(keys_of(self._rejected_records())),
            )

    def _run_with_faults(self, faulty: RunTarget) -> Iterator[str]:
        since = len(self._box.requests)
        self._report.unlink(missing_ok=True)
        results = faulty(self.config, self._text)
        rows, rejected = self._rows(), self._rejected_records()
        yield from no_duplicates(self._operation.expectations, rows)
        for result in results:
            yield from no_unexpected_error(result)
            yield from no_lost_records(
                self._operation.expectations, rows, self._acknowledged_keys(result), keys_of(rejected)
            )
        result = results[-1]
        if self._report.exists() and len(results) == 1:
            is_read = result.status in (0, 1) and not result.stderr
            read = Counter(message["stream"] for message in self._operation.records) if is_read else None
            yield from counts_add_up(read_report(self._report), read=read, rejects=len(rejected))
        elif result.status >= 0 and len(results) == 1:
            yield f"the run ended with status {result.status} and no report"
        written = [request for request in self._box.requests[since:] if request.method != "GET"]
        if written and not self._operation.has_changes:
            yield f"nothing had changed, and {len(written)} writes were sent"

    def _acknowledged_keys(self, result: RunResult) -> set[str]:
        """Return the keys all of whose records come before the last emitted STATE."""
        until = max((state["bookmarks"] for state in result.states), default=0)
        behind = {key_of(message["record"]) for message in self._operation.records[until:]}
        return {key_of(message["record"]) for message in self._operation.records[:until]} - behind

    def _rejected_records(self) -> list[Message]:
        """Return the records in the rejects file."""
        if not self._rejects.exists():
            return []
        messages = [json.loads(line) for line in self._rejects.read_text("utf-8").splitlines()]
        return [message["record"] for message in messages if message["type"] == "RECORD"]

    def _rows(self) -> dict[str, Rows]:
        rows = {name: rows_of(self._box, name) for name in {due.stream for due in self._operation.expectations}}
        for row_id, row in rows.get("material_lists", {}).items():
            row[LINKS] = [f"{link.entity} {link.entity_id}" for link in self._box.links(row_id)]
        return rows


def keys_of(records: list[Message]) -> set[str]:
    """Return the keys of these records."""
    return {key_of(record) for record in records}
