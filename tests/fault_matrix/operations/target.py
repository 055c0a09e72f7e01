"""What the target does at a point: an input written while things go wrong, and written again when they do not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.accounts import can_prove
from tests.fault_matrix.invariants import LINKED, Due, adds_up, converged, never_twice, nothing_lost, refused, well_said
from tests.fault_matrix.office import Rows, rows_of
from tests.fault_matrix.plugins import Message, report_of, run_target
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.results import RunResult

Config = dict[str, Any]
Faulty = Callable[[Config, str], RunResult]
_REPLAYS = 2


@dataclass(frozen=True)
class Work:
    """What is written. `before` is written without faults; `is_new`: the other records say something new.

    `refused` is the setting for which the input is refused whole, where the account cannot do what it asks for.
    """

    records: list[Message]
    dues: list[Due]
    config: Config = field(default_factory=dict)
    before: list[Message] = field(default_factory=list)
    is_new: bool = True
    refused: str = ""


def key_in(values: Message) -> str:
    """Return by what a record is known here."""
    return str(values.get("external_id") or values.get("customer_id"))


def text_of(records: list[Message], chance: Random | None = None) -> str:
    """Return an input: a SCHEMA before each change of stream, and sometimes a STATE that says how many came before."""
    parts: list[Message] = []
    names = {
        one["stream"]: {name for each in records if each["stream"] == one["stream"] for name in each["record"]}
        for one in records
    }
    stream = ""
    for number, one in enumerate(records, start=1):
        if one["stream"] != stream:
            stream = one["stream"]
            parts.append(schema_message(stream, *sorted(names[stream])))
        parts.append(one)
        if chance is None or chance.random() < 0.4 or number == len(records):
            parts.append(state_message(number))
    return singer_lines(*parts)


def _customers(tag: str, numbers: range, **more: Any) -> tuple[list[Message], list[Due]]:
    records, dues = [], []
    for n in numbers:
        name = f"K{tag}x{n}"
        values = {"first_name": name, "email": f"{name.lower()}@example.com", **more}
        records.append(record_message("customers", external_id=f"c{n}", **values))
        dues.append(Due("customers", (f"c{n}",), {"first_name": name}, values))
    return records, dues


def create(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create customers."""
    return Work(*_customers(tag, range(chance.randrange(2, 12))))


def alike(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create visits of one kind to one customer: some say the same, some are result apart by their notes."""
    customer = chance.choice(sorted(rows_of(box, "customers")))
    number, twins = chance.randrange(2, 6), chance.randrange(2, 4)
    base = {"customer_id": customer, "job_type": f"Visit {tag}"}
    records = [record_message("jobs", external_id=f"j{n}", notes=f"Note {n}", **base) for n in range(number)]
    records += [record_message("jobs", external_id=f"t{n}", notes="Twin", **base) for n in range(twins)]
    chance.shuffle(records)
    like = {"job_type": base["job_type"]}
    dues = [Due("jobs", (f"j{n}",), like | {"notes": f"Note {n}"}) for n in range(number)]
    return Work(records, [*dues, Due("jobs", tuple(f"t{n}" for n in range(twins)), like | {"notes": "Twin"})])


def update(box: Sandbox, chance: Random, tag: str) -> Work:
    """Change customers that are known, some of them twice."""
    before, dues = _customers(tag, range(chance.randrange(2, 8)))
    records = []
    for turn in range(2):
        for one in before:
            if turn == 0 or chance.random() < 0.5:
                changed = {**one["record"], "notes": f"Turn {turn}", "company_name": f"Firm {turn}"}
                records.append(record_message("customers", **changed))
    last = {one["record"]["external_id"]: one["record"] for one in records}
    final = [
        Due(
            "customers",
            due.keys,
            due.like,
            {"notes": last[due.keys[0]]["notes"], "company_name": last[due.keys[0]]["company_name"]},
        )
        for due in dues
    ]
    return Work(records, final, before=before)


def unchanged(box: Sandbox, chance: Random, tag: str) -> Work:
    """Write the same again."""
    records, dues = _customers(tag, range(chance.randrange(2, 8)))
    return Work(records, dues, before=records, is_new=False)


def match(box: Sandbox, chance: Random, tag: str) -> Work:
    """Change customers that FieldPulse has already, found by their e-mail."""
    known = [row for row in rows_of(box, "customers").values() if row["email"]]
    some = chance.sample(known, min(len(known), 5))
    records = [
        record_message("customers", external_id=f"m{row['id']}", email=row["email"], company_name=f"Firm {tag}")
        for row in some
    ]
    dues = [
        Due("customers", (f"m{row['id']}",), {"email": row["email"]}, {"id": row["id"], "company_name": f"Firm {tag}"})
        for row in some
    ]
    return Work(records, dues)


def kept_key(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create customers that are all called the same, with the source's key in a field of FieldPulse's."""
    number = chance.randrange(2, 8)
    records = [record_message("customers", external_id=f"{tag}-{n}", first_name=f"Same {tag}") for n in range(number)]
    due = Due("customers", tuple(f"{tag}-{n}" for n in range(number)), {"first_name": f"Same {tag}"})
    refused = "setting external_id_fields.customers" if "custom_fields" in box.behaviour.unavailable else ""
    return Work(records, [due], {"external_id_fields": {"customers": "Gate code"}}, refused=refused)


def children(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create customers, and what hangs on them by their external ids, mixed."""
    customers, dues = _customers(tag, range(chance.randrange(2, 5)), tags=[f"Tag {tag}"])
    dues = [Due("customers", due.keys, due.like) for due in dues]
    records = []
    for n, customer in enumerate(customers):
        key = customer["record"]["external_id"]
        records.append(customer)
        below = {"customer_external_id": key}
        records += [
            record_message("jobs", external_id=f"j{n}", job_type=f"Job {tag} {n}", **below),
            record_message("comments", external_id=f"n{n}", text=f"Comment {tag} {n}", job_external_id=f"j{n}"),
            record_message("customer_contacts", external_id=f"p{n}", first_name=f"Con{tag}x{n}", **below),
            record_message("assets", external_id=f"a{n}", title=f"Asset {tag} {n}", **below),
        ]
        dues += [
            Due("jobs", (f"j{n}",), {"job_type": f"Job {tag} {n}"}),
            Due("comments", (f"n{n}",), {"text": f"Comment {tag} {n}"}),
            Due("customer_contacts", (f"p{n}",), {"first_name": f"Con{tag}x{n}"}),
            Due("assets", (f"a{n}",), {"title": f"Asset {tag} {n}"}),
        ]
    dues.append(Due("tags", ("tag",), {"title": f"Tag {tag}"}))
    return Work(records, dues, {"create_missing_references": ["tags"]})


def link(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create lists of material, and connect each with a job."""
    jobs = chance.sample(sorted(rows_of(box, "jobs")), 3)
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
        Due("material_lists", (f"l{n}",), {"title": f"Van {tag} {n}"}, {LINKED: [f"job {job}"]}, is_money=True)
        for n, job in enumerate(jobs)
    ]
    return Work(records, dues)


def delete(box: Sandbox, chance: Random, tag: str) -> Work:
    """Delete customers that this target wrote."""
    before, dues = _customers(tag, range(chance.randrange(2, 8)))
    gone = [record_message("customers", **one["record"], _sdc_deleted_at="2026-05-04T00:00:00Z") for one in before]
    final = [Due("customers", due.keys, due.like, is_gone=True) for due in dues]
    return Work(gone, final, {"hard_delete": True}, before)


def move(box: Sandbox, chance: Random, tag: str) -> Work:
    """Move customers through the pipeline, some of them twice."""
    ids = {row["name"]: row["id"] for row in box.rows("pipeline_statuses")}
    some = chance.sample(sorted(rows_of(box, "customers")), 4)
    moves = [(customer, chance.choice(sorted(ids))) for customer in (*some, *some[:2])]
    records = [record_message("pipeline_statuses", customer_id=one, pipeline_status=name) for one, name in moves]
    dues = [
        Due("customers", (str(one),), {"id": one}, {"pipeline_status_id": ids[name]})
        for one, name in dict(moves).items()
    ]
    return Work(records, dues)


def money(box: Sandbox, chance: Random, tag: str) -> Work:
    """Create invoices, and payments of one that is there; two payments say the same."""
    customer = chance.choice(sorted(rows_of(box, "customers")))
    invoice = chance.choice(sorted(rows_of(box, "invoices")))
    records = [
        record_message("invoices", external_id=f"i{n}", customer_id=customer, title=f"Bill {tag} {n}") for n in range(3)
    ]
    dues = [Due("invoices", (f"i{n}",), {"title": f"Bill {tag} {n}"}, is_money=True) for n in range(3)]
    whole = chance.randrange(10_000, 99_999)
    amounts = [f"{whole}.{n:02}" for n in (1, 2, 3, 3)]
    for n, amount in enumerate(amounts):
        records.append(
            record_message("payments", external_id=f"p{n}", invoice_id=invoice, amount=amount, method="cash")
        )
    dues += [Due("payments", (f"p{n}",), {"amount": amounts[n]}, is_money=True) for n in range(2)]
    dues.append(Due("payments", ("p2", "p3"), {"amount": amounts[2]}, is_money=True))
    return Work(records, dues)


WORKS: dict[str, Callable[[Sandbox, Random, str], Work]] = {
    "target-create": create,
    "target-alike": alike,
    "target-update": update,
    "target-unchanged": unchanged,
    "target-match": match,
    "target-key": kept_key,
    "target-children": children,
    "target-link": link,
    "target-delete": delete,
    "target-move": move,
    "target-money": money,
}


class Writing:
    """One point of the target: `run` yields what is wrong."""

    def __init__(self, box: Sandbox, work: Work, chance: Random, folder: Path) -> None:
        self._box, self._work, self._folder = box, work, folder
        self._text = text_of(work.records, chance)
        self._rejects, self._report = folder / "rejects.singer", folder / "report.json"
        self.config: Config = {
            "api_key": box.key,
            "api_url": box.url,
            "rate_limit_store": "memory",
            "requests_per_second": 50,
            "ledger_url": f"sqlite:///{folder}/ledger.db",
            "rejects_path": str(self._rejects),
            "report_path": str(self._report),
            "uncertain_create_timeout_seconds": 0.02,
            "timezone": box.behaviour.times_zone,
            **work.config,
        }

    def run(self, faulty: Faulty) -> Iterator[str]:
        """Write what goes before; the input with faults; the input and the rejects again without."""
        if self._work.before:
            yield from well_said(run_target(self.config, text_of(self._work.before)))
        yield from self._first(faulty)
        for _ in range(_REPLAYS):
            rejects = self._rejects.read_text("utf-8") if self._rejects.exists() else ""
            self._rejects.unlink(missing_ok=True)
            result = run_target(self.config, self._text + rejects)
            yield from well_said(result)
            yield from never_twice(self._work.dues, self._rows())
        yield from adds_up(report_of(self._report), read=None, rejects=len(self._kept()))
        if self._work.refused:
            yield from refused(result, self._work.dues, self._rows(), self._work.refused)
        else:
            yield from converged(
                self._work.dues, self._rows(), report_of(self._report), can_prove=can_prove(self._box.behaviour)
            )

    def _first(self, faulty: Faulty) -> Iterator[str]:
        since = len(self._box.requests)
        self._report.unlink(missing_ok=True)
        result = faulty(self.config, self._text)
        rows, kept = self._rows(), self._kept()
        yield from well_said(result)
        yield from never_twice(self._work.dues, rows)
        yield from nothing_lost(self._work.dues, rows, self._acknowledged(result), kept_keys(kept))
        if self._report.exists():
            is_read = result.status in (0, 1) and not result.stderr
            read = Counter(one["stream"] for one in self._work.records) if is_read else None
            yield from adds_up(report_of(self._report), read=read, rejects=len(kept))
        elif result.status >= 0:
            yield f"the run ended with status {result.status} and no report"
        written = [one for one in self._box.requests[since:] if one.method != "GET"]
        if written and not self._work.is_new:
            yield f"nothing had changed, and {len(written)} writes were sent"

    def _acknowledged(self, result: RunResult) -> set[str]:
        """Return the keys all whose records lie before the last state that was emitted."""
        until = max((one["bookmarks"] for one in result.states), default=0)
        behind = {key_in(one["record"]) for one in self._work.records[until:]}
        return {key_in(one["record"]) for one in self._work.records[:until]} - behind

    def _kept(self) -> list[Message]:
        """Return the records in the file of rejects."""
        if not self._rejects.exists():
            return []
        messages = [json.loads(line) for line in self._rejects.read_text("utf-8").splitlines()]
        return [one["record"] for one in messages if one["type"] == "RECORD"]

    def _rows(self) -> dict[str, Rows]:
        rows = {name: rows_of(self._box, name) for name in {due.stream for due in self._work.dues}}
        for number, row in rows.get("material_lists", {}).items():
            row[LINKED] = [f"{one.entity} {one.entity_id}" for one in self._box.links(number)]
        return rows


def kept_keys(records: list[Message]) -> set[str]:
    """Return the keys of some records."""
    return {key_in(one) for one in records}
