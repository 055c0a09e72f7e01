"""An index holds what FieldPulse holds now."""

from __future__ import annotations

from target_fieldpulse.references import Index


def test_an_email_that_changed_belongs_to_nobody_any_more() -> None:
    """A match is made with what the row says since its last write, apart from case and spaces."""
    index = Index()
    index.put(1, "a@example.com")
    index.put(2, "b@example.com")
    index.put(1, "B@example.com ")
    assert index.find("a@example.com") == []
    assert sorted(index.find(" b@EXAMPLE.com")) == [1, 2]
