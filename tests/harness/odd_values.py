"""Values that no program expects: what tests of bad input draw from."""

from __future__ import annotations

from hypothesis import strategies as st

ODD = [
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
"""JSON that is valid, and seldom meant."""
BROKEN = [
    "NaN",
    "Infinity",
    "-Infinity",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    '{"a":1,"a":2}',
    "[" * 120 + "]" * 120,
]
"""JSON to some, of which nobody knows what was meant."""
ABSENT = ["", "{", "[" * 100_000, "0x10", "01", "'x'", '"\\x"', "\x00"]
"""No JSON at all."""

odd = st.sampled_from(ODD)
