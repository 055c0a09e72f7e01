"""Unusual values for tests of bad input."""

from __future__ import annotations

from hypothesis import strategies as st

ODD_VALUES = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "-0.0",
    "1e400",
    "1e-400",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    '""',
    '"x"',
    '"5"',
    '"-5"',
    '"1e5"',
    '"nan"',
    '"0000-00-00"',
    '"2026-02-30"',
    '"9999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00+14:00"',
    '"2026-01-01"',
    "1700000000",
    "99999999999999",
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\u2028"',
    "[]",
    "{}",
    "[1]",
    '["x"]',
    "[{}]",
    "[null]",
    '{"a":1}',
    '{"id":1}',
    "[[[]]]",
    '{"\\u0000":1}',
    '" "',
    "1" + "0" * 4000,
    "[" * 50 + "]" * 50,
    '"' + "y" * 3000 + '"',
]
"""Valid JSON that is seldom intended."""
BROKEN_VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    '{"a":1,"a":2}',
    "[" * 120 + "]" * 120,
]
"""Text that some JSON parsers accept, with an unclear meaning."""
NO_JSON = ["", "{", "[" * 100_000, "0x10", "01", "'x'", '"\\x"', "\x00"]
"""Text that is not JSON."""

odd = st.sampled_from(ODD_VALUES)
