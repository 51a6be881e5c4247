"""Where requests come from, and who may say so."""

from __future__ import annotations

import pytest

from schema.http.sources import choose_address, group

PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, ["192.0.2.1"], PEER),
        (1, [], PEER),
        (1, ["192.0.2.1"], "192.0.2.1"),
        (1, ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (1, ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        (2, ["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (2, ["6.6.6.6", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (2, ["10.0.0.2"], PEER),
        (1, ["192.0.2.1:4711"], "192.0.2.1"),
        (1, ["[2001:db8::1]:4711"], "2001:db8::1"),
        (1, ["2001:db8::1"], "2001:db8::1"),
        (1, ["192.0.2.1, "], PEER),
        (1, ["unknown"], PEER),
        (1, ["192.0.2.999"], PEER),
        (1, ["192.0.2.1\x00"], PEER),
        (1, ["a" * 8000], PEER),
    ],
)
def test_only_our_proxies_are_believed(hops: int, forwarded: list[str], address: str) -> None:
    """What a stranger wrote stands further left, and counts for nothing."""
    assert choose_address(PEER, forwarded, hops=hops) == address


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_one_source(address: str, counted_as: str) -> None:
    """Who has one address of it has them all."""
    assert group(address) == counted_as
