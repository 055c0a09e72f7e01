"""Ledger keys and their text form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey, source_key

_VALUES = st.one_of(
    st.text(), st.builds(lambda kind, text: f"{kind.value}:{text}", st.sampled_from(KeyKind), st.text())
).map(source_key)


@given(st.sampled_from(KeyKind), _VALUES)
def test_the_text_form_of_a_key_is_unambiguous(kind: KeyKind, value: str) -> None:
    """An external_id may look like a key of another kind."""
    key = LedgerKey("customers", kind, value)
    assert LedgerKey.from_text("customers", key.text) == key


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (KeyKind.EXTERNAL_ID, "CRM-7", "CRM-7"),
        (KeyKind.EXTERNAL_ID, "id:7", "external_id:id:7"),
        (KeyKind.ROW_ID, "7", "id:7"),
        (KeyKind.LINK, "5:job:9", "link:5:job:9"),
    ],
)
def test_an_external_id_has_a_prefix_only_where_its_text_is_ambiguous(kind: KeyKind, value: str, text: str) -> None:
    """Users recognise the key of their source."""
    assert LedgerKey("customers", kind, value).text == text


@pytest.mark.parametrize("value", ["ada@example.com", "+12145550110"])
def test_an_email_address_or_a_phone_number_is_redacted(value: str) -> None:
    """Some sources use personal data as keys, and logs must not show it."""
    assert value not in LedgerKey("customers", KeyKind.EXTERNAL_ID, value).redacted
