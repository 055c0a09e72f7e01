"""A body is a delivery or is refused, whatever it is; the same delivery has the same key."""

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


def test_there_are_eleven_events() -> None:
    """Those that the vendor documents."""
    assert len(EVENTS) == 11


@pytest.mark.parametrize("trigger", EVENTS)
def test_each_documented_event_is_known(trigger: str) -> None:
    """By its name, and by what it is of."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert delivery.event == trigger.lower().replace(" ", "_")
    assert (delivery.object_type, delivery.object_id, delivery.account) == (
        trigger.split(maxsplit=1)[0].lower(),
        7,
        "1",
    )


def test_a_created_row_is_the_data_itself() -> None:
    """There is no old and no new value of it."""
    delivery = parse_delivery(created_delivery(7, job_type="Repair"))
    assert (delivery.old_value, delivery.new_value, delivery.updated_at) == (None, None, "2026-03-09 18:22:41")
    assert json.loads(delivery.data)["job_type"] == "Repair"


def test_an_update_says_the_values_before_and_now() -> None:
    """As text, whatever they are."""
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
def test_an_event_that_nobody_documents_is_kept(trigger: str, object_type: str | None) -> None:
    """A vendor adds events; one that names an object is still a hint."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert (delivery.event, delivery.object_type, delivery.object_id) == ("unknown", object_type, 7)


@pytest.mark.parametrize("trigger", ["JOB CREATED", " job  created", "job_created", "Job-Created"])
def test_a_trigger_may_be_written_otherwise(trigger: str) -> None:
    """It is emitted as it came."""
    delivery = parse_delivery(created_delivery(7) | {"trigger": trigger})
    assert (delivery.event, delivery.trigger) == ("job_created", trigger)


def test_a_delivery_that_is_sent_again_has_the_same_key() -> None:
    """Trigger, object, time and new value make one, whatever the rest says."""
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
def test_another_change_has_another_key(other: Json) -> None:
    """Each of these parts tells two changes apart."""
    assert parse_delivery(other).key != parse_delivery(status_delivery(7, 5)).key


def test_without_a_time_all_that_is_shown_tells_changes_apart() -> None:
    """Else the second change of a row would be taken for the first."""
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
def test_a_body_that_is_no_delivery_is_refused_with_a_word(body: bytes, reason: str) -> None:
    """The word says nothing of what was in it."""
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
def test_each_documented_key_is_needed(wrong: Json, reason: str) -> None:
    """What names no object of an account is no hint."""
    with pytest.raises(InvalidDelivery, match=reason):
        parse_delivery(created_delivery(7) | wrong)


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_delivery_or_refused(body: bytes) -> None:
    """And nothing else happens."""
    try:
        read_delivery(body)
    except InvalidDelivery:
        return


@given(trigger=JSON, message=JSON, data=JSON | _objects(JSON), company=JSON | st.text().map("F_{}_1".format))
@example(trigger="Job Created", message="", data={"id": 1, "object": {"id": 2}}, company="FieldPulse__1")
@example(trigger="x", message="\ud800", data={"id": 1}, company="_1")
def test_whatever_is_taken_can_be_stored(trigger: Any, message: Any, data: Any, company: Any) -> None:
    """Texts are UTF-8 without NUL, ids fit, data is JSON."""
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
