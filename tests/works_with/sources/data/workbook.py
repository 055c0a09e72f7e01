"""Write the office's workbook: `python workbook.py PATH`. It runs in the environment of the tap, which has openpyxl."""

from __future__ import annotations

import sys
from datetime import datetime, timezone

from openpyxl import Workbook

PRICES = (
    ("Code", "Name", "Price", "Cost", "Stock", "Taxed", "Vendor part"),
    (70012, "Filter 16x20", 12.5, 8.25, 40, True, 2145550101.0),
    (70013, "Thermostat", 149.99, 0.1 + 0.2, None, False, None),
    (None,) * 7,
    (70014, "Hourly rate", 95, None, 0, None, 7.0),
)
EQUIPMENT = (
    ("Serial", "Title", "Year", "Installed", "Warranty"),
    (81, "Furnace", 2019.0, datetime(2019, 11, 4, tzinfo=timezone.utc).replace(tzinfo=None), "2029-11-04"),
    (82.0, "Pump", None, None, None),
    ("X-83", "Boiler", 2021.5, None, "none"),
)

book = Workbook()
book.active.title = "Price list"
book.create_sheet("Equipment")
for sheet, rows in (("Price list", PRICES), ("Equipment", EQUIPMENT)):
    for row in rows:
        book[sheet].append(row)
book.save(sys.argv[1])
