"""The texts of errors: the nearest name, and no list without end."""

from __future__ import annotations

from fieldpulse_api.errors import allowed_and_similar


def test_the_nearest_name_is_found_in_any_case() -> None:
    """The value itself may be personal, and is left out."""
    assert allowed_and_similar("LEED", ["lead", "lost"]) == "allowed: lead, lost; did you mean 'lead'?"


def test_many_names_are_counted_and_not_listed() -> None:
    """An account has thousands of vendors; the nearest of all is named, also if it is not listed."""
    names = [f"Vendor {number}" for number in range(2500)] + ["Zephyr Supply"]
    text = allowed_and_similar("zephyr suply", names)
    assert len(text) < 600
    assert text.endswith("Vendor 39 and 2,461 more; did you mean 'Zephyr Supply'?")
