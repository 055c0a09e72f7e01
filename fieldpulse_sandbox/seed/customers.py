"""Customers and their locations, contacts and assets."""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, CUSTOMER_TEXTS, NOT_A_NUMBER, Row
from fieldpulse_sandbox.schema.timestamps import EPOCH, YEAR, bare

from .draft import AccountDraft
from .people import TRADES, Person, address, person

IMPORT_DAY = EPOCH - YEAR
STATUSES = ("current customer", "current customer", "current customer", "lead", "opportunity", "lost", "other", None)
FIRST_DELETED = 50
WITH_EXTENSION = 40
"""Every how many-th customer's phone number has an extension."""
FORM_TEXTS = dict.fromkeys(CUSTOMER_TEXTS.split(), "")
MACHINES = (("Gas furnace", "furnace"), ("Heat pump", "heat pump"), ("Water heater", "heater"), ("Panel", "electrical"))


def add_customers(draft: AccountDraft) -> None:
    """Add the customers. A tenth was imported, and all of these have the same stamps."""
    imported = draft.customers // 10
    deleted_count = draft.customers // 100
    moments = [IMPORT_DAY] * imported + sorted(draft.past() for _ in range(draft.customers - imported + deleted_count))
    for number, created in enumerate(moments):
        row = _add_customer(draft, number, created, is_import=number < imported)
        if deleted_count and number % 100 == FIRST_DELETED and len(_deleted_customers(draft)) < deleted_count:
            row["deleted_at"] = row["updated_at"]  # its jobs and invoices stay (verified)
        elif number % 3 == 0:
            _add_contact(draft, row, created)
        if draft.chance(0.25):
            _add_asset(draft, row, created)


def _deleted_customers(draft: AccountDraft) -> list[Row]:
    return [row for row in draft.rows["customers"][FIRST_DELETED::100] if row["deleted_at"]]


def _add_customer(draft: AccountDraft, number: int, created: int, *, is_import: bool) -> Row:
    who = person(draft.rng, number)
    updated = created if is_import or draft.chance(0.3) else draft.past(created)
    form = {} if is_import or draft.chance(0.4) else FORM_TEXTS
    row = draft.add(
        "customers",
        created,
        updated,
        **(form | _names(draft, who) | _sales(draft, created) | _reach(draft, who)),
        uuid=draft.uuid() if draft.chance(0.8) else None,
        import_id=str(number) if is_import else None,
    )
    row["notes"] = draft.rng.choice(
        (row["notes"], row["notes"], "Dog in the yard.", "Call ahead: naïve gate, “quoted”.")
    )
    place = address(draft.rng)
    row |= place
    row["main_location"] = _add_location(draft, row, place, created)
    return row


def _names(draft: AccountDraft, who: Person) -> Row:
    firm = f"{who.last} {draft.rng.choice(TRADES)}" if draft.chance(0.25) else None
    is_nameless = bool(firm) and draft.chance(0.5)
    names: Row = {"account_type": "company" if firm else "individual"}
    if firm:
        names["company_name"] = firm
    if not is_nameless:
        names |= {"first_name": who.first, "last_name": who.last}
    display_name = f"{firm} {who.number}" if is_nameless else who.name
    names |= {"display_name": display_name, "searchable": display_name, "sort_key": display_name.lower()}
    return names | {
        "search_text": " ".join(f"'{word}':{n}" for n, word in enumerate(display_name.lower().split(), start=1))
    }


def _reach(draft: AccountDraft, who: Person) -> Row:
    mail = who.email if draft.chance(0.92) else draft.rng.choice(("", None))
    if draft.chance(0.1):
        return {"email": mail, "phone": draft.rng.choice(("", None)), "has_valid_phone": None}
    if who.number % WITH_EXTENSION == 0:
        return {"email": mail, "phone": f"{who.phone} ext 4", **NOT_A_NUMBER}
    dialled = {"phone_e164": who.phone_e164, "searchable_number": who.phone_e164}
    return {"email": mail, "phone": who.phone, "has_valid_phone": True, **dialled}


def _sales(draft: AccountDraft, created: int) -> Row:
    rng = draft.rng
    stage = draft.maybe_id("pipeline_statuses", 0.6)
    tags = [row["id"] for row in draft.rows["tags"] if row["type"] == "customer"]
    return {
        "status": rng.choice(STATUSES),
        "assigned_to": draft.maybe_id("users", 0.6),
        "lead_source_id": draft.maybe_id("lead_sources", 0.5),
        "pipeline_status_id": stage,
        "pipeline_status_updated_at": bare(created) if stage else None,
        "tags": [rng.choice(tags)] if draft.chance(0.1) and tags else [],
        "is_tax_exempt": draft.chance(0.03),
    }


def _add_location(draft: AccountDraft, customer: Row, place: dict[str, str], created: int) -> Row:
    where = {"latitude": 32.8 + draft.rng.random(), "longitude": -96.8 - draft.rng.random()}
    return draft.add(
        "locations",
        created,
        author_id=draft.rows["users"][0]["id"],
        object_id=customer["id"],
        object_type=BASE_CLASS + "Customer",
        title="Main Location",
        is_main_location=True,
        is_primary_location=True,
        location_coords=where if draft.chance(0.8) else None,
        search_text=f"'{place['city'].lower()}':1",
        **place,
    )


def _add_contact(draft: AccountDraft, customer: Row, created: int) -> None:
    for order in range(1, draft.rng.randrange(2, 4)):
        who = person(draft.rng, 1_000_000 + len(draft.rows["customer_contacts"]))
        names = {"first_name": who.first, "last_name": who.last, "email": who.email, "phone": who.phone_e164}
        draft.add("customer_contacts", created, customer_id=customer["id"], order=order, notes="Site contact", **names)


def _add_asset(draft: AccountDraft, customer: Row, created: int) -> None:
    title, kind = draft.rng.choice(MACHINES)
    number = len(draft.rows["assets"])
    draft.add(
        "assets",
        created,
        draft.past(created),
        customer_id=customer["id"],
        title=title,
        asset_type=kind,
        asset_category_id=draft.rng.choice(draft.rows["asset_categories"])["id"],
        tag=f"UNIT-{number}",
        location_description=draft.rng.choice(("Attic", "Basement", "", None)),
        install_date=f"{draft.rng.randrange(2008, 2026)}-05-15",
        status=draft.rng.choice(("installed", "installed", "uninstalled", "retired")),
        manufacturer="Acme Heating",
        model="AH-80",
        serial_number=f"SN-{number:06d}",
        notes="",
    )
