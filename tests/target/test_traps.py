"""What two hostile testers found: small things that would have written to the wrong row, twice, or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target

Config = dict[str, Any]

HEAD = schema_message(
    "customers", "external_id", "id", "first_name", "last_name", "email", "phone", "display_name", "notes"
)
JOBS = schema_message(
    "jobs", "external_id", "id", "customer_id", "job_type", "subtitle", "status_id", "job_status", "team"
)


def writes(box: Sandbox, since: int = 0) -> list[str]:
    return [f"{one.method} {one.path}" for one in box.requests[since:] if one.method != "GET"]


def named(box: Sandbox, *names: str) -> list[Config]:
    return [row for row in box.rows("customers") if row["first_name"] in names]


@pytest.mark.parametrize("value", [False, 0, "", " ", None, "0000-00-00 00:00:00"], ids=repr)
def test_what_is_no_time_deletes_nothing(box: Sandbox, target_config: Config, tmp_path: Path, value: Any) -> None:
    """A source says in many ways that a record is not deleted."""
    row = box.rows("customers")[0]
    text = singer_lines(HEAD, record_message("customers", id=row["id"], notes="Still here", deleted_at=value))
    assert run_target(target_config | {"hard_delete": True}, text, tmp_path).counts == {"updated": 1}


@pytest.mark.parametrize("value", ["null", True, [], {}], ids=repr)
def test_what_nobody_understands_is_rejected_and_deletes_nothing(
    box: Sandbox, target_config: Config, tmp_path: Path, value: Any
) -> None:
    """A guess would take a customer away."""
    text = singer_lines(
        HEAD, record_message("customers", id=box.rows("customers")[0]["id"], notes="x", _sdc_deleted_at=value)
    )
    assert run_target(target_config | {"hard_delete": True}, text, tmp_path).counts == {"rejected": 1}
    assert writes(box) == []


def test_keys_that_fieldpulse_keeps_are_compared_letter_by_letter(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """`a1` is not `A1`, with one ledger or another; an e-mail does not hand a row over to another key."""
    config = target_config | {"external_id_fields": {"customers": "Gate code"}}
    for key, name in (("a1", "Low"), ("A1", "Up"), ("b  1", "Wide"), ("b 1", "Slim")):
        run_target(config, singer_lines(HEAD, record_message("customers", external_id=key, first_name=name)), tmp_path)
    assert len(named(box, "Low", "Up", "Wide", "Slim")) == 4
    shared = {"email": "one@example.com"}
    first = singer_lines(HEAD, record_message("customers", external_id="s1", first_name="S", **shared))
    second = singer_lines(HEAD, record_message("customers", external_id="s2", first_name="S", **shared))
    assert run_target(config, first, tmp_path).counts == {"created": 1}
    assert run_target(config, second, tmp_path).counts == {"rejected": 1}
    (row,) = named(box, "S")
    assert [one["value"] for one in row["customfields"]] == ["s1"]
    clash = record_message("customers", external_id="s1", first_name="S", custom_fields={"Gate code": "mine"}, **shared)
    head = schema_message("customers", "external_id", "first_name", "email", "custom_fields")
    assert run_target(config, singer_lines(head, clash), tmp_path).counts == {"rejected": 1}


def test_a_key_that_is_kept_later_is_written_to_rows_that_are_known(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The setting is added, the record comes again: one request, once."""
    text = singer_lines(HEAD, record_message("customers", external_id="late", first_name="Late"))
    run_target(target_config, text, tmp_path)
    config = target_config | {"external_id_fields": {"customers": "Gate code"}}
    assert run_target(config, text, tmp_path).counts == {"updated": 1}
    assert [one["value"] for one in named(box, "Late")[0]["customfields"]] == ["late"]
    assert run_target(config, text, tmp_path).counts == {"unchanged": 1}


def test_a_key_that_looks_like_one_of_the_ledgers_is_a_key_like_any_other(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """`id:7` in external_id is not customer 7."""
    row = box.rows("customers")[0]
    run_target(target_config, singer_lines(HEAD, record_message("customers", id=row["id"], notes="n")), tmp_path)
    text = singer_lines(HEAD, record_message("customers", external_id=f"id:{row['id']}", first_name="Mallory"))
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}


@pytest.mark.parametrize(
    "part",
    [
        record_message("pipeline_statuses", customer_email=" ", pipeline_status="Won"),
        record_message("items", external_id="i", name="New", sku=" "),
    ],
    ids=["a name", "a match"],
)
def test_what_is_blank_means_no_row(box: Sandbox, target_config: Config, tmp_path: Path, part: Config) -> None:
    """Not the one row whose column is empty."""
    for stream, column in (("customers", "email"), ("items", "sku")):
        for number, row in enumerate(box.rows(stream)):
            box.store.patch(stream, row["id"], {column: f"x{number}@example.com" if number else None})
    text = singer_lines(schema_message(part["stream"], *part["record"]), part)
    config = target_config | {"match": {"items": [["sku"]]}}
    assert "updated" not in run_target(config, text, tmp_path).counts


def test_named_values_go_before_those_in_the_apis_own_form(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """As a tap emits both: a change by name is sent alone, and a later one does not take it back."""
    head = schema_message("customers", "id", "customfields", "custom_fields")
    row = next(one for one in box.rows("customers") if len(one["customfields"]) > 1)
    names = {one["id"]: one["name"] for one in box.rows("custom_fields")}
    raw = row["customfields"]
    before = {names[one["field_instance_id"]]: one["value"] for one in raw}

    def send(**changes: Any) -> Config:
        values = record_message("customers", id=row["id"], customfields=raw, custom_fields={**before, **changes})
        return run_target(target_config, singer_lines(head, values), tmp_path).counts

    assert send() == {"unchanged": 1}
    assert send(**{"Gate code": "NEW"}) == {"updated": 1}
    assert send(**{"Gate code": "NEW", "Number of units": 7}) == {"updated": 1}
    after = next(one for one in box.rows("customers") if one["id"] == row["id"])["customfields"]
    told = {names[one["field_instance_id"]]: one["value"] for one in after}
    assert (told["Gate code"], told["Number of units"]) == ("NEW", "7")


@pytest.mark.parametrize(
    "values",
    [
        {"status_id": 1, "job_status": "Completed"},
        {"customer_id": 1, "customer_external_id": "c"},
        {"assignments": [{"user_id": 1}], "team": "North Crew"},
    ],
    ids="+".join,
)
def test_what_is_said_twice_and_not_the_same_is_rejected(
    box: Sandbox, target_config: Config, tmp_path: Path, values: Config
) -> None:
    """Neither is dropped in silence; the same twice is fine."""
    run_target(
        target_config, singer_lines(HEAD, record_message("customers", external_id="c", first_name="C")), tmp_path
    )
    job = box.rows("jobs")[0]
    text = singer_lines(schema_message("jobs", "id", *values), record_message("jobs", id=job["id"], **values))
    written = run_target(target_config, text, tmp_path)
    assert written.counts == {"rejected": 1}
    assert "refer to different rows" in written.stderr
    same = record_message("jobs", id=job["id"], customer_id=named(box, "C")[0]["id"], customer_external_id="c")
    text = singer_lines(schema_message("jobs", "id", "customer_id", "customer_external_id"), same)
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}


def test_what_is_only_named_is_not_created_for_a_record_that_is_not_written(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Skipped, or rejected: no tag is left behind."""
    head = schema_message("customers", "external_id", "first_name", "tags", "status")
    config = target_config | {"create_missing_references": ["tags"]}
    skipped = singer_lines(head, record_message("customers", external_id="g", first_name="G", tags=["Ghost"]))
    run_target(config | {"write_mode": "update_only"}, skipped, tmp_path)
    run_target(config, singer_lines(head, record_message("customers", external_id="g", tags=["Ghost"])), tmp_path)
    assert writes(box) == []


def test_a_number_is_found_with_and_without_its_countrys_code(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Also one that only looks like a number of that country."""
    box.store.patch("customers", box.rows("customers")[0]["id"], {"phone": "852 555 0117"})
    text = singer_lines(HEAD, record_message("customers", external_id="p", phone="+1 (852) 555-0117", notes="x"))
    assert run_target(target_config | {"match": {"customers": [["phone"]]}}, text, tmp_path).counts == {"updated": 1}


def test_what_fieldpulse_makes_of_a_row_is_known_in_the_same_run(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A display name that it puts together is matched by the next record."""
    parts = (
        record_message("customers", external_id="d1", first_name="Dee", last_name="Dup"),
        record_message("customers", external_id="d2", display_name="Dee Dup", notes="x"),
    )
    config = target_config | {"match": {"customers": [["display_name"]]}, "requests_per_second": 1}
    assert run_target(config, singer_lines(HEAD, *parts), tmp_path).counts == {"created": 1, "updated": 1}


def test_links_of_one_record_end_as_it_says(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Parted and connected anew in one record: connected at the end."""
    job = box.rows("jobs")[0]["id"]
    connect, disconnect = [{"to_entity": "job", "to_entity_id": job}], [{"from_entity": "job", "from_entity_id": job}]
    head = schema_message("material_lists", "external_id", "title", "connect", "disconnect")
    for values in ({"connect": connect}, {"connect": connect, "disconnect": disconnect}):
        text = singer_lines(head, record_message("material_lists", external_id="m", title="Van", **values))
        assert run_target(target_config, text, tmp_path).status == 0
    row = max(box.rows("material_lists"), key=lambda one: int(one["id"]))
    assert [link.entity_id for link in box.links(row["id"])] == [job]


def test_a_null_clears_what_was_named(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A name, a person, a flag that is never null in FieldPulse; rows that were empty cost nothing."""
    box.behaviour.put_null = "clear"
    values = {"lead_source": box.rows("lead_sources")[0]["name"], "assigned_to_email": box.rows("users")[0]["email"]}
    values |= {"has_different_billing_address": True}
    head = schema_message("customers", "external_id", "first_name", *values)
    config = target_config | {"null_policy": "clear"}

    def send(values: Config) -> Config:
        return run_target(
            config, singer_lines(head, record_message("customers", external_id="n", first_name="N", **values)), tmp_path
        ).counts

    assert send(values) == {"created": 1}
    assert send(dict.fromkeys(values)) == {"updated": 1}
    (row,) = named(box, "N")
    assert (row["lead_source_id"], row["assigned_to"], row["has_different_billing_address"]) == (None, None, False)
    assert send(dict.fromkeys(values)) == {"unchanged": 1}


@pytest.mark.parametrize(
    "values",
    [{"id": 2**63}, {"external_id": {"ssn": "Canary"}}, {"external_id": "a\x00b"}, {"external_id": "x" * 513}, {}],
    ids=["a large id", "an object", "a NUL", "a long key", "no key"],
)
def test_a_key_that_is_none_rejects_the_record_and_is_not_repeated(
    target_config: Config, tmp_path: Path, values: Config
) -> None:
    """The run goes on; neither log nor audit has it."""
    parts = (
        record_message("customers", first_name="Bad", **values),
        record_message("customers", external_id="ok", first_name="Ok"),
    )
    written = run_target(target_config | {"hard_delete": True}, singer_lines(HEAD, *parts, state_message(1)), tmp_path)
    assert (written.counts, written.states) == ({"rejected": 1, "created": 1}, [{"bookmarks": 1}])
    assert "Canary" not in written.stderr
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        keys = connection.execute("select source_key from fieldpulse_audit_1").fetchall()
    connection.close()
    assert sorted(keys) == [("",), ("ok",)]


@pytest.mark.parametrize(
    "settings",
    [
        {"max_creates": "nan"},
        {"max_updates": "1e400"},
        {"report_path": "/proc/none/r.json"},
        {"plan_path": "/", "dry_run": True},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_met_is_found_before_anything_is_written(
    box: Sandbox, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """Exit status 2, and nothing sent."""
    text = singer_lines(HEAD, record_message("customers", external_id="s", first_name="S"))
    written = run_target(target_config | settings, text, tmp_path)
    assert written.status == 2
    assert next(iter(settings)) in written.stderr
    assert writes(box) == []


def test_a_dry_run_takes_a_key_for_written_once(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The same key three times, deleted, and back again: as a real run does it."""
    parts = [record_message("customers", external_id="k", first_name="K", **more) for more in ({}, {}, {"notes": "x"})]
    parts += [record_message("customers", external_id="k", deleted_at="2026-01-01T00:00:00Z"), parts[0]]
    config = target_config | {"hard_delete": True}
    dry = run_target(config | {"dry_run": True}, singer_lines(HEAD, *parts), tmp_path)
    real = run_target(config, singer_lines(HEAD, *parts), tmp_path)
    assert dry.counts == real.counts == {"created": 2, "unchanged": 1, "updated": 1, "deleted": 1}


def test_a_name_of_one_stream_is_no_row_of_another(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A tag and a category of one name are two rows, each where it belongs."""
    item = record_message("items", external_id="i", name="I", tags=["Boiler"])
    asset = record_message("assets", external_id="a", title="A", asset_category="Boiler")
    category = record_message("asset_categories", external_id="c", title="Boiler")
    text = singer_lines(
        *(part for one in (item, asset, category) for part in (schema_message(one["stream"], *one["record"]), one))
    )
    config = target_config | {"create_missing_references": ["tags", "asset_categories"]}
    assert run_target(config, text, tmp_path).status == 0
    (tag,) = [row["id"] for row in box.rows("tags") if row["title"] == "Boiler"]
    (kind,) = [row["id"] for row in box.rows("asset_categories") if row["title"] == "Boiler"]
    assert max(box.rows("items"), key=lambda row: int(row["id"]))["tags"] == [tag]
    assert max(box.rows("assets"), key=lambda row: int(row["id"]))["asset_category_id"] == kind


def test_nulls_clear_also_while_it_is_being_found_out_how(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Many at once: none trusts what another has only just learnt."""
    box.behaviour.put_null = "empty"
    config = target_config | {"null_policy": "clear"}
    keys = [f"k{number}" for number in range(120)]
    full = singer_lines(
        HEAD, *(record_message("customers", external_id=key, first_name="Nulled", notes="Text") for key in keys)
    )
    run_target(config, full, tmp_path)
    nulls = [record_message("customers", external_id=key, first_name="Nulled", notes=None) for key in keys]
    plain = [record_message("customers", external_id=f"p{key}", first_name="Plain") for key in keys]
    mixed = [part for pair in zip(nulls, plain, strict=True) for part in pair]
    assert run_target(config, singer_lines(HEAD, *mixed), tmp_path).status == 0
    assert {row["notes"] or "" for row in named(box, "Nulled")} == {""}


def test_what_was_not_filled_is_not_found(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """An e-mail that `fill_empty_only` did not write belongs to nobody: the next record is a customer of its own."""
    row = next(one for one in box.rows("customers") if one["email"])
    parts = (
        record_message("customers", id=row["id"], email="new@example.com", notes="x"),
        record_message("customers", external_id="b", first_name="B", email="new@example.com"),
    )
    config = target_config | {"fill_empty_only": True}
    assert run_target(config, singer_lines(HEAD, *parts), tmp_path).counts.get("created") == 1


def test_a_value_that_goes_back_is_written_again(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """What the record says of the row from before is not what the row holds now."""
    row = next(one for one in box.rows("customers") if one["customfields"])
    names = {one["id"]: one["name"] for one in box.rows("custom_fields")}
    field = next(one for one in row["customfields"] if names[one["field_instance_id"]] == "Gate code")
    head = schema_message("customers", "id", "customfields", "custom_fields")
    for value in ("two", field["value"] or "one"):
        values = {"customfields": row["customfields"], "custom_fields": {"Gate code": value}}
        text = singer_lines(head, record_message("customers", id=row["id"], **values))
        assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    after = next(one for one in box.rows("customers") if one["id"] == row["id"])
    assert value in [one["value"] for one in after["customfields"]]


def test_a_move_is_made_again_after_a_change_that_was_only_half_written(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The customer's record changed the stage, and was rejected for a null that FieldPulse keeps."""
    stages = {row["name"]: row["id"] for row in box.rows("pipeline_statuses")}
    customer, user = box.rows("customers")[0]["id"], box.rows("users")[0]["id"]
    head = schema_message("customers", "id", "assigned_to", "pipeline_status_id")
    moves = schema_message("pipeline_statuses", "customer_id", "pipeline_status")
    move = singer_lines(moves, record_message("pipeline_statuses", customer_id=customer, pipeline_status="Won"))
    config = target_config | {"null_policy": "clear"}
    run_target(config, singer_lines(head, record_message("customers", id=customer, assigned_to=user)), tmp_path)
    run_target(config, move, tmp_path)
    half = record_message("customers", id=customer, assigned_to=None, pipeline_status_id=stages["Lost"])
    assert run_target(config, singer_lines(head, half), tmp_path).counts == {"rejected": 1}
    assert run_target(config, move, tmp_path).counts == {"updated": 1}
    assert box.rows("customers")[0]["pipeline_status_id"] == stages["Won"]


def test_a_dry_run_shows_what_a_guard_would_stop(target_config: Config, tmp_path: Path) -> None:
    """As the guard's own message says."""
    parts = [record_message("customers", external_id=f"g{n}", first_name="G") for n in range(4)]
    written = run_target(target_config | {"dry_run": True, "max_creates": 1}, singer_lines(HEAD, *parts), tmp_path)
    assert (written.status, written.counts) == (0, {"created": 4})


def test_items_of_one_job_are_connected_once_each(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A third element sends one request, not three."""
    job, items = box.rows("jobs")[0]["id"], [row["id"] for row in box.rows("items")[:3]]
    head = schema_message("material_lists", "external_id", "title", "item_connect")
    sent = []
    for number in (2, 3):
        since = len(box.requests)
        links = [{"to_entity": "job", "to_entity_id": job, "item_ids": [item]} for item in items[:number]]
        text = singer_lines(head, record_message("material_lists", external_id="m", title="Van", item_connect=links))
        assert run_target(target_config, text, tmp_path).status == 0
        sent.append(sum("item-connect" in one for one in writes(box, since)))
    assert sent == [2, 1]


def test_an_empty_text_is_no_time(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Files have it on every row: like a null it leaves the field, or clears it."""
    job = box.rows("jobs")[0]
    head = schema_message("jobs", "id", "due_date")
    due = singer_lines(head, record_message("jobs", id=job["id"], due_date="2026-05-01T00:00:00Z"))
    empty = singer_lines(head, record_message("jobs", id=job["id"], due_date=""))
    run_target(target_config, due, tmp_path)
    assert run_target(target_config, empty, tmp_path).counts == {"unchanged": 1}
    box.behaviour.put_null = "clear"
    assert run_target(target_config | {"null_policy": "clear"}, empty, tmp_path).counts == {"updated": 1}
    assert box.rows("jobs")[0]["due_date"] is None
