"""Filters: no query parameter can hide a matching row, and the tap checks every row."""

from __future__ import annotations

from datetime import timezone
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import BY_NAME
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.name_index import NameIndex

NAMES = {
    ("pipeline_statuses", "name"): {11: "New Lead"},
    ("pipeline_statuses", "status"): {12: "Won"},
    ("lead_sources", "name"): {21: "Website"},
    ("tags", "title"): {31: "VIP", 32: "2024"},
    ("job_statuses", "name"): {41: "Waiting for parts", 42: "Completed"},
    ("users", "email"): {51: "ada@example.com"},
    ("users", "first_name last_name"): {51: "Ada Example", 52: "Bo Sample"},
    ("teams", "title"): {61: "North Crew"},
}


def name_index(stream: str, columns: str) -> NameIndex:
    index = NameIndex()
    for row_id, name in NAMES[stream, columns].items():
        index.add(row_id, name)
        index.names.append(name)
    return index


def filters(stream: str, **values: Any) -> Filters:
    return read_filters(BY_NAME[stream], values, name_index, timezone.utc)


JOB = {"id": 1, "status": 4, "status_id": 42, "start_time": "2026-03-09 18:00:00", "created_at": "2026-03-01 08:00:00"}
JOB["assignments"] = [{"user_id": 51, "team_id": 61}]
CUSTOMER = {
    "id": 1,
    "status": "lead",
    "pipeline_status_id": 12,
    "lead_source_id": 21,
    "tags": [31],
    "city": "Testville",
}
CUSTOMER["main_location"] = {"id": 71, "title": "Main Location", "zip_code": "75000"}
INVOICE = {"id": 1, "status": 3, "invoiced_date": "2026-03-31 13:00:00"}
PAYMENT = {"id": 1, "status": 4, "payment_date": "2026-03-31 13:00:00"}


@pytest.mark.parametrize(
    ("stream", "row", "values", "is_match"),
    [
        ("customers", CUSTOMER, {"pipeline_status": "won"}, True),
        ("customers", CUSTOMER, {"pipeline_status": 12}, True),
        ("customers", CUSTOMER, {"pipeline_status": "New Lead"}, False),
        ("customers", CUSTOMER, {"pipeline_status": ["New Lead", "Won"]}, True),
        ("customers", CUSTOMER, {"lead_source": "Website"}, True),
        ("customers", CUSTOMER, {"tag": "vip"}, True),
        ("customers", CUSTOMER | {"tags": [{"id": 31, "title": "VIP"}]}, {"tag": "VIP"}, True),
        ("customers", CUSTOMER | {"tags": ["VIP"]}, {"tag": "VIP"}, True),
        ("customers", CUSTOMER | {"tags": []}, {"tag": "VIP"}, False),
        ("customers", CUSTOMER, {"tag": "2024"}, False),
        ("customers", CUSTOMER, {"location": "testville"}, True),
        ("customers", CUSTOMER, {"location": 71}, True),
        ("customers", CUSTOMER, {"location": "75000"}, True),
        ("customers", CUSTOMER, {"location": "Elsewhere"}, False),
        ("customers", CUSTOMER | {"main_location": None, "city": None}, {"location": "Testville"}, False),
        ("customers", CUSTOMER, {"status": "Lead"}, True),
        ("customers", CUSTOMER, {"status": "lead", "pipeline_status": "New Lead"}, False),
        ("jobs", JOB, {"status": "Completed"}, True),
        ("jobs", JOB, {"status": 4}, True),
        ("jobs", JOB, {"status": "4"}, True),
        ("jobs", JOB, {"status": ["New", 5]}, False),
        ("jobs", JOB, {"status": "Waiting for parts"}, False),
        ("jobs", JOB | {"status_id": 41}, {"status": ["Waiting for parts", "New"]}, True),
        ("jobs", JOB, {"assignee": "ada@example.com"}, True),
        ("jobs", JOB, {"assignee": "bo sample"}, False),
        ("jobs", JOB | {"assignments": None}, {"assignee": 51}, False),
        ("jobs", JOB, {"team": "north crew"}, True),
        ("jobs", JOB, {"scheduled_from": "2026-03-09", "scheduled_to": "2026-03-09"}, True),
        ("jobs", JOB, {"scheduled_from": "2026-03-09T18:00:01Z"}, False),
        ("jobs", JOB, {"scheduled_to": "2026-03-08"}, False),
        ("jobs", JOB | {"start_time": None}, {"scheduled_from": "2020-01-01"}, False),
        ("jobs", JOB | {"start_time": "soon"}, {"scheduled_from": "2020-01-01"}, False),
        ("jobs", JOB, {"created_from": "2026-03-01T08:00:00Z", "created_to": "2026-03-01T08:00:00Z"}, True),
        ("invoices", INVOICE, {"status": "Invoiced"}, True),
        ("invoices", INVOICE | {"status": -1}, {"status": -1}, True),
        ("invoices", INVOICE, {"date_to": "2026-03-31"}, True),
        ("invoices", INVOICE, {"date_to": "2026-03-30"}, False),
        ("estimates", INVOICE, {"status": ["Draft", "Paid"]}, False),
        ("payments", PAYMENT, {"status": 4, "date_from": "2026-03-31"}, True),
        ("payments", PAYMENT | {"status": "4"}, {"status": 4}, True),
    ],
)
def test_a_row_is_matched_by_names_and_ids(
    stream: str, row: dict[str, Any], values: dict[str, Any], is_match: bool
) -> None:
    """Case does not matter, a day includes its end, and a row without the value does not match."""
    assert filters(stream, **values).matches(row) is is_match


@pytest.mark.parametrize(
    ("stream", "values", "query"),
    [
        (
            "customers",
            {"pipeline_status": ["Won", "New Lead"], "status": "lead"},
            {
                "filter[0][action]": "where",
                "filter[0][attribute]": "pipeline_status_id",
                "filter[0][operator]": "in",
                "filter[0][value]": "11,12",
                "filter[0][class]": "int_array",
                "filter[1][action]": "and",
                "filter[1][attribute]": "status",
                "filter[1][operator]": "in",
                "filter[1][value]": "lead",
            },
        ),
        ("customers", {"tag": "VIP", "location": "Testville"}, {}),
        ("jobs", {"status": "Waiting for parts"}, {"status_id": "41"}),
        ("jobs", {"status": ["Waiting for parts", "New"]}, {}),
        ("jobs", {"assignee": "Ada Example"}, {"asn[0][assigned_members][0]": "51"}),
        ("jobs", {"assignee": ["Ada Example", 52]}, {}),
        ("jobs", {"created_to": "9999-12-31"}, {"created_to": "253402300799"}),
        (
            "jobs",
            {"scheduled_to": "1970-01-03T00:00:00Z"},
            {
                "filter[0][action]": "where",
                "filter[0][attribute]": "start_time",
                "filter[0][operator]": "<",
                "filter[0][value]": "259200",
            },
        ),
        (
            "payments",
            {"date_from": "2026-03-02"},
            {
                "filter[0][action]": "where",
                "filter[0][attribute]": "payment_date",
                "filter[0][operator]": ">=",
                "filter[0][value]": "2026-03-01T00:00:00",
                "filter[0][class]": "date",
            },
        ),
        ("jobs", {"team": "North Crew"}, {"asn[0][team_id]": "61"}),
        ("jobs", {"team": [61, 62]}, {}),
        ("jobs", {"created_from": "1970-01-03"}, {"created_from": "86400"}),
        ("jobs", {"created_to": "1970-01-03T00:00:00Z"}, {"created_to": "259200"}),
    ],
)
def test_the_query_is_documented_and_hides_no_matching_row(
    stream: str, values: dict[str, Any], query: dict[str, str]
) -> None:
    """A condition that the API cannot express is not sent. A time is sent with a margin of one day."""
    assert filters(stream, **values).query == query


@pytest.mark.parametrize(
    ("stream", "values", "message"),
    [
        ("customers", {"pipline_status": "Won"}, "did you mean 'pipeline_status'"),
        ("customers", {"pipeline_status": "Wun"}, "did you mean 'Won'"),
        ("customers", {"status": "leed"}, "did you mean 'lead'"),
        ("customers", {"status": []}, "has no value"),
        ("customers", {"status": None}, "The filter has no such value"),
        ("customers", {"lead_source": {"name": "Website"}}, "The filter has no such value"),
        ("jobs", {"status": "Compleeted"}, "did you mean 'Completed'"),
        ("jobs", {"scheduled_from": "next week"}, "ISO 8601"),
        ("jobs", {"scheduled_from": 7}, "ISO 8601"),
        ("payments", {"status": "settled"}, "The filter has no such value"),
        ("payments", {"status": True}, "The filter has no such value"),
    ],
)
def test_an_invalid_filter_is_rejected_with_the_allowed_values(
    stream: str, values: dict[str, Any], message: str
) -> None:
    """A misspelt name must select neither no row nor all rows."""
    with pytest.raises(ConfigError) as caught:
        filters(stream, **values)
    assert message in str(caught.value)
    assert f"filters.{stream}." in caught.value.where


def test_the_error_for_an_unknown_user_names_no_other_user() -> None:
    """Names and e-mail addresses of users are personal data."""
    with pytest.raises(ConfigError) as caught:
        filters("jobs", assignee="eve@example.com")
    assert "Ada" not in str(caught.value)
    assert "example.com" not in str(caught.value)


def test_different_filters_have_different_digests() -> None:
    """The next run must notice a changed filter."""
    digests = [filters("jobs", **values).digest for values in ({}, {"status": "New"}, {"status": "Completed"})]
    assert digests[0] is None
    assert len(set(digests)) == 3
