"""The layout: one conversion of objects that have the same fields, compiled if many come."""

from __future__ import annotations

from tap_fieldpulse.records.layout import COMPILED_FROM, Field, Layout


def test_many_objects_are_converted_as_the_first_ones_are() -> None:
    """A value that fits is emitted unchanged, null too; a field that is left out is seen, and not emitted."""
    seen: list[object] = []
    fields = [Field(str, "{v}.__class__ is str"), Field(str), Field(seen.append, is_left_out=True)]
    layout = Layout(("name", "number", "secret"), fields)
    for _ in range(COMPILED_FROM + 1):
        assert layout.convert({"name": "a", "number": 5, "secret": None}) == {"name": "a", "number": "5"}
    assert layout.convert({"name": 7, "number": None, "secret": 1}) == {"name": "7", "number": None}
    assert seen == [*[None] * (COMPILED_FROM + 1), 1]
    assert layout.convert.__code__.co_filename == "<string>", "the function was compiled"


def test_a_row_is_not_changed() -> None:
    """Others look at the row after its record was made."""
    row = {"number": 5}
    layout = Layout(("number",), [Field(str)])
    assert [layout.convert(row) for _ in range(COMPILED_FROM + 1)] == [{"number": "5"}] * (COMPILED_FROM + 1)
    assert row == {"number": 5}


def test_a_name_from_a_row_is_no_code() -> None:
    """The server chooses the names of fields, and they are in the source of the function."""
    names = ("a'b", 'c"d', "e\\", "f\n    raise SystemExit", "{v}", "\ud800", "")
    layout = Layout(names, [Field(str) for _ in names])
    row = dict.fromkeys(names, 1)
    for _ in range(COMPILED_FROM + 1):
        assert layout.convert(row) == dict.fromkeys(names, "1")


def test_objects_without_fields() -> None:
    """Such objects come, too."""
    layout = Layout((), [])
    assert [layout.convert({}) for _ in range(COMPILED_FROM + 1)] == [{}] * (COMPILED_FROM + 1)
