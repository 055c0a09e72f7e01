"""Estimates, invoices, payments, contracts, and the QuickBooks classes of documents."""

from __future__ import annotations

from .model import ANY_COLUMN, LIST_AND_GET, LIST_ONLY, Evidence, Filter, Resource, WritableResource
from .shorthand import ASSIGNMENTS, STATUS_EVENTS, derived_from, fields_of, row_of, time_range
from .write_model import Action, CodeLabels, Field, FieldType, WriteSpec

# Inferred from the vendor's export code: estimates and invoices share one table (API facts 4.11).
DOCUMENT_STATUS_LABELS = CodeLabels(
    "status",
    ((1, "Estimate"), (2, "Draft"), (3, "Invoiced"), (4, "Paid"), (5, "Partially Paid"), (6, "Void")),
)
_PAYMENT_METHOD_LABELS = CodeLabels(
    "method",
    (
        ("cash", "Cash"),
        ("check", "Check"),
        ("card", "Card"),
        ("bank_transfer", "Bank transfer"),
        ("other", "Other"),
        ("credit_memo", "Credit memo"),
    ),
)
# The documented body is empty. These are columns of live rows that a client would set (verified).
_DOCUMENT_FIELDS = (
    *fields_of(FieldType.INTEGER, "customer_id job_id project_id contract_id"),
    Field("status", FieldType.INTEGER, code_labels=DOCUMENT_STATUS_LABELS),
    *fields_of(FieldType.INTEGER, "status_id status_workflow_id"),
    *fields_of(FieldType.TEXT, "title notes"),
    *fields_of(FieldType.TIME, "invoiced_date due_date"),
    *fields_of(FieldType.DECIMAL, "tax_rate discount"),
    Field(  # API facts 4.11
        "not_optional_line_items",
        FieldType.JSON,
        row_column="line_items",
        amount_keys=("line_components", "unit_price"),
    ),
    Field("assignments", FieldType.JSON),
)
_DOCUMENT_REFERENCES = (row_of("customer"), row_of("job"), row_of("project"), *ASSIGNMENTS)
_DOCUMENT_FILTERS = (
    Filter(name="status", columns=("status",), query_param="filter"),
    *time_range("date", "invoiced_date"),
)
_DOCUMENT_AMOUNTS = tuple(
    derived_from("line_items discount tax_rate", "subtotal subtotal_discounted tax total service_price amount_unpaid")
)


ESTIMATES = WritableResource(
    name="estimates",
    path="/estimates",
    item_path="/estimates/{id}",
    title="Estimates, with line items",
    sort_by=(ANY_COLUMN,),
    code_labels=(DOCUMENT_STATUS_LABELS,),
    filters=_DOCUMENT_FILTERS,
    moves_to="invoices",
    derived_columns=_DOCUMENT_AMOUNTS,
    webhook_events=STATUS_EVENTS,
    evidence=Evidence.VERIFIED,
    source="live rows from 2026; display flags by name only",
    write_spec=WriteSpec(
        fields=_DOCUMENT_FIELDS,
        references=_DOCUMENT_REFERENCES,
        required=("customer_id",),
        fingerprint_fields=("customer_id", "job_id", "project_id", "title"),
    ),
)

INVOICES = WritableResource(
    name="invoices",
    path="/invoices",
    item_path="/invoices/{id}",
    title="Invoices, with line items and payments",
    sort_by=(ANY_COLUMN,),
    custom_field_object="invoice",
    code_labels=(DOCUMENT_STATUS_LABELS,),
    filters=_DOCUMENT_FILTERS,
    moves_to="estimates",
    derived_columns=_DOCUMENT_AMOUNTS,
    webhook_events=STATUS_EVENTS,
    evidence=Evidence.VERIFIED,
    source="live rows from 2026; display flags by name only",
    write_spec=WriteSpec(
        fields=(*_DOCUMENT_FIELDS, Field("customfields", FieldType.JSON)),
        references=_DOCUMENT_REFERENCES,
        required=("customer_id",),
        fingerprint_fields=("customer_id", "job_id", "project_id", "title"),
        is_money=True,
        actions=(
            Action(
                name="price_update",
                path="/invoices/{id}/price-update",
                item=WriteSpec(
                    fields=(Field("id", FieldType.INTEGER), Field("line_components", FieldType.JSON)),
                    required=("id", "line_components"),
                ),
                body_key="line_items",
            ),
        ),
    ),
)

PAYMENTS = WritableResource(
    name="payments",
    path="/payments",
    item_path="/payments/{id}",
    title="Payments of invoices",
    sort_by=("cuid", "method", "amount", "payment_date"),
    code_labels=(_PAYMENT_METHOD_LABELS,),
    filters=(Filter(name="status", columns=("status",), query_param="filter"), *time_range("date", "payment_date")),
    derived_columns=tuple(derived_from("invoice_id", "customer_id")),
    evidence=Evidence.VERIFIED,
    source="2,364 live rows from 2026 for the main keys",
    write_spec=WriteSpec(
        fields=(
            Field("invoice_id", FieldType.INTEGER),
            Field("payment_date", FieldType.TIME),
            Field("amount", FieldType.DECIMAL),
            # The vendor's example has a trailing space in this name, probably a typo.
            Field("method", code_labels=_PAYMENT_METHOD_LABELS),
            Field("payment_method_id", FieldType.INTEGER),
            *fields_of(FieldType.TEXT, "notes square_transaction_id"),
        ),
        references=(row_of("invoice"),),
        required=("invoice_id", "amount"),
        fingerprint_fields=("invoice_id", "amount", "method", "payment_date"),
        is_money=True,
    ),
)

CONTRACTS = Resource(
    name="contracts",
    path="/contracts",
    item_path="/contracts/{id}",
    title="Contract texts for estimates and invoices",
    operations=LIST_AND_GET,
    supports_page=False,
    updated_column=None,
    evidence=Evidence.INFERRED,
    source="invoices refer to it; no response was ever published",
)


def _qb_classes(singular: str) -> Resource:
    """Return the entry of the QuickBooks classes of one kind of document."""
    return Resource(
        name=f"{singular}_qb_classes",
        path=f"/{singular}s/qb-classes",
        title=f"QuickBooks classes of {singular}s",
        operations=LIST_ONLY,
        updated_column=None,
        supports_sort=False,
        supports_count=False,
        supports_page=False,
        evidence=Evidence.INFERRED,
        source="only the parameters are documented",
    )


JOB_QB_CLASSES = _qb_classes("job")
ESTIMATE_QB_CLASSES = _qb_classes("estimate")
INVOICE_QB_CLASSES = _qb_classes("invoice")
