"""Values of fields: forgiving where the meaning is clear, exact with money, and refused with what is expected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.write_model import Field, FieldType
from target_fieldpulse.records.field_codec import FieldCodec, describe

CODEC = FieldCodec()
WHOLE, YES_NO = Field("order", FieldType.INTEGER), Field("taxable", FieldType.BOOLEAN)
QUANTITY, RATE = Field("default_quantity", FieldType.DECIMAL), Field("tax_rate", FieldType.DECIMAL)
AMOUNT, UNIT_PRICE = Field("amount", FieldType.DECIMAL), Field("default_unit_price", FieldType.DECIMAL)
NESTED = Field("locations", FieldType.JSON)


def field(stream: str, name: str) -> Field:
    return WRITABLE[stream].write_spec.by_name[name]


CUSTOMER_STATUS, JOB_STATUS = field("customers", "status"), field("jobs", "status")
INVOICE_STATUS, OBJECT_TYPE = field("invoices", "status"), field("locations", "object_type")
PAYMENT_METHOD, PHONE = field("payments", "method"), field("customers", "phone")


@pytest.mark.parametrize(
    ("written", "value", "wire"),
    [
        (WHOLE, "1.0", 1),
        (WHOLE, "1e3", 1000),
        (WHOLE, Decimal("7.00"), 7),
        (WHOLE, " 12 ", 12),
        *((YES_NO, word, True) for word in ("t", "TRUE", "yes", "Y", "on", "1", 1, True, Decimal("1.0"))),
        *((YES_NO, word, False) for word in ("f", "False", "no", "N", "Off", "0", 0, False)),
        (QUANTITY, "1,234.50", "1234.50"),
        (QUANTITY, Decimal("0.12345678"), "0.12345678"),
        (RATE, "9.75", "9.75"),
        (AMOUNT, "$1,234.50", "1234.50"),
        (AMOUNT, "1,234,567.89", "1234567.89"),
        (AMOUNT, "-$5.00", "-5.00"),
        (AMOUNT, "$8.25", "8.25"),
        (AMOUNT, "8.2500", "8.25"),
        (AMOUNT, Decimal("1234.5600000000000000"), "1234.56"),
        (AMOUNT, Decimal("0.30000000000000004"), "0.30"),
        (AMOUNT, 0.1 + 0.2, "0.30"),
        (AMOUNT, "1234.5600000000002", "1234.56"),
        (AMOUNT, Decimal("12345678901234567.89"), "12345678901234567.89"),
        (AMOUNT, 100, "100"),
        (UNIT_PRICE, "0.1250", "0.1250"),
        (CUSTOMER_STATUS, "Lead", "lead"),
        (CUSTOMER_STATUS, " CURRENT  customer", "current customer"),
        (CUSTOMER_STATUS, "current_customer", "current customer"),
        (JOB_STATUS, "on the way", 6),
        (JOB_STATUS, "On-The-Way", 6),
        (JOB_STATUS, "4.0", 4),
        (INVOICE_STATUS, "partially paid", 5),
        (INVOICE_STATUS, -1, -1),
        (OBJECT_TYPE, "Customers", "customer"),
        (PAYMENT_METHOD, "CASH", "cash"),
        (PAYMENT_METHOD, "Bank Transfer", "bank_transfer"),
        (PAYMENT_METHOD, "Barter", "Barter"),
        (PHONE, "2145550110.0", "2145550110"),
    ],
    ids=repr,
)
def test_a_value_whose_meaning_is_clear_is_written_in_the_form_of_the_api(
    written: Field, value: Any, wire: Any
) -> None:
    """Databases, spreadsheets and languages write the same value in different forms."""
    assert CODEC.to_wire(written, value) == wire


BOOLEANS = "true or false (or yes or no, 1 or 0) is expected"
NUMBERS = "a number like 1234.5 or 1,234.50 is expected"
AMOUNTS = "an amount like 1234.50 or $1,234.50 is expected"
CUSTOMER_STATUSES = "allowed: lead, opportunity, current customer, lost, other, inactive"
JOB_STATUSES = "allowed: 1 New, 2 In Progress, 3 Pending, 4 Completed, 5 Canceled, 6 On The Way"
INVOICE_STATUSES = "allowed: 1 Estimate, 2 Draft, 3 Invoiced, 4 Paid, 5 Partially Paid, 6 Void"
LIST = 'a list or an object in JSON is expected; put your list into JSON, like ["VIP", "Landlord"]'


@pytest.mark.parametrize(
    ("written", "value", "reason"),
    [
        (WHOLE, "7.5", "a whole number is expected"),
        (WHOLE, True, "a whole number is expected"),
        (YES_NO, "maybe", BOOLEANS),
        (YES_NO, 2, BOOLEANS),
        (QUANTITY, "1,234", NUMBERS),
        (QUANTITY, "$5", NUMBERS),
        (AMOUNT, "1,234", AMOUNTS),
        (AMOUNT, "1.234,50", AMOUNTS),
        (AMOUNT, "12,34.50", AMOUNTS),
        (AMOUNT, "8,25 EUR", AMOUNTS),
        (AMOUNT, Decimal("8.255"), "it has more than 2 decimal places, which FieldPulse would round"),
        (UNIT_PRICE, "0.00375", "it has more than 4 decimal places, which FieldPulse would round"),
        (CUSTOMER_STATUS, "LEED", f"{CUSTOMER_STATUSES}; did you mean 'lead'?"),
        (JOB_STATUS, "complete", f"{JOB_STATUSES}; did you mean '4 Completed'?"),
        (JOB_STATUS, "-1", JOB_STATUSES),
        (INVOICE_STATUS, "voided", f"{INVOICE_STATUSES}; did you mean '6 Void'?"),
        (NESTED, "Home, Shop", LIST),
    ],
    ids=repr,
)
def test_a_value_whose_meaning_is_unclear_is_refused_with_what_is_expected(
    written: Field, value: Any, reason: str
) -> None:
    """The message describes the value by type or length."""
    with pytest.raises(RecordInvalid) as caught:
        CODEC.to_wire(written, value)
    assert caught.value.what == f"{written.name} is {describe(value)}; {reason}"
