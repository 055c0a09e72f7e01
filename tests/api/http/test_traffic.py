"""The counts of a client's requests, on a clock of the test's own."""

from __future__ import annotations

import pytest

from fieldpulse_api.http.traffic import Traffic


def test_percentiles_are_exact_to_a_twentieth() -> None:
    """The longest response is exact."""
    traffic = Traffic()
    for number in range(1, 1001):
        traffic.add(status=200, seconds=number / 1000, received_bytes=2, is_repeated=False)
    facts = traffic.facts()
    assert facts.latency_p50 == pytest.approx(0.5, rel=0.05)
    assert facts.latency_p95 == pytest.approx(0.95, rel=0.05)
    assert facts.latency_max == 1.0
    assert (facts.requests, facts.bytes) == (1000, 2000)


def test_a_request_without_a_response_has_no_latency() -> None:
    """It failed, and a server error failed too; a throttled request did not."""
    traffic = Traffic()
    for status in (None, 503, 429):
        traffic.add(status=status, seconds=1.0, received_bytes=0, is_repeated=status == 503)
    facts = traffic.facts()
    assert (facts.requests, facts.failed, facts.throttled, facts.retries) == (3, 2, 1, 1)
    assert Traffic().facts().latency_p99 is None


def test_a_long_run_takes_bounded_memory() -> None:
    """Intervals become longer, and no request is lost."""
    now = [0.0]
    traffic = Traffic(clock=lambda: now[0])
    for second in range(10_000):
        now[0] = float(second)
        for status in (200, 429):
            traffic.add(status=status, seconds=0.0, received_bytes=0, is_repeated=False)
    facts = traffic.facts()
    assert facts.interval_seconds == 64
    assert len(facts.over_time) == 10_000 // 64 + 1
    assert facts.over_time[0] == (128, 64)
    assert sum(requests for requests, _ in facts.over_time) == facts.requests == 20_000
