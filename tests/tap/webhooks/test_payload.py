"""Payloads: any body is a delivery or is rejected, and a repeated delivery has the same key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_fieldpulse.webhooks.payload import InvalidDelivery, read_delivery
from tests.harness.receiver import Json, created_delivery, parse_delivery, status_delivery

EVENTS = [
    *("Job Created", "Job Custom Status Update", "Job Workflow Custom Status Update"),
    *("Job Start Time Update", "Job End Time Update"),
    *(
        f"{noun} {ending}"
        for noun in ("Estimate", "Invoice")
        for ending in ("Created", "Custom Status Update", "Workflow Custom Status Update")
    ),
]


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.text() | st.sampled_from(["id", "object", "updated_at", "new_value"]), values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | _objects(values),
)


def test_the_test_covers_the_eleven_documented_events() -> None:
    """The vendor documents eleven events."""
    assert len(EVENTS) == 11


@pytest.mark.parametrize("trigger", EVENTS)
def test_each_documented_event_is_recognised(trigger: str) -> None:
    """The trigger determines the event and the object type."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert delivery.event == trigger.lower().replace(" ", "_")
    assert (delivery.object_type, delivery.object_id, delivery.account) == (
        trigger.split(maxsplit=1)[0].lower(),
        7,
        "1",
    )


def test_the_data_of_a_created_event_is_the_row() -> None:
    """It has neither an old nor a new value."""
    delivery = parse_delivery(created_delivery(7, job_type="Repair"))
    assert (delivery.old_value, delivery.new_value, delivery.updated_at) == (None, None, "2026-03-09 18:22:41")
    assert json.loads(delivery.data)["job_type"] == "Repair"


def test_an_update_has_the_old_and_the_new_value() -> None:
    """Both are text, whatever their type is."""
    assert (parse_delivery(status_delivery(7, 5)).old_value, parse_delivery(status_delivery(7, 5)).new_value) == (
        "1",
        "5",
    )
    assert parse_delivery(status_delivery(7, {"a": None}, old="On The Way")).new_value == '{"a":null}'
    assert parse_delivery(status_delivery(7, None, old="On The Way")).old_value == "On The Way"


@pytest.mark.parametrize(
    ("trigger", "object_type"),
    [
        ("Customer Created", "customer"),
        ("Customer Contact Created", "customer_contact"),
        ("Job Status Update", "job"),
        ("Robot Created", None),
        ("Jobs Merged", None),
    ],
)
def test_an_undocumented_event_is_accepted(trigger: str, object_type: str | None) -> None:
    """The vendor may add events, and an event that names an object is still a hint."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert (delivery.event, delivery.object_type, delivery.object_id) == ("unknown", object_type, 7)


@pytest.mark.parametrize("trigger", ["JOB CREATED", " job  created", "job_created", "Job-Created"])
def test_the_spelling_of_a_trigger_may_vary(trigger: str) -> None:
    """The trigger is emitted unchanged."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert (delivery.event, delivery.trigger) == ("job_created", trigger)


def test_a_repeated_delivery_has_the_same_key() -> None:
    """The key depends on trigger, object, time and new value only."""
    assert (
        parse_delivery(status_delivery(7, 5, old=2, notes="a")).key
        == parse_delivery(status_delivery(7, 5, old=3, notes="b")).key
    )


@pytest.mark.parametrize(
    "other",
    [
        status_delivery(8, 5),
        status_delivery(7, 6),
        status_delivery(7, 5, account="2"),
        status_delivery(7, 5, updated_at="2026-03-09 18:22:42"),
        status_delivery(7, 5) | {"trigger": "Estimate Workflow Custom Status Update"},
        status_delivery(7, 5) | {"trigger": "Job Custom Status Update"},
    ],
)
def test_different_changes_have_different_keys(other: Json) -> None:
    """Each of these parts distinguishes two changes."""
    assert parse_delivery(other).key != parse_delivery(status_delivery(7, 5)).key


def test_without_a_time_the_key_depends_on_all_data() -> None:
    """Otherwise the second change of a row would count as a repeat of the first."""
    first, second = (created_delivery(7, updated_at=None, subtitle=text) for text in ("a", "b"))
    assert parse_delivery(first).key != parse_delivery(second).key
    assert parse_delivery(first).key == parse_delivery(first).key


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xff\xfe", "json"),
        (b"[" * 100_000, "json"),
        (b"[]", "json"),
        (b"null", "json"),
        (b'{"id": NaN}', "json"),
        (b'{"a": "\\ud800"}', "json"),
        (b'{"a": 1e99999999999999999999}', "json"),
        (b'{"a": "\\u0000"}', "text"),
        (b'{"\\u0000": 1}', "text"),
        (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", "nested"),
        (b'{"a": ' + b"9" * 4000 + b"}", "number"),
        (b'{"a": 1000000000000000000}', "number"),
        (b'{"a": 1e400}', "number"),
        (b"{}", "keys"),
    ],
)
def test_a_body_that_is_not_a_delivery_is_rejected_with_a_reason(body: bytes, reason: str) -> None:
    """The reason is one word, and contains nothing of the body."""
    with pytest.raises(InvalidDelivery) as caught:
        read_delivery(body)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        *(({name: None}, "keys") for name in ("trigger", "message", "data")),
        *(({name: 7}, "keys") for name in ("trigger", "message", "data")),
        ({"trigger": " "}, "keys"),
        ({"data": []}, "keys"),
        *(({"company": value}, "company") for value in (None, 7, "", "Acme", "FieldPulse_Acme_", "FieldPulse_A_1x")),
        ({"company": "FieldPulse_A_\u0661"}, "company"),
        *(({"data": {"id": value}}, "object") for value in (None, 0, -1, True, 1.5, "x", "", [], {}, "0")),
        ({"data": {}}, "object"),
        ({"data": {"object": {}, "new_value": 1}}, "object"),
    ],
)
def test_each_documented_key_is_required(wrong: Json, reason: str) -> None:
    """A body that names no object of an account is not a hint."""
    with pytest.raises(InvalidDelivery, match=reason):
        parse_delivery(created_delivery(7) | wrong)


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_delivery_or_is_rejected(body: bytes) -> None:
    """No other exception is raised."""
    try:
        read_delivery(body)
    except InvalidDelivery:
        return


@given(trigger=JSON, message=JSON, data=JSON | _objects(JSON), company=JSON | st.text().map("F_{}_1".format))
@example(trigger="Job Created", message="", data={"id": 1, "object": {"id": 2}}, company="FieldPulse__1")
@example(trigger="x", message="\ud800", data={"id": 1}, company="_1")
def test_every_accepted_delivery_can_be_stored(trigger: Any, message: Any, data: Any, company: Any) -> None:
    """Texts are UTF-8 without NUL, ids fit 64 bits, and data is JSON."""
    body = {"trigger": trigger, "message": message, "data": data, "company": company}
    try:
        delivery = parse_delivery(body)
    except InvalidDelivery:
        return
    for value in vars(delivery).values():
        assert value is None or isinstance(value, int) or "\0" not in value.encode().decode()
    assert 0 < delivery.object_id < 2**63
    assert isinstance(json.loads(delivery.data), dict)
    assert "\\u0000" not in delivery.data.replace("\\\\", "")
