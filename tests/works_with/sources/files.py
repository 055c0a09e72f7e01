"""Files of an office: a year of CSV files, a workbook, forms of a website as JSON lines."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal

from .source import DATA, Office, RowOf, Source, run_tap, settings_of

SPREADSHEETS = ("tap-spreadsheets==1.1.2",)


def _emit_csv(office: Office) -> str:
    leads = {"path": _copy(office, "leads"), "read_mode": "merge", "stream_name": "leads"}
    visits = {"path": _copy(office, "visits"), "read_mode": "one_stream_per_file"}
    configs = (visits, leads)  # with a catalog, this tap ends with a traceback
    return "".join(run_tap(office, ["tap-csv-folder"], config, catalog_option=None) for config in configs)


def _emit_csv_by_name(office: Office) -> str:
    files = [
        {"path": f"{_copy(office, folder)}/*.csv", "format": "csv", "table_name": table, "primary_keys": [key]}
        for folder, table, key in (("leads", "leads", "lead"), ("visits", "jobs", "job"))
    ]
    return run_tap(office, ["tap-spreadsheets"], {"files": files})


def _emit_workbook(office: Office) -> str:
    path = str(office.folder / "office.xlsx")
    made = office.environment.run(("python", str(DATA / "workbook.py"), path))
    assert made.returncode == 0, made.stderr
    sheets = {"Price list": "Code", "Equipment": "Serial"}
    files = [
        {
            "path": path,
            "format": "excel",
            "worksheet": sheet,
            "primary_keys": [key],
            "table_name": sheet.lower().replace(" ", "_"),
            "schema_overrides": {"serial": {"type": ["string", "null"]}},
        }
        for sheet, key in sheets.items()
    ]
    return run_tap(office, ["tap-spreadsheets"], {"files": files})


def _emit_json_lines(office: Office) -> str:
    path = f"{_copy(office, 'forms')}/*.jsonl"
    return run_tap(office, ["tap-jsonl"], {"path": path, "stream_name": "forms", "primary_keys": ["form"]})


def _copy(office: Office, name: str) -> str:
    return str(shutil.copytree(DATA / name, office.folder / name, dirs_exist_ok=True))


CSV = Source(
    name="tap-csv-folder",
    about="a year of lead lists from Excel, and visits: blank cells, numbers with a point, rows of commas, a family",
    packages=("tap-csv-folder==0.0.1a1",),
    emit=_emit_csv,
    settings=settings_of("csv.yml"),
    rows={
        "customers": (
            {
                "email": "ana.ruiz@example.com",
                "first_name": "Ana",
                "last_name": "Ruiz",
                "phone": "(214) 555-0181",
                "service_address_zip_code": "02134",
                "status": "lead",
                "tags": ["VIP", "Landlord"],
                "customfields": {"Number of units": "12"},
                "notes": "Dog in the yard",
            },
            {
                "email": "bo.chen@example.com",
                "first_name": "Bo",
                "last_name": "Chen",
                "phone": "214.555.0182",
                "service_address_zip_code": "75201",
                "status": "lead",
            },
            {
                "email": "cy.dupont@example.com",
                "first_name": "Cy",
                "last_name": "Dupont",
                "phone": "2145550183",
                "service_address_zip_code": "75202",
                "status": "lead",
                "customfields": {"Number of units": "3"},
            },
            {
                "email": "DEE.EZE@example.com",
                "first_name": "Dee",
                "last_name": "Eze",
                "phone": "214 555 0184",
                "service_address_zip_code": "75203",
                "status": "lead",
            },
            {
                "email": "elodie@example.com",
                "first_name": "Élodie",
                "last_name": "O'Brien, Jr.",
                "company_name": "Smith, Jones & Co",
                "phone": "+1 214 555 0185",
                "service_address_zip_code": "75205",
                "status": "current customer",
                "tags": ["Slow payer"],
                "notes": 'Gate: "blue"\nRing twice',
            },
            {"email": "corin.faketon.1@example.org"},
            {
                "email": "none.null@example.com",
                "first_name": "None",
                "last_name": "Null",
                "phone": "214-555-0187 x12",
                "status": "lead",
                "customfields": {"Number of units": "0"},
                "notes": "N/A",
            },
            {"email": "hart@example.com", "first_name": "Gil", "last_name": "Hart", "status": "lead"},
            {"company_name": "Placeholder Plumbing"},
        ),
        "jobs": (
            {
                "job_type": "Furnace tune-up",
                "customer_id": RowOf("customers", "ana.ruiz@example.com"),
                "start_time": "2026-12-01 15:00:00",
                "end_time": "2026-12-01 17:00:00",
                "status": 1,
            },
            {
                "job_type": "AC repair",
                "customer_id": RowOf("customers", "cy.dupont@example.com"),
                "start_time": "2026-07-15 14:00:00",
                "status": 4,
            },
            {"job_type": "Inspection", "customer_id": RowOf("customers", "Placeholder Plumbing")},
        ),
    },
    rejected={
        "lead-1008": "phone",
        "lead-1010": "lead-1009",
        "lead-1012": "tags",
        "lead-1013": "status",
        "visit-J-4": "start_time",
        "visit-J-5": "customers",
    },
)
SPREADSHEETS_CSV = replace(CSV, name="tap-spreadsheets-csv", packages=SPREADSHEETS, emit=_emit_csv_by_name)
WORKBOOK = Source(
    name="tap-spreadsheets-xlsx",
    about="two sheets of a workbook: codes as numbers, gaps, dates, yes and no",
    packages=SPREADSHEETS,
    emit=_emit_workbook,
    settings=settings_of("spreadsheet.yml"),
    rows={
        "items": (
            {
                "name": "Filter 16x20",
                "sku": "70012",
                "default_unit_price": Decimal("12.5"),
                "default_unit_cost": Decimal("8.25"),
                "quantity_available": 40,
                "default_taxable": True,
                "supplier_item_id": "2145550101",
            },
            {
                "name": "Thermostat",
                "sku": "70013",
                "default_unit_price": Decimal("149.99"),
                "default_unit_cost": Decimal("0.3"),
                "default_taxable": False,
            },
            {
                "name": "Hourly rate",
                "sku": "70014",
                "default_unit_price": Decimal(95),
                "quantity_available": 0,
                "supplier_item_id": "7",
            },
        ),
        "assets": (
            {
                "title": "Furnace",
                "serial_number": "81",
                "model_year": "2019",
                "install_date": "2019-11-04",
                "warranty_information": "2029-11-04",
            },
            {"title": "Pump", "serial_number": "82"},
            {"title": "Boiler", "serial_number": "X-83", "model_year": "2021.5", "warranty_information": "none"},
        ),
    },
)
JSON_LINES = Source(
    name="tap-jsonl",
    about="forms of a website: nested names, numbers as phones and times, missing properties",
    packages=("tap-jsonl==0.3.1",),
    emit=_emit_json_lines,
    settings=settings_of("jsonl.yml"),
    rows={
        "customers": (
            {
                "first_name": "Tess",
                "last_name": "Vale",
                "email": "tess.vale@example.com",
                "phone": "2145550191",
                "tags": ["VIP"],
                "status": "lead",
            },
            {"first_name": "Uma", "status": "lead"},
        ),
        "jobs": (
            {
                "job_type": "Furnace tune-up",
                "customer_id": RowOf("customers", "Tess"),
                "start_time": "2026-12-03 20:00:00",
                "due_date": "2026-12-01 12:00:00",
            },
        ),
    },
)
