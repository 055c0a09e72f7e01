"""Names that users gave become property names."""

from __future__ import annotations

import pytest

from fieldpulse_api.values.text import property_name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Gate code", "gate_code"),
        ("  Gate—Code!! ", "gate_code"),
        ("GateCode", "gate_code"),
        ("Größe (m²)", "grosse_m2"),
        ("2nd phone", "field_2nd_phone"),
        ("Ünïcode", "unicode"),
        ("___", ""),
        ("漢字", ""),
        ("x" * 300, "x" * 48),
    ],
)
def test_a_name_becomes_snake_case(name: str, wanted: str) -> None:
    """Letters, digits and `_`, short enough for a column of PostgreSQL behind `custom_fields__`."""
    assert property_name(name) == wanted
