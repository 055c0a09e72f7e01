"""JSON without loss: exact numbers, and a list of what other parsers guess or drop."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.strict_json import MAX_DEPTH, decode, encode, parse, read_object


def test_decimals_keep_their_digits() -> None:
    """Money passes through encoder and decoder unchanged."""
    amount = {"amount": Decimal("1234567890.10"), "rate": Decimal("8.25")}
    assert encode(amount) == b'{"amount":1234567890.10,"rate":8.25}'
    assert decode(encode(amount)) == parse(encode(amount).decode()).value == amount


@pytest.mark.parametrize("digits", ["1", "-9007199254740993", "1" * 40])
def test_integers_are_exact(digits: str) -> None:
    """Long integers become Decimal, so that they cost no more than their length."""
    value = parse(digits).value
    assert str(value) == digits
    assert isinstance(value, int if len(digits) < 20 else Decimal)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('{"a": NaN}', "NaN, which JSON does not allow"),
        ('{"a": -Infinity}', "-Infinity, which JSON does not allow"),
        ('{"a": "\\ud800"}', "an unpaired surrogate"),
        ('{"\\udc00": 1}', "an unpaired surrogate"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "levels of nesting"),
    ],
)
def test_a_problem_is_listed(text: str, problem: str) -> None:
    """The value is parsed all the same; the caller decides."""
    assert problem in "; ".join(parse(text).problems)


@pytest.mark.parametrize(
    ("text", "has_duplicate_keys"),
    [('{"a": 1, "a": 2}', True), ('{"a": {"b": 1, "b": 2}}', False), ('{"a": 1}', False)],
)
def test_duplicate_keys_of_the_outermost_object_are_told_apart(text: str, has_duplicate_keys: bool) -> None:
    """A Singer message with two types cannot be assigned to a stream; a record with two values can."""
    assert parse(text).has_duplicate_keys is has_duplicate_keys


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[1]", "does not contain a JSON object"),
        ('{"a": 1,}', r"not valid JSON \(line 1"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("[" * 99999, "nested too deeply"),
    ],
)
def test_a_wrong_file_is_a_config_error(content: str, what: str) -> None:
    """The message names the problem and its place."""
    with pytest.raises(ConfigError, match=what):
        read_object(io.StringIO(content), "--config")


def test_a_byte_order_mark_is_ignored() -> None:
    """Editors on Windows write one."""
    value: dict[str, Any] = read_object(io.StringIO('\ufeff{"a": 1}'), "--config")
    assert value == {"a": 1}
