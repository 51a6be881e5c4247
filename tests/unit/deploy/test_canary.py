"""What is made of a flight."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from deploy.canary.fly import Flight
from deploy.canary.run import describe, note
from schema.ops.metrics import CANARY_STATIONS, CanaryMetrics

ARRIVED = Flight(accepted_s=0.004, topic_s=0.021, api_s=0.0154)
FLIGHTS = {
    None: ARRIVED,
    "accepted": Flight(),
    "topic": Flight(accepted_s=0.1, api_s=0.2),
    "api": Flight(accepted_s=0.1, topic_s=0.2),
}


@pytest.mark.parametrize("station", FLIGHTS)
def test_a_flight_is_lost_where_it_is_missed_first(station: str | None) -> None:
    """And counted there; one that arrived is counted nowhere."""
    registry = CollectorRegistry()
    note(FLIGHTS[station], CanaryMetrics(registry))
    lost = {
        each: registry.get_sample_value("clerkwork_canary_lost_total", {"at": each})
        for each in CANARY_STATIONS
    }

    assert FLIGHTS[station].lost_at == station
    assert lost == {each: float(each == station) for each in CANARY_STATIONS}
    assert registry.get_sample_value("clerkwork_canary_flights_total") == 1


def test_what_is_measured_is_told() -> None:
    """In seconds to Prometheus, in milliseconds to people."""
    registry = CollectorRegistry()
    note(ARRIVED, CanaryMetrics(registry))

    assert registry.get_sample_value("clerkwork_canary_seconds_sum", {"at": "topic"}) == 0.021
    assert describe(ARRIVED) == "accepted 4 ms, topic 21 ms, API 15 ms"
    assert describe(FLIGHTS["topic"]) == "accepted 100 ms, topic never, API 200 ms"
