"""A small account whose answers are counted by hand, in `expected/`.

It is Tuesday, 2026-03-10, 23:00 in Chicago, and Wednesday in UTC. Summer time began on Sunday, 2026-03-08: before, the
zone is 6 hours behind UTC, afterwards 5. A comment at a row says which mistake it would uncover.
"""

from __future__ import annotations

import csv
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import blank_row
from tests.harness.tap_runner import run_tap

EXPECTED = Path(__file__).parent / "expected"
NOW = datetime(2026, 3, 11, 4, tzinfo=timezone.utc)
ZONE = "America/Chicago"
_CREATED = "2026-01-05 15:00:00"
_ADA_HOME = {"address_1": "12 Elm St", "city": "Austin", "state": "TX", "zip_code": "78701"}
_BETA_HOME = {"address_1": "7 Oak Ave", "city": "Waco", "state": "TX", "zip_code": "76701"}

Rows = dict[int, dict[str, Any]]

CUSTOMERS: Rows = {
    1: {  # no display name; the post goes elsewhere
        "first_name": "Ada",
        "last_name": "Alpha",
        "display_name": "",
        "pipeline_status_id": 11,
        "pipeline_status_updated_at": "2026-03-01 12:00:00",
        "main_location": _ADA_HOME,
        "has_different_billing_address": True,
        "billing_address_1": "PO Box 1",
        "billing_city": "Dallas",
        "billing_state": "LA",
        "billing_zip_code": "75201",
    },
    2: {  # came to its stage 31 local days ago, 30 days in UTC
        "display_name": "Beta Homes",
        "pipeline_status_id": 12,
        "pipeline_status_updated_at": "2026-02-08 05:30:00",
        "main_location": _BETA_HOME,
        "billing_address_1": "an old address",
    },
    3: {  # came to its stage 30 local days ago
        "company_name": "Beta Homes, unit 3",
        "parent_id": 2,
        "pipeline_status_id": 12,
        "pipeline_status_updated_at": "2026-02-08 06:30:00",
        "main_location": _BETA_HOME,
    },
    4: {"display_name": "Deleted Dan", "pipeline_status_id": 11},  # deleted, and still owes
    5: {},  # has neither a name nor a stage
    6: {"display_name": "Ada, again", "merged_customer_id": 1, "pipeline_status_id": 11},
}
PIPELINE_STATUSES: Rows = {
    11: {"status": "New", "type": "none"},
    12: {"status": "Quoted", "type": "none"},
    13: {"status": "Lost", "type": "lost"},
}
LOCATIONS: Rows = {21: _ADA_HOME | {"object_id": 1}, 22: _BETA_HOME | {"object_id": 3}}
JOB_STATUSES: Rows = {31: {"name": "To plan", "type": "new"}, 32: {"name": "Done", "type": "completed"}}


def _assigned(user_id: int) -> dict[str, Any]:
    return {"id": 9000 + user_id, "user_id": user_id, "team_id": None}


JOBS: Rows = {
    201: {
        "customer_id": 1,
        "job_type": "Furnace",
        "status": 4,
        "status_id": 32,
        "location_id": 21,
        "start_time": "2026-03-04 15:00:00",
        "completed_at": "2026-03-05T03:00:00.000000Z",
    },
    202: {  # completed on Sunday evening, in UTC on Monday
        "customer_id": 1,
        "job_type": "Filter",
        "status": 4,
        "status_id": 32,
        "location_id": 21,
        "start_time": "2026-03-09 03:00:00",
        "completed_at": "2026-03-09T04:30:00.000000Z",
    },
    203: {  # its invoices are other customers'
        "customer_id": 3,
        "job_type": "Boiler",
        "status": 4,
        "status_id": 32,
        "location_id": 22,
        "start_time": "2025-11-10 15:00:00",
        "completed_at": "2025-11-10T18:00:00.000000Z",
    },
    204: {  # its only invoice is void
        "customer_id": 3,
        "job_type": "Duct",
        "status": 4,
        "status_id": 32,
        "location_id": 22,
        "start_time": "2026-02-01 15:00:00",
        "completed_at": "2026-02-01T18:00:00.000000Z",
    },
    205: {  # created on the last evening of February, in UTC in March
        "customer_id": 2,
        "job_type": "Survey",
        "status": 1,
        "status_id": 31,
        "created_at": "2026-03-01 05:30:00",
    },
    206: {"customer_id": 2, "job_type": "Canceled", "status": 5},
    207: {"customer_id": 5, "job_type": "Waiting", "status": 3, "location_id": 21},
    208: {
        "customer_id": 1,
        "job_type": "Planned",
        "status": 1,
        "start_time": "2026-03-11 04:30:00",
        "assignments": [_assigned(2), _assigned(3)],
    },
    209: {"customer_id": 1, "job_type": "Deleted", "status": 1},
    210: {"customer_id": 1, "job_type": "Template", "status": 1, "is_template": True},
    211: {  # its only invoice is deleted
        "customer_id": 2,
        "job_type": "Meter",
        "status": 4,
        "status_id": 32,
        "start_time": "2026-03-09 20:00:00",
        "completed_at": "2026-03-10T03:00:00.000000Z",
    },
    212: {"customer_id": 99, "job_type": "Old", "status": 4, "completed_at": "2026-03-01T18:00:00.000000Z"},
    215: {"customer_id": 1, "job_type": "Begun without a date", "status": 2},
    216: {"customer_id": 1, "job_type": "On the way without a date", "status": 6},
    214: {"customer_id": 1, "job_type": "Completed template", "status": 4, "is_template": True},
    213: {"customer_id": 99, "job_type": "Lost", "status": 1, "assignments": [_assigned(3)]},
}


def _bill(customer: int, total: str, paid: str, unpaid: str, due: str | None, **others: Any) -> dict[str, Any]:
    money = {"total": total, "amount_paid": paid, "amount_unpaid": unpaid}
    usual = {"status": 3, "qbo_id": "900", "invoiced_date": "2026-01-20 18:00:00"}
    return {"customer_id": customer, "due_date": due, **money, **usual, **others}


INVOICES: Rows = {
    # due on the evening of 9 March: 1 day ago, in UTC today
    101: _bill(
        1,
        "100.00",
        "0.00",
        "100.00",
        "2026-03-10 04:30:00",
        job_id=201,
        qbo_id=None,
        failed_sync=True,
        invoiced_date="2026-03-09 18:00:00",
    ),
    # due tonight; partly paid; without a job, and issued since job 202 was completed
    102: _bill(
        1,
        "204.10",
        "54.05",
        "150.05",
        "2026-03-11 04:30:00",
        status=5,
        qbo_id="",
        invoiced_date="2026-03-09 18:00:00",
        commission_recipient_id=2,
    ),
    103: _bill(1, "80.00", "0.00", "80.00", "2026-02-08 05:30:00"),  # 31 local days, 30 in UTC
    104: _bill(2, "300.00", "0.00", "300.00", "2025-12-10 18:00:00", job_id=203, failed_sync=True),  # 90 days
    105: _bill(2, "40.00", "0.00", "40.00", "2025-12-09 18:00:00"),  # 91 days
    120: _bill(2, "1.00", "0.00", "1.00", "2026-01-09 18:00:00"),  # 60 days
    121: _bill(2, "2.00", "0.00", "2.00", "2026-01-08 18:00:00"),  # 61 days
    106: _bill(2, "25.00", "0.00", "25.00", None),
    107: _bill(2, "-30.00", "0.00", "-30.00", "2025-11-01 18:00:00"),  # a credit, older than what is due
    108: _bill(1, "522.00", "22.00", "500.00", "2026-02-01 18:00:00", status=6, job_id=204, qbo_id=None),  # void
    109: _bill(1, "61.00", "1.00", "60.00", "2026-03-01 18:00:00", status=2, qbo_id=None, job_id=208),  # a draft
    110: _bill(4, "75.25", "5.25", "70.00", "2026-03-01 18:00:00"),
    111: _bill(1, "999.00", "0.00", "999.00", "2026-02-01 18:00:00", job_id=211, qbo_id=None),  # deleted
    112: _bill(
        5,
        "120.00",
        "120.00",
        "0.00",
        "2026-02-01 18:00:00",
        status=4,
        job_id=203,
        qbo_id=None,
        qb_originated=True,
        commission_recipient_id=2,
    ),
    113: _bill(2, "44.00", "0.00", "44.00", "2026-02-20 18:00:00", invoiced_date="2026-02-01 18:00:00", qbo_id=None),
    118: _bill(
        99, "3.50", "0.50", "3.00", "2026-03-20 18:00:00", qbo_id=None, job_id=213
    ),  # of a customer who was never loaded
    117: _bill(1, "12.00", "0.00", "12.00", None, status=6, invoiced_date="2026-03-09 18:00:00"),  # void, without a job
    # rows of the other list, should the server show them in both
    114: _bill(1, "79.00", "2.00", "77.00", None, status=1, qbo_id=None, invoiced_date="2026-03-09 18:00:00"),
    116: _bill(3, "78.00", "0.00", "78.00", None, status=1, qbo_id=None, job_id=204),
    115: _bill(1, "10.00", "0.00", "10.00", "2026-03-10 18:00:00", status=-1),  # seen, and not explained
}


def _quote(customer: int, total: str, issued: str, status_name: str = "Sent", **others: Any) -> dict[str, Any]:
    custom = {"id": 1, "name": status_name, "icon": "envelope", "color": "#57cfff", "type": "estimate_sent"}
    usual = {"status": 1, "amount_unpaid": total, "custom_status": custom}
    return {"customer_id": customer, "total": total, "invoiced_date": issued, **usual, **others}


ESTIMATES: Rows = {
    301: _quote(1, "1000.00", "2026-03-04 16:00:00", title="Heat pump"),
    302: _quote(2, "500.00", "2026-03-05 05:30:00"),  # 6 local days, 5 in UTC
    303: _quote(1, "300.00", "2026-03-05 16:00:00"),  # 5 days
    304: _quote(2, "700.00", "2026-01-05 16:00:00", "Accepted"),
    305: _quote(3, "800.00", "2026-01-05 16:00:00", "Lost"),
    306: _quote(1, "900.00", "2026-01-05 16:00:00", status=6),
    307: _quote(1, "950.00", "2026-01-05 16:00:00"),  # deleted
    311: _quote(1, "620.00", "2026-01-05 16:00:00", "Draft"),
    310: _quote(1, "650.00", "2026-01-05 16:00:00", "Completed"),
    309: _quote(99, "6.00", "2026-03-01 16:00:00"),
    308: _quote(1, "990.00", "2026-01-05 16:00:00"),  # became an invoice
}


def _paid(invoice: int, amount: str, moment: str, method: str = "cash") -> dict[str, Any]:
    customer = INVOICES[invoice]["customer_id"]
    row = {"invoice_id": invoice, "amount": amount, "payment_date": moment, "method": method, "customer_id": customer}
    return row | {"status": 4}


PAYMENTS: Rows = {
    401: _paid(102, "50.05", "2026-03-09 04:30:00"),  # Sunday, 23:30 in summer time; in UTC the next week
    402: _paid(112, "70.00", "2026-03-09 05:15:00", "card"),  # Monday, 0:15 in summer time; in winter time Sunday
    403: _paid(112, "40.00", "2026-03-10 15:00:00", "check"),
    404: _paid(112, "10.00", "2026-03-10 15:00:00", "credit_memo"),
    405: _paid(102, "33.00", "2026-03-10 15:00:00"),  # deleted
    406: _paid(108, "22.00", "2026-03-10 15:00:00"),  # of a void invoice
    407: _paid(110, "5.25", "2026-03-04 12:00:00"),  # of an invoice without a recipient
    408: _paid(109, "1.00", "2026-03-04 12:00:00"),  # of a draft whose job has two users
    409: _paid(114, "2.00", "2026-03-04 12:00:00"),  # of an estimate
    410: _paid(102, "4.00", "2026-03-04 12:00:00", "credit_memo"),
    411: _paid(118, "0.50", "2026-03-04 12:00:00"),  # counts for the only user of the job
    # of an invoice that was never loaded
    412: _paid(118, "0.25", "2026-03-04 12:00:00") | {"invoice_id": 999},
}
TIMESHEETS: Rows = {
    # from 1:00 in winter time to 4:00 in summer time: two hours
    601: {"user_id": 2, "clock_in_time": "2026-03-08 07:00:00", "clock_out_time": "2026-03-08 09:00:00"},
    # has the id of a deleted payment
    405: {"user_id": 3, "clock_in_time": "2026-03-09 13:00:00", "clock_out_time": "2026-03-09 16:20:00"},
    603: {"user_id": 3, "clock_in_time": "2026-03-10 13:00:00"},
    # ends before it begins
    605: {"user_id": 2, "clock_in_time": "2026-03-09 13:00:00", "clock_out_time": "2026-03-09 12:00:00"},
    604: {"user_id": 3, "clock_in_time": "2026-03-09 13:00:00", "clock_out_time": "2026-03-09 19:00:00"},  # deleted
}
USERS: Rows = {
    1: {"first_name": "Office", "last_name": ""},
    2: {"first_name": "Tess", "last_name": "Tech"},
    3: {"first_name": "Umar", "last_name": "Unit"},
}
ITEMS: Rows = {
    501: {  # earns 30 percent, not less; is at its level
        "name": "Valve",
        "sku": "V-1",
        "default_unit_price": "100.0000",
        "default_unit_cost": "70.0000",
        "track_inventory": True,
        "quantity_available": 5,
        "auto_reorder_level": "5",
        "replenishment_level": "20",
        "minimum_order_quantity": "10",
        "vendor_id": 701,
    },
    502: {  # earns 29.99 percent; is above its level
        "name": "Pump",
        "default_unit_price": "100.0000",
        "default_unit_cost": "70.0100",
        "track_inventory": True,
        "quantity_available": 6,
        "auto_reorder_level": "5",
    },
    503: {  # has no price
        "name": "Gift",
        "default_unit_price": "0.0000",
        "default_unit_cost": "5.0000",
        "track_inventory": True,
        "quantity_available": 2,
    },
    504: {"name": "Unknown cost", "default_unit_price": "50.0000", "default_unit_cost": None},
    505: {
        "name": "Retired",
        "default_unit_price": "1.0000",
        "default_unit_cost": "9.0000",
        "is_active": False,
        "track_inventory": True,
        "quantity_available": 0,
    },
    506: {  # costs more than it brings; is oversold and has no level
        "name": "Loss leader",
        "default_unit_price": "10.0000",
        "default_unit_cost": "12.0000",
        "track_inventory": True,
        "quantity_available": -1,
    },
    507: {"name": "Free", "default_unit_price": "0.0000", "default_unit_cost": "0.0000"},
    508: {"name": "Untracked", "default_unit_price": "9.0000", "track_inventory": False, "quantity_available": 0},
}
VENDORS: Rows = {701: {"name": "Acme Supply"}}
TABLES = {
    "customers": CUSTOMERS,
    "pipeline_statuses": PIPELINE_STATUSES,
    "locations": LOCATIONS,
    "job_statuses": JOB_STATUSES,
    "jobs": JOBS,
    "invoices": INVOICES,
    "estimates": ESTIMATES,
    "payments": PAYMENTS,
    "timesheets": TIMESHEETS,
    "users": USERS,
    "items": ITEMS,
    "vendors": VENDORS,
}
_DELETED = {"customers": 4, "jobs": 209, "invoices": 111, "estimates": 307, "payments": 405, "timesheets": 604}


def fill(sandbox: Sandbox) -> None:
    """Make the rows of this module the only rows of their lists."""
    for name, rows in TABLES.items():
        table = sandbox.store.tables[name]
        for row_id in list(table.rows):
            table.take(row_id)
        for row_id, values in rows.items():
            row = blank_row(name)
            stamps = {key: _CREATED for key in ("created_at", "updated_at") if key in row}
            number = {"cuid": 1000 + row_id} if "cuid" in row else {}
            table.upsert(row | stamps | number | values | {"id": row_id})


def emit(folder: Path) -> list[str]:
    """Return the output of two runs of the tap; rows are deleted and moved between them. `folder` gets a snapshot."""
    with Sandbox(customers=0, clock=NOW.timestamp) as sandbox:
        fill(sandbox)
        config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "history_days": 0,
            "detect_deletes": True,
            "max_delete_percent": 100,
            "detail_streams": ["estimates"],
            "snapshot_url": f"sqlite:///{folder}/snapshot.db",
        }
        streams = (*TABLES, "deleted_rows")
        first = run_tap(config, *streams)
        change(sandbox)
        return [first.stdout, run_tap(config, *streams, state=first.state).stdout]


def change(sandbox: Sandbox) -> None:
    """Delete a row of most lists; an estimate becomes an invoice, and an invoice an estimate.

    The loader's tables still have these rows, unless the answers leave them out.
    """
    for name, row_id in _DELETED.items():
        sandbox.store.delete(name, row_id)
    sandbox.store.move("estimates", 308, "invoices")
    sandbox.store.update("invoices", 308, {"status": 2})
    sandbox.store.move("invoices", 113, "estimates")
    sandbox.store.update("estimates", 113, {"status": 1})


def counted_by_hand(name: str) -> tuple[list[str], list[list[str]]]:
    """Return the columns of an answer, and its rows as text."""
    with (EXPECTED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    return columns, rows


def as_text(cell: Any) -> str:
    """Return a cell of an answer as the files have it.

    Raises: TypeError for a float, which has no place here: money is exact.
    """
    if isinstance(cell, float):
        raise TypeError(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    return "" if cell is None else str(cell)
