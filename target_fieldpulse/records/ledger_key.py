"""Typed keys of ledger entries, so that a key of the source's never collides with one that the target made itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fieldpulse_api.values.scalars import ConversionError, number_text
from fieldpulse_api.values.text import visible

_WHOLE_FLOAT = re.compile(r"(-?[1-9]\d*|0)\.0+\Z", re.ASCII)


class KeyKind(str, Enum):
    """What a ledger key names. The values are stored in the ledger, and are prefixes of the text form."""

    EXTERNAL_ID = "external_id"  # the source's key of a record
    ROW_ID = "id"  # the FieldPulse id of a record that has no external_id
    NAME = "name"  # a hash of the name of a row that was created because records refer to it
    LINK = "link"  # a link between two rows, made by an action
    ITEM_LINK = "item_link"  # a line item that an action added


def source_key(value: Any) -> str:
    """Return a key of the source as text: the same for 7001, 7001.0, "7001" and " 7001.0 ".

    Spreadsheets and nullable columns turn whole numbers into floats, and char(n) columns are padded. The result is
    empty if the record has none. Raises: ConversionError for a value that is neither text nor a number.
    """
    if not isinstance(value, str):
        return number_text(value)
    text = visible(value)
    whole = _WHOLE_FLOAT.match(text)
    return whole[1] if whole else text


def comparable_key(value: Any) -> str:
    """Return a key as text, also of a value that cannot be a key: rows may hold one, and records are rejected later."""
    try:
        return source_key(value)
    except ConversionError:
        return str(value)


_PREFIXES = {f"{kind.value}:": kind for kind in KeyKind}


@dataclass(frozen=True)
class LedgerKey:
    """The key of one ledger entry. `value` is unique within its stream and kind."""

    stream: str
    kind: KeyKind
    value: str

    @property
    def text(self) -> str:
        """Return the key as commands, reports and the audit show it.

        An external_id stands bare, unless it would read as a key of another kind.
        """
        if self.kind is KeyKind.EXTERNAL_ID and not self.value.startswith(tuple(_PREFIXES)):
            return self.value
        return f"{self.kind.value}:{self.value}"

    @classmethod
    def from_text(cls, stream: str, text: str) -> LedgerKey:
        """Return the key of a text form, the inverse of `text`."""
        for prefix, kind in _PREFIXES.items():
            if text.startswith(prefix):
                return cls(stream, kind, text.removeprefix(prefix))
        return cls(stream, KeyKind.EXTERNAL_ID, text)

    @classmethod
    def of_row_change(cls, stream: str, row_id: int) -> LedgerKey:
        """Return the key for what a stream that changes rows of another one writes to a row."""
        return cls(stream, KeyKind.ROW_ID, str(row_id))

    @property
    def redacted(self) -> str:
        """Return the text form for logs and messages: an e-mail address or a phone number is left out."""
        return "[…]" if "@" in self.text or self.text.startswith("+") else self.text
