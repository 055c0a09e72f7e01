"""Jobs with their subtasks, comments, timesheets, projects, material lists and purchase orders."""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, Row
from fieldpulse_sandbox.schema.timestamps import EPOCH, bare, iso, unix_from_bare

from .draft import AccountDraft
from .reference import WORK, status_id_of

HOUR = 3600
COMPLETED = 4
"""The `status` of a completed job."""
SUBTITLES = ("Annual visit", "Call-back", "", None)


def add_work(draft: AccountDraft) -> None:
    """Add projects, then about one and a half jobs per customer, oldest first."""
    _add_projects(draft)
    for created, customer in _visits(draft, 1.5):
        job = _add_job(draft, customer, created)
        if draft.chance(0.3):
            _add_subtask(draft, job, created)
        if draft.chance(0.3):
            _add_comment(draft, job, created)
        if job["status"] == COMPLETED and draft.chance(0.5):
            _add_timesheet(draft, job)
        if draft.chance(0.08):
            _add_materials(draft, job, created)


def _visits(draft: AccountDraft, per_customer: float) -> list[tuple[int, Row]]:
    """Return (time, customer) pairs in the order of time, none before its customer was created."""
    customers = draft.rows["customers"]
    chosen = [draft.rng.choice(customers) for _ in range(round(len(customers) * per_customer))]
    started = [unix_from_bare(row["created_at"]) for row in chosen]
    pairs = [(draft.past(start), row) for start, row in zip(started, chosen, strict=True)]
    return sorted(pairs, key=lambda pair: (pair[0], pair[1]["id"]))


def _add_job(draft: AccountDraft, customer: Row, created: int) -> Row:
    rng = draft.rng
    start = created + rng.randrange(1, 40) * 12 * HOUR
    end = start + rng.randrange(1, 5) * HOUR
    projects = draft.rows["projects"]
    job = draft.add(
        "jobs",
        created,
        max(created, min(end, EPOCH - rng.randrange(1, 86_400))) if draft.chance(0.8) else created,
        author_id=draft.rows["users"][0]["id"],
        customer_id=customer["id"],
        job_type=rng.choice(WORK),
        subtitle=rng.choice(SUBTITLES),
        location_id=customer["main_location"]["id"],
        project_id=rng.choice(projects)["id"] if projects and draft.chance(0.03) else None,
        notes=rng.choice(("", None, "Bring the long ladder.")),
        field_notes=rng.choice(("", None)),
        **_statuses(draft, is_past=end < EPOCH),
        **(_schedule(start, end) if draft.chance(0.9) else {}),
    )
    _finish(draft, job, created, end)
    return job


def _statuses(draft: AccountDraft, *, is_past: bool) -> Row:
    """Return the two statuses of a job; they always match."""
    status = draft.rng.choice((1, COMPLETED, COMPLETED, COMPLETED, COMPLETED, 5) if is_past else (1, 1, 2, 3, 6))
    flows = draft.rows["job_status_workflows"]
    flow_id = next((flow["id"] for flow in flows if flow["is_default"]), flows[0]["id"] if flows else None)
    status_id = status_id_of(status, draft.rows["job_statuses"])
    return {"status": status, "status_id": status_id, "status_workflow_id": flow_id}


def _schedule(start: int, end: int) -> Row:
    window = {"start_time": bare(start), "end_time": bare(start + HOUR)}
    arrival = {f"customer_arrival_window_{key}": text for key, text in window.items()}
    return {"start_time": bare(start), "end_time": bare(end)} | arrival


def _finish(draft: AccountDraft, job: Row, created: int, end: int) -> None:
    if job["status"] == COMPLETED:
        spent = {"in_progress": 5400, "on_the_way": 900, "pending": 0, "completed": 0}
        job |= {"completed_at": iso(end), "in_progress_status_log": 5400, "on_the_way_status_log": 900}
        job["status_log"] = spent
    if draft.chance(0.7):
        job["assignments"] = [draft.assignment("Job", job, created)]
        job["assignment_count"] = 1


def _add_projects(draft: AccountDraft) -> None:
    for created, customer in _visits(draft, 0.03):
        project = draft.add(
            "projects",
            created,
            draft.past(created),
            author_id=draft.user_id(),
            customer_id=customer["id"],
            name=f"{draft.rng.choice(WORK)} project",
            description="",
            location_id=customer["main_location"]["id"],
            start_time=bare(created + 30 * 24 * HOUR),
            end_time=bare(created + 33 * 24 * HOUR),
            completion_percentage=str(draft.rng.randrange(0, 101, 10)),
        )
        if draft.chance(0.7):
            project["assignments"] = [draft.assignment("Project", project, created)]


def _add_subtask(draft: AccountDraft, job: Row, created: int) -> None:
    task = draft.add(
        "subtasks",
        created,
        draft.past(created),
        author_id=draft.user_id(),
        title=draft.rng.choice(("Order filter", "Pull permit", "Call the landlord")),
        description="",
        status=draft.rng.choice((1, 1, 2)),
        due_date=bare(created + 72 * HOUR) if draft.chance(0.7) else None,
        customer_id=job["customer_id"],
        job_id=job["id"],
    )
    task["assignments"] = [draft.assignment("Subtask", task, created)]


def _add_comment(draft: AccountDraft, job: Row, created: int) -> None:
    draft.add(
        "comments",
        created,
        text=draft.rng.choice(("Left the old filter on site.", "Customer asked for a quote.", "Gate was locked.")),
        author_id=draft.user_id(),
        commentable_id=job["id"],
        commentable_type=BASE_CLASS + "Job",
    )


def _add_timesheet(draft: AccountDraft, job: Row) -> None:
    start = unix_from_bare(job["completed_at"][:19].replace("T", " ")) - 2 * HOUR
    is_open = draft.chance(0.03)
    draft.add(
        "timesheets",
        start,
        user_id=draft.user_id(),
        clock_in_title=job["job_type"],
        clock_out_title=None if is_open else job["job_type"],
        clock_in_method="mobile",
        clock_out_method=None if is_open else "mobile",
        clock_in_time=bare(start),
        clock_out_time=None if is_open else bare(start + 2 * HOUR),
        clock_in_notes="",
        clock_out_notes="",
        job_id=job["id"],
        type="job",
    )


def _add_materials(draft: AccountDraft, job: Row, created: int) -> None:
    item = draft.rng.choice([row for row in draft.rows["items"] if row["type"] == "material"])
    line = {"id": 1 + len(draft.rows["material_lists"]), "item_id": item["id"], "name": item["name"], "quantity": "2"}
    prices = {"unit_cost": item["default_unit_cost"], "unit_price": item["default_unit_price"]}
    kit = draft.add("material_lists", created, title="Job kit", notes="", job_id=job["id"], items=[line | prices])
    if draft.chance(0.7):
        kit["assignments"] = [draft.assignment("MaterialList", kit, created)]
    ordered = {"id": item["id"], "type": "fieldpulse", "unit_measure": "each", "quantity": "2"} | prices
    _add_order(draft, job, created, ordered)


def _add_order(draft: AccountDraft, job: Row, created: int, ordered: Row) -> None:
    vendor = draft.rng.choice(draft.rows["vendors"])
    number = len(draft.rows["purchase_orders"]) + 1001
    draft.add(
        "purchase_orders",
        created,
        draft.past(created),
        author_id=draft.user_id(),
        vendor_type="third_party",
        vendor_id=vendor["id"],
        vendor_name=vendor["name"],
        tax_rate="8.25",
        title="Parts",
        status=draft.rng.choice(("draft", "ordered", "received")),
        payment_status="unpaid",
        comment="",
        order_at=bare(created),
        customer_id=job["customer_id"],
        job_id=job["id"],
        order_email=vendor["email"],
        delivery_method="delivery",
        order_number=f"PO-{number}",
        items=[ordered],
    )
