"""Names and words: how two values are compared, and how the names that users gave become property names."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

PERSONAL_COLUMN = "email"
"""Values of this column are compared, but never printed or logged."""
_MAX_NAME_LENGTH = 48  # a loader that flattens prepends `custom_fields__`, and PostgreSQL allows 63 bytes
_PHONE_DIGITS = 10
_INVISIBLE = "Cf"  # Unicode's format characters: zero-width spaces, byte order marks, soft hyphens
_SPACES = "Zs"
_CLASS_PREFIX = "App\\Http\\Api\\Core\\Models\\Base"


def visible(text: str) -> str:
    """Return a text in its visible form: no spaces around it, no invisible characters, one spelling of accents."""
    if text.isascii():
        return text.strip()
    kinds = [(unicodedata.category(character), character) for character in unicodedata.normalize("NFC", text)]
    return "".join(" " if kind == _SPACES else character for kind, character in kinds if kind != _INVISIBLE).strip()


def printable(text: str) -> str:
    """Return a text that steers no terminal and begins no line of its own: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def is_empty(value: Any) -> bool:
    """Return whether a value is null, or a text of which nothing is visible."""
    return value is None or (isinstance(value, str) and not visible(value))


def normalized(value: Any) -> str:
    """Return a value in the form that is compared: without case, spacing, and the punctuation of phone numbers.

    Only the last ten digits of a phone number count, so that it matches with and without the country code.
    """
    words = " ".join(visible(str(value)).casefold().split())
    digits = re.sub(r"[\s().+-]", "", words)
    return digits[-_PHONE_DIGITS:] if digits.isdigit() and len(digits) >= _PHONE_DIGITS else words


def property_name(name: str) -> str:
    """Return a name in snake case, in ASCII letters, digits and `_`; empty if none of these are left."""
    ascii_name = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    separated = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", ascii_name)
    snake = re.sub(r"[^a-z0-9]+", "_", separated.lower()).strip("_")
    return f"field_{snake}"[:_MAX_NAME_LENGTH] if snake[:1].isdigit() else snake[:_MAX_NAME_LENGTH].strip("_")


def with_suffix(name: str, suffix: object) -> str:
    """Return `name_suffix`, no longer than a property name may be."""
    return f"{name[: _MAX_NAME_LENGTH - len(str(suffix)) - 1]}_{suffix}"


def object_type(name: Any) -> str:
    """Return `material_list` for `material_list`, `Material Lists` and the name of its PHP class alike."""
    short = str(name).rsplit("\\", 1)[-1].removeprefix("Base")
    return property_name(short).removesuffix("s")


def object_class(short: str) -> str:
    """Return the PHP class of an object type, which rows hold and some writes want (API facts 4.3): `App…BaseJob`."""
    return _CLASS_PREFIX + "".join(word.title() for word in object_type(short).split("_"))
