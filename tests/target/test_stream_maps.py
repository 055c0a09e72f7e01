"""Schemas as taps send them, and stream maps of the target: records are judged, and an error names its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, newest_row, posts

Config = dict[str, Any]
LEADS = schema_message("crm-leads", "Id", "Name", "Mail", "Wanted")
LEADS_MAP = {
    "__alias__": "customers",
    "__key_properties__": ["external_id"],
    "external_id": "'lead-' + str(Id)",
    "first_name": "Name.split()[0]",
    "last_name": "Name.split()[1]",
    "__else__": None,
}
DATE = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}


def rejects(config: Config) -> list[Config]:
    return [json.loads(line) for line in Path(config["rejects_path"]).read_text().splitlines()]


def test_a_mapped_date_of_salesforce_is_written(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The SDK makes an invalid schema of `anyOf`, by which no record is validated."""
    schema = {"properties": {"Id": {"type": "string"}, "Name": {"type": "string"}, "StartDate": DATE}}
    target_config["stream_maps"] = {
        "Work": {"__alias__": "projects", "external_id": "Id", "name": "Name", "start_time": "StartDate"}
    }
    text = singer_lines(
        {"type": "SCHEMA", "stream": "Work", "schema": schema, "key_properties": ["Id"]},
        record_message("Work", Id="a01", Name="New roof", StartDate="2027-03-01T15:00:00Z"),
    )
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"created": 1}, 0)
    row = newest_row(sandbox, "projects")
    assert (row["name"], row["start_time"]) == ("New roof", "2027-03-01 15:00:00")


@pytest.mark.parametrize("flattening", [False, True])
@pytest.mark.parametrize("alias", ["customers", "contacts"])
@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": {}},
        {"properties": {"external_id": True, "first_name": True}},
        {"properties": {"external_id": {}, "first_name": {"description": "no type"}}},
        {"properties": {"external_id": {"type": 5}, "first_name": 5}},
        {"properties": {"external_id": {"$ref": "#/definitions/key"}, "first_name": DATE}, "definitions": {"key": {}}},
        {"properties": {"external_id": {}, "first_name": {"anyOf": [{"type": "string"}, {}, "null"]}}},
        {"properties": {"external_id": {"multipleOf": 0.5}, "first_name": {"enum": [0.5], "default": 1e300}}},
        {"properties": {"external_id": {"oneOf": [{"type": "string"}, True]}, "first_name": {"anyOf": []}}},
        {"properties": {"external_id": {"allOf": [{"$ref": "#"}]}, "first_name": {"enum": ["Ann", None]}}},
        {"$ref": "#/definitions/row", "definitions": {"row": {"properties": {"external_id": {}, "first_name": {}}}}},
        {"properties": {"first_name": {}}, "additionalProperties": True},
        {"properties": {"first_name": {}}, "patternProperties": {"^ext": {}}},
        {"properties": {"external_id": {}, "first_name": {}}, "additionalProperties": False, "required": ["Id"]},
        {"properties": {"external_id": {}, "tree": {"$ref": "#/definitions/t"}, "first_name": {}}}
        | {"definitions": {"t": {"type": "object", "properties": {"t": {"$ref": "#/definitions/t"}}}}},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_schema_is_accepted_as_it_comes(
    target_config: Config, tmp_path: Path, schema: Config, alias: str, flattening: bool
) -> None:
    """Without types, with references, alternatives and booleans; with a map, and with flattening."""
    target_config |= {"flattening_enabled": flattening, "flattening_max_depth": 2}
    if alias != "customers":
        target_config["stream_maps"] = {
            alias: {"__alias__": "customers", "first_name": "first_name", "external_id": "external_id"}
        }
    keys: Config = {"key_properties": ["gone"], "bookmark_properties": ["updated_at"]}
    text = singer_lines(
        {"type": "SCHEMA", "stream": alias, "schema": schema, **keys},
        record_message(alias, external_id="a", first_name="Ann"),
    )
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"created": 1}, 0)


def test_references_between_many_objects_are_followed_once(target_config: Config, tmp_path: Path) -> None:
    """As in the schemas of Stripe, where each object refers to most others: no combination of them is expanded."""
    names = [f"d{number}" for number in range(25)]
    links = {name: {"anyOf": [{"$ref": f"#/definitions/{name}"}, {"type": "null"}]} for name in names}
    objects = {name: {"type": "object", "properties": links} for name in names}
    schema = {"properties": {"external_id": {}, "first_name": {}, **links}, "definitions": objects}
    text = singer_lines(
        {"type": "SCHEMA", "stream": "customers", "schema": schema, "key_properties": []},
        record_message("customers", external_id="a", first_name="Ann", d0={"d1": {"d2": None}}),
    )
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    target_config |= {"flattening_enabled": True, "flattening_max_depth": 1}
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"unchanged": 1}
    assert "d0__d1" in result.stderr


def test_records_without_an_identifier_are_rejected_if_the_schema_is_open(
    target_config: Config, tmp_path: Path
) -> None:
    """The schema does not tell whether they have any."""
    schema = {"type": "SCHEMA", "stream": "customers", "schema": {}, "key_properties": []}
    text = singer_lines(
        schema,
        record_message("customers", first_name="No"),
        record_message("customers", external_id="x", first_name="X"),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 1, "rejected": 1}
    assert "neither external_id nor id" in rejects(target_config)[1]["rejected"]


@pytest.mark.parametrize("maps", [{"{}": None}, {"{}": "__NULL__"}, {"*": "__NULL__"}, {"__else__": None}], ids=str)
@pytest.mark.parametrize("stream", ["groups", "users", "tags"], ids=["unknown", "read-only", "writable"])
def test_a_stream_that_its_map_removes_is_skipped(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, maps: Config, stream: str
) -> None:
    """Whatever its name. The log says so once, and nothing is requested."""
    target_config["stream_maps"] = {name.format(stream): rule for name, rule in maps.items()}
    schema = schema_message(stream, "url")
    text = singer_lines(
        schema, record_message(stream, url="u"), schema, record_message(stream, url="v"), state_message(1)
    )
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status, result.states) == ({"skipped": 2}, 0, [{"bookmarks": 1}])
    assert result.stderr.count(f"{stream}: stream_maps removes this stream") == 1
    assert sandbox.requests == []


def test_only_mapped_streams_are_written_with_else(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A foreign stream may have the name of a writable one, and be renamed or removed."""
    target_config["stream_maps"] = {"tags": LEADS_MAP | {"external_id": "tag"}, "jobs": None, "__else__": None}
    text = singer_lines(
        schema_message("tags", "tag", "Name"),
        record_message("tags", tag="t", Name="Tom Tag"),
        schema_message("jobs", "queue"),
        record_message("jobs", queue="q"),
        schema_message("comments", "id"),
        record_message("comments", id=7),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 1, "skipped": 2}
    assert newest_row(sandbox, "customers")["first_name"] == "Tom"


def test_two_streams_are_mapped_to_one(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Their messages alternate. A rejected record is replayed with the schema of its own stream."""
    target_config["stream_maps"] = {
        "crm-leads": LEADS_MAP,
        "shop": {"__alias__": "customers", "external_id": "'shop-' + number", "first_name": "buyer", "email": "mail"},
    }
    shop = schema_message("shop", "number", "buyer", "mail")
    text = singer_lines(
        LEADS,
        shop,
        record_message("crm-leads", Id=1, Name="Ann Lee"),
        record_message("shop", number="1", buyer="Bob", mail="no address"),
        LEADS,
        record_message("crm-leads", Id=2, Name="Cid Ray"),
        record_message("shop", number="2", buyer="Dee", mail="dee@example.com"),
    )
    assert run_target(target_config, text, tmp_path).counts == {"created": 3, "rejected": 1}
    assert sorted(row["first_name"] for row in sandbox.rows("customers")[-3:]) == ["Ann", "Cid", "Dee"]
    schema, record = rejects(target_config)
    assert {"email", "buyer"} <= set(schema["schema"]["properties"])
    assert record["record"]["email"] == "no address"


def test_a_rejected_record_is_not_mapped_again(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It is stored as the map made it. Its stream may have the name of a stream that has a map."""
    target_config["stream_maps"] = {"customers": {"external_id": "'crm-' + external_id"}}
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="1", first_name="Ann", email="wrong"))
    assert run_target(target_config, text, tmp_path).counts == {"rejected": 1}
    mended = Path(target_config["rejects_path"]).read_text().replace('"wrong"', '"ann@example.com"')
    target_config["stream_maps"]["absent"] = None
    result = run_target(target_config, mended, tmp_path)
    assert (result.counts, result.status) == ({"created": 1}, 0)
    assert "absent" not in result.stderr, "a rejects file has few streams"
    again = run_target(target_config, text.replace("wrong", "ann@example.com"), tmp_path)
    assert again.counts == {"unchanged": 1}


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({}, "property last_name · Name.split()[1]", "IndexError"),
        ({"notes": "1 / (Wanted - 7)"}, "property last_name", "IndexError"),
        ({"__filter__": "int(Name) > 0"}, "__filter__ · int(Name) > 0", "ValueError"),
        ({"last_name": "Name.nothing"}, "property last_name · Name.nothing", "AttributeDoesNotExist"),
        ({"last_name": "Wanted ** 9999999"}, "property last_name", "NumberTooHigh"),
        ({"last_name": "Mail"}, "property last_name · Mail", "'Mail' is not defined"),
    ],
    ids=["index", "the first of two", "filter", "attribute", "power", "missing"],
)
def test_a_record_that_a_map_cannot_evaluate_is_rejected(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, changes: Config, place: str, reason: str
) -> None:
    """Once, as it came. The run goes on, and a replay runs through the corrected map. No value is logged."""
    target_config["stream_maps"] = {"crm-leads": {**LEADS_MAP, **changes}}
    bad = {"Id": 88, "Name": "Canary", "Wanted": 7}
    text = singer_lines(
        LEADS,
        record_message("crm-leads", **bad),
        state_message(1),
        CUSTOMERS,
        record_message("customers", external_id="ok", first_name="Fine"),
        state_message(2),
    )
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"created": 1, "rejected": 1}, 1)
    assert result.states[-1] == {"bookmarks": 2}
    assert "rejected: customers (input · line 2)" in result.stderr
    assert f"stream crm-leads → customers · {place}" in result.stderr
    assert reason in result.stderr
    assert "Canary" not in result.stderr
    schema, record = rejects(target_config)
    assert (schema, record["stream"], record["record"]) == (LEADS, "crm-leads", bad)
    target_config["stream_maps"]["crm-leads"] = LEADS_MAP | {"last_name": "Name"}
    replayed = run_target(target_config, Path(target_config["rejects_path"]).read_text(), tmp_path)
    assert (replayed.counts, replayed.status) == ({"created": 1}, 0)
    assert newest_row(sandbox, "customers")["last_name"] == "Canary"


def test_what_the_other_maps_make_of_a_record_is_written(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The record is rejected once, although two maps fail, and a replay leaves the row of the third as it is."""
    failing = {"__source__": "crm-leads", "external_id": "Mail.split('@')[1]", "__key_properties__": None}
    target_config["stream_maps"] = {
        "crm-leads": LEADS_MAP,
        "jobs": failing | {"job_type": "Wanted", "customer_external_id": "'lead-' + str(Id)", "__else__": None},
        "tags": failing | {"title": "Wanted", "__else__": None},
    }
    record = record_message("crm-leads", Id=1, Name="Ann Lee", Mail="none", Wanted="Boiler")
    assert run_target(target_config, singer_lines(LEADS, record), tmp_path).counts == {"created": 1, "rejected": 1}
    target_config["stream_maps"]["jobs"]["external_id"] = target_config["stream_maps"]["tags"]["external_id"] = "Id"
    replayed = run_target(target_config, Path(target_config["rejects_path"]).read_text(), tmp_path)
    assert replayed.counts == {"created": 2, "superseded": 1}
    assert newest_row(sandbox, "jobs")["customer_id"] == newest_row(sandbox, "customers")["id"]


def test_an_ambiguous_line_is_replayed_through_the_map(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It is stored with the schema of its own stream."""
    target_config["stream_maps"] = {"crm-leads": LEADS_MAP}
    line = '{"type":"RECORD","stream":"crm-leads","record":{"Id":1,"Name":"Ann Lee","Mail":NaN}}\n'
    assert run_target(target_config, singer_lines(LEADS) + line, tmp_path).counts == {"rejected": 1}
    mended = Path(target_config["rejects_path"]).read_text().replace("NaN", "null")
    assert run_target(target_config, mended, tmp_path).counts == {"created": 1}
    assert newest_row(sandbox, "customers")["last_name"] == "Lee"


@pytest.mark.parametrize(
    ("changes", "what", "place"),
    [
        ({"first_name": "nmae"}, "'nmae' is not defined for expression 'nmae'; did you mean 'Name'", "line 2"),
        ({"first_name": "lenght(Name)"}, "Function 'lenght' not defined", "property first_name · lenght(Name)"),
        ({"__filter__": "Nam == 'x'"}, "did you mean 'Name'", "__filter__ · Nam == 'x' · input · line 2"),
        ({"first_name": "Name.split("}, "'(' was never closed", "property first_name · Name.split("),
        ({"first_name": "x = 1"}, "not an expression", "property first_name · x = 1"),
        ({"first_name": 5}, "type int", "property first_name"),
        ({"__filtre__": "Name"}, "did you mean '__filter__'", "__filtre__"),
        ({"__filter__": "("}, "'(' was never closed", "__filter__ · ("),
        ({"__source__": "crm-leads"}, "both __source__ and __alias__", "stream crm-leads"),
        ({"__key_properties__": ["id"]}, "'id' was not detected in schema", "stream crm-leads · input · line 1"),
    ],
)
def test_a_wrong_map_ends_the_run_with_its_place(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, changes: Config, what: str, place: str
) -> None:
    """Nothing is written: no record of the stream could be right."""
    target_config["stream_maps"] = {"crm-leads": LEADS_MAP | changes}
    result = run_target(target_config, singer_lines(LEADS, record_message("crm-leads", Id=1, Name="A B")), tmp_path)
    assert (result.status, posts(sandbox)) == (2, [])
    assert what in result.stderr
    assert place in result.stderr
    assert "stream_maps" in result.stderr


def test_a_map_whose_stream_never_came_is_named_at_the_end(target_config: Config, tmp_path: Path) -> None:
    """With the nearest name of the input's streams; the run may have had no record of it."""
    target_config["stream_maps"] = {"crm-lead": LEADS_MAP, "custom*": {"notes": "'n'"}}
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="a", first_name="A"))
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"created": 1}, 0)
    assert "had no stream for the stream map 'crm-lead'" in result.stderr
    assert "custom*" not in result.stderr


def test_the_map_of_a_misspelt_stream_is_named(target_config: Config, tmp_path: Path) -> None:
    """Where the run fails because the stream has no map."""
    target_config["stream_maps"] = {"crm-lead": LEADS_MAP}
    result = run_target(target_config, singer_lines(LEADS), tmp_path)
    assert result.status == 2
    assert "stream_maps has a map of 'crm-lead'" in result.stderr
    assert '{"crm-leads": "__NULL__"}' in result.stderr


def test_properties_that_only_records_have_are_named_once(target_config: Config, tmp_path: Path) -> None:
    """Like those of the SCHEMA; messages about versions of a table have no effect."""
    version = {"type": "ACTIVATE_VERSION", "stream": "customers", "version": 1}
    records = [record_message("customers", external_id=key, first_name="A", shoe_size=4) for key in "ab"]
    text = singer_lines(CUSTOMERS, version, *records, CUSTOMERS | {"bookmark_properties": ["x"]}, *records, version)
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 2, "unchanged": 2}
    assert result.stderr.count("cannot be written: shoe_size") == 1
    assert result.stderr.count("Ignoring ACTIVATE_VERSION") == 1


def test_the_key_of_the_source_is_removed(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """As the messages of the target advise; the SDK alone wants `__key_properties__` beside it."""
    target_config["stream_maps"] = {
        "customers": {"external_id": "'crm-' + str(id)", "id": "__NULL__", "__filter__": "id > 1"}
    }
    text = singer_lines(
        schema_message("customers", "id", "first_name") | {"key_properties": ["id"]},
        record_message("customers", id=1, first_name="Dropped"),
        record_message("customers", id=2, first_name="Ann"),
    )
    assert run_target(target_config, text, tmp_path).counts == {"created": 1, "skipped": 1}
    assert newest_row(sandbox, "customers")["first_name"] == "Ann"


def test_an_original_value_that_a_record_lacks(target_config: Config, tmp_path: Path) -> None:
    """`self` is the value of the property: the record is rejected, and the map may be right for others."""
    target_config["stream_maps"] = {"customers": {"notes": "self.strip()"}}
    records = [record_message("customers", external_id=key, first_name="A") for key in "ab"]
    records[1]["record"]["notes"] = " n "
    result = run_target(target_config, singer_lines(CUSTOMERS, *records), tmp_path)
    assert result.counts == {"created": 1, "rejected": 1}
    assert "property notes · self.strip()" in result.stderr


def test_keys_of_two_streams_are_told_apart_in_a_replay(target_config: Config, tmp_path: Path) -> None:
    """A record that was mapped has the input stream that it came from."""
    target_config["stream_maps"] = {"crm-leads": LEADS_MAP | {"email": "Mail"}}
    bad = {"Id": 1, "Name": "Ann Lee", "Mail": "wrong"}
    text = singer_lines(LEADS, record_message("crm-leads", **bad), record_message("crm-leads", Id=1, Name="Ann"))
    assert run_target(target_config, text, tmp_path).counts == {"rejected": 2}
    assert "crm-leads" in [line.get("mapped_from") for line in rejects(target_config)]
    mended = Path(target_config["rejects_path"]).read_text().replace("wrong", "a@example.com")
    mended = mended.replace('"Name":"Ann"', '"Name":"Ann Poe","Mail":null')
    assert run_target(target_config, mended, tmp_path).counts == {"created": 1, "updated": 1}
