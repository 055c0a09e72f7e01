"""Rows whose number does not depend on the customers: users, teams, statuses, sources, tags, the price book."""

from __future__ import annotations

from collections.abc import Iterable

from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID, PERMISSIONS, Row
from fieldpulse_sandbox.schema.timestamps import EPOCH, YEAR, bare

from .draft import AccountDraft
from .people import person

FOUNDED = EPOCH - 3 * YEAR
_TEAM_SIZE = 96
"""Most members, and most managers, of a team (verified)."""
JOB_STATUSES = (
    ("New", "new", "sparkles", "#0094D6", 1),
    ("On The Way", "travel_time", "route", "#ba68c8", 6),
    ("In Progress", "in_progress", "spinner", "#88cc40", 2),
    ("Pending", "pending", "pause", "#f5a623", 3),
    ("Completed", "completed", "check", "#9b9b9b", 4),
    ("Canceled", "canceled", "xmark", "#d93c37", 5),
)
"""Name, type, icon and color of a status, and the matching `status` of jobs."""
STATUS_CODES = {kind: code for _, kind, _, _, code in JOB_STATUSES}
"""The `status` of jobs by the type of their custom status."""
STAGES = ("New Lead", "Contacted", "Quoted", "Won", "Lost")
SOURCES = ("Referral", "Website", "Phone", "Yard Sign", "Trade Fair", "Returning")
TAGS = (("VIP", "customer"), ("Landlord", "customer"), ("Slow payer", "customer"), ("Warranty", "job"), ("Rush", "job"))
WORK = ("Furnace tune-up", "AC repair", "Drain cleaning", "Water heater swap", "Duct sealing", "Panel upgrade")
PARTS = (
    "Pleated filter",
    "Copper elbow",
    "Capacitor 45uF",
    "Contactor",
    "Thermostat",
    "PVC pipe",
    "Flue vent",
    "Valve",
)


def add_reference(draft: AccountDraft) -> None:
    """Add the resources that do not grow with the number of customers."""
    _add_people(draft)
    _add_statuses(draft)
    _add_customer_lists(draft)
    _add_lists(draft)
    _add_company(draft)
    _add_items(draft)


def _add_people(draft: AccountDraft) -> None:
    newest_activity = draft.past()
    for number in range(draft.users):
        _add_user(draft, number, bare(newest_activity - 3600 * number))
    users = draft.rows["users"]
    crews = [("Default Team", users), ("North Crew", users[3:7]), ("South Crew", users[7:])]
    crews += [(f"Crew {number}", users[number:]) for number in range(1, draft.users // 20)]
    for title, crew in crews:
        team = draft.add("teams", FOUNDED, title=title, about=f"{title} of the company.", author_id=users[0]["id"])
        settings = {"avatar_color": "#007abe", "commission_rate": "0.00"}
        team["members"] = [_in_team(user, team) | {"settings": settings} for user in crew[:_TEAM_SIZE]]
        team["managers"] = [_in_team(user, team) for user in users[1 : _TEAM_SIZE if draft.users > _TEAM_SIZE else 2]]


def _add_user(draft: AccountDraft, number: int, moment: str) -> None:
    """Add a user with the roles and columns of a live account: secrets, a position, about 100 flags (verified)."""
    who = person(draft.rng, 900_000 + number)
    position = {"coordinates": {"latitude": 32.8 + number / 100, "longitude": -96.8}, "time": moment}
    role = _role(number)
    user = draft.add(
        "users",
        FOUNDED,
        first_name=who.first,
        last_name=who.last,
        email=who.email,
        phone=who.phone_e164 if number % 2 else "",
        notes="",
        role=role,
        is_active=number % 12 != 11,  # noqa: PLR2004  one in twelve has left
        founder=number == 0,
        time_zone="America/Chicago",
        recent_activity=moment,
        last_logged_in_at=moment,
        last_known_location=position if number % 3 else None,
        api_token=f"sandbox-secret-token-{number}",
        google_calendar_id=f"sandbox-secret-calendar-{number}",
        google_calendar_object={"token_type": "Bearer", "access_token": f"sandbox-secret-access-{number}"},
        calls_forwarded_phone_number=f"sandbox-secret-{who.phone}",
        calls_forwarded_phone_number_e164=f"sandbox-secret-{who.phone_e164}",
    )
    if number % 2:
        user["updated_at"] = moment  # it moves whenever the app is opened (verified)
    for index, name in enumerate(PERMISSIONS):
        user[name] = role < 3 or (index + number) % 3 == 0  # noqa: PLR2004  admins and managers may do everything


def _role(number: int) -> int:
    """Return a role: mostly service agents, some managers and admins, and one 6 (verified)."""
    if number == 6:  # noqa: PLR2004  any one will do
        return 6
    return 1 if number % 8 == 0 else 2 if number % 5 == 1 else 4


def _in_team(user: Row, team: Row) -> Row:
    """Return a user as a team shows it: whole, secrets included (verified)."""
    return {**user, "pivot": {"team_id": team["id"], "user_id": user["id"]}}


def _add_statuses(draft: AccountDraft) -> None:
    if not draft.add_office_names("job_statuses", FOUNDED):
        for name, kind, icon, color, _ in JOB_STATUSES:
            draft.add("job_statuses", FOUNDED, name=name, type=kind, icon=icon, color=color)
    if draft.add_office_names("job_status_workflows", FOUNDED):
        return
    statuses = draft.rows["job_statuses"]
    flow = draft.add("job_status_workflows", FOUNDED, name="Default Workflow")
    for key in ("icon", "type", "color"):
        del flow[key]
    flow["status_ids"] = [status["id"] for status in statuses]
    pivot = [{"status_id": status["id"], "workflow_id": flow["id"]} for status in statuses]
    flow["statuses"] = [status | {"pivot": link} for status, link in zip(statuses, pivot, strict=True)]
    flow["default_status_id"] = statuses[0]["id"]
    flow["default_status"] = statuses[0] | {"laravel_through_key": flow["id"]}


def status_id_of(code: int, statuses: Iterable[Row]) -> int | None:
    """Return the id of the first custom status of jobs with this `status`, else of the first one."""
    rows = list(statuses)
    found = (row["id"] for row in rows if STATUS_CODES.get(row["type"]) == code)
    return next(found, rows[0]["id"] if rows else None)


def _add_customer_lists(draft: AccountDraft) -> None:
    if not draft.add_office_names("pipeline_statuses", FOUNDED):
        for order, name in enumerate(STAGES, start=1):
            kind = "lost" if name == STAGES[-1] else "none"
            draft.add("pipeline_statuses", FOUNDED, status=name, type=kind, name=name, order=order, color="#0094D6")
    if not draft.add_office_names("lead_sources", FOUNDED):
        for name in SOURCES:
            draft.add("lead_sources", FOUNDED, name=name, author_id=draft.rows["users"][0]["id"])
    if not draft.add_office_names("tags", FOUNDED):
        for title, kind in TAGS:
            draft.add("tags", FOUNDED, title=title, type=kind, color="#007abe")


def _add_lists(draft: AccountDraft) -> None:
    for kind in ("job", "estimate", "invoice"):
        for number, name in enumerate(("Residential", "Commercial", "Retired")):
            names = {"name": name, "fully_qualified_name": name, "qbo_id": str(5_000_000 + number)}
            draft.add(f"{kind}_qb_classes", FOUNDED, active=name != "Retired", **names)
    for title in ("Heating", "Cooling", "Plumbing", "Electrical"):
        draft.add("asset_categories", FOUNDED, title=title)
    for name in ("Example Supply Co", "Sample Pipe & Fitting", "Mock Electric Wholesale"):
        draft.add("vendors", FOUNDED, name=name, email=f"orders@{name.split()[0].lower()}.example.com")
    for title in ("Standard terms", "Commercial terms"):
        draft.add("contracts", FOUNDED, title=title, text=f"{title} of a company that does not exist.")


def _add_company(draft: AccountDraft) -> None:
    company = {"title": "Example Heating Co", "email": "office@example.com", "phone": "+12145550100"}
    place = {"address_1": "1 Sample Plaza", "city": "Testville", "state": "TX", "zip_code": "75000"}
    row = draft.add("company_profiles", FOUNDED, **company, **place, time_zone="America/Chicago")
    row["id"] = COMPANY_ID


def _add_items(draft: AccountDraft) -> None:
    moments = sorted(draft.past(FOUNDED) for _ in range(60))
    for number, moment in enumerate(moments):
        is_labor = number % 4 == 0
        name = f"{WORK[number % len(WORK)]} labor" if is_labor else f"{PARTS[number % len(PARTS)]} {number}"
        cents = draft.rng.randrange(450, 60_000)
        draft.add(
            "items",
            moment,
            draft.past(moment),
            name=name,
            type="service" if is_labor else "material",
            sku=f"SKU-{number:03d}" if number % 5 else None,
            is_labor_item=is_labor,
            track_inventory=not is_labor,
            quantity_available=None if is_labor else draft.rng.randrange(0, 80),
            default_unit_price=f"{cents / 100:.4f}",
            default_unit_cost=f"{cents / 250:.4f}",
            default_taxable=not is_labor,
            default_description="" if number % 3 else None,
            unit_measure="hour" if is_labor else "each",
            is_active=number % 11 > 0,
        )
