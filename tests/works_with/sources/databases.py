"""A database of an office, read by tap-postgres, and the same through a mapper."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import psycopg

from tests.works_with.stores import Database

from .source import DATA, Office, RowOf, Source, run_tap, settings_of

ZONE = "America/Chicago"
"""The zone of the database's sessions, and of the office."""


def tap_postgres(office: Office, database: Database, schema: str) -> str:
    """Return what tap-postgres emits of all tables of a schema."""
    url = f"postgresql+psycopg2://{database.user}:none@localhost/{database.name}?host={database.host}"
    return run_tap(office, ["tap-postgres"], {"sqlalchemy_url": url, "filter_schemas": [schema]})


def _emit_tables(office: Office) -> str:
    database = office.postgres.create_database(office.folder.name, ZONE)
    with psycopg.connect(host=database.host, dbname=database.name, user=database.user) as connection:
        connection.execute((DATA / "office.sql").read_bytes())
    return tap_postgres(office, database, "office")


def _emit_mapped(office: Office) -> str:
    messages, config = office.folder / "tables.singer", office.folder / "mapper.json"
    messages.write_text(_emit_tables(office), "utf-8")
    config.write_text(json.dumps({"stream_maps": POSTGRES.settings["stream_maps"]}))
    ended = office.environment.run(("meltano-map-transform", "--config", str(config)), stdin=messages)
    if ended.returncode:
        raise RuntimeError(f"meltano-map-transform: {ended.stderr[-2000:]}")
    return ended.stdout


POSTGRES = Source(
    name="tap-postgres",
    about="six tables: numeric, money, timestamps, dates, jsonb, text[], enum, boolean, uuid, char(n), infinity",
    packages=("meltanolabs-tap-postgres==0.10.0",),
    emit=_emit_tables,
    settings=settings_of("sql.yml"),
    rows={
        "customers": (
            {
                "display_name": "Ana Ruiz",
                "email": "ana.ruiz@example.com",
                "phone": "(214) 555-0181",
                "status": "lead",
                "service_address_zip_code": "75201",
                "tags": ["VIP", "Landlord"],
                "customfields": {"Gate code": "0417", "Number of units": "12"},
                "notes": "Dog in the yard",
            },
            {
                "display_name": "Brandt & Söhne",
                "email": "office@brandt.example",
                "phone": "+49 30 901820",
                "status": "current customer",
            },
            {
                "display_name": "Corin Faketon",
                "service_address_zip_code": "02134",
                "notes": "Prefers mornings",
            },
        ),
        "jobs": (
            {
                "job_type": "Furnace tune-up",
                "customer_id": RowOf("customers", "Ana Ruiz"),
                "start_time": "2026-12-01 15:00:00",
                "end_time": "2026-12-01 17:30:00",
                "assignments": ["North Crew"],
            },
            {
                "job_type": "AC repair",
                "customer_id": RowOf("customers", "Corin Faketon"),
                "start_time": "2026-07-15 14:00:00",
                "end_time": "2026-07-15 17:00:00",
                "due_date": "2026-07-20 05:00:00",
            },
            {"job_type": "Inspection", "customer_id": RowOf("customers", "Brandt & Söhne")},
        ),
        "assets": (
            {
                "title": "Furnace",
                "customer_id": RowOf("customers", "Ana Ruiz"),
                "serial_number": "SN-0001",
                "install_date": "2019-11-04",
                "warranty_expiration": "2029-11-04",
            },
            {"title": "Water heater", "customer_id": RowOf("customers", "Corin Faketon"), "serial_number": "SN-0002"},
        ),
        "invoices": (
            {
                "title": "Furnace tune-up",
                "customer_id": RowOf("customers", "Ana Ruiz"),
                "invoiced_date": "2026-12-02 06:00:00",
                "line_items": [("Labor", ("Hour", Decimal("1.5"), Decimal(90)))],
                "total": Decimal(135),
                "amount_unpaid": Decimal(0),
            },
            {
                "title": "AC repair",
                "customer_id": RowOf("customers", "Corin Faketon"),
                "invoiced_date": "2026-07-16 05:00:00",
                "line_items": [("Parts", ("Capacitor", Decimal(2), Decimal("18.45")))],
                "total": Decimal("36.9"),
                "amount_unpaid": Decimal(0),
            },
        ),
        "payments": (
            {
                "amount": "100.00",
                "invoice_id": RowOf("invoices", "Furnace tune-up"),
                "payment_date": "2026-12-03 06:00:00",
                "method": "check",
            },
            {
                "amount": "35.00",
                "invoice_id": RowOf("invoices", "Furnace tune-up"),
                "payment_date": "2026-12-10 06:00:00",
                "method": "cash",
            },
            {
                "amount": "36.90",
                "invoice_id": RowOf("invoices", "AC repair"),
                "payment_date": "2026-07-16 05:00:00",
                "method": "card",
            },
        ),
        "items": (
            {
                "sku": "FLT-1620",
                "name": "Filter 16x20",
                "default_unit_price": Decimal("12.5"),
                "default_unit_cost": Decimal("8.25"),
                "default_taxable": True,
                "quantity_available": 40,
            },
            {
                "sku": "COMP-5T",
                "name": "Compressor 5 t",
                "default_unit_price": Decimal("1234.56"),
                "default_unit_cost": Decimal("1034.1"),
                "default_taxable": False,
            },
            {
                "sku": "FREE",
                "name": "Leaflet",
                "default_unit_price": Decimal(0),
                "default_unit_cost": Decimal(0),
                "quantity_available": 0,
            },
        ),
    },
)
MAPPER = replace(
    POSTGRES,
    name="meltano-map-transform",
    about="the same tables, mapped between tap and target",
    packages=("meltanolabs-tap-postgres==0.10.0", "meltano-map-transform==0.12.3"),
    emit=_emit_mapped,
    settings={name: value for name, value in POSTGRES.settings.items() if name != "stream_maps"},
)
