"""Where a request comes from: the address that limits count by, proxies seen through."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Sequence

PROXY_HOPS: Final = web.AppKey("proxy_hops", int)
"""How many proxies of ours a request of this application has come through."""

# Some proxies append the port: 192.0.2.1:4711, [2001:db8::1]:4711.
_WITH_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?")


@lru_cache(4096)  # parsing costs more than checking a signature; a proxy's address comes always
def group(address: str) -> str:
    """Return what `address` is counted as: IPv4 itself, IPv6 its /64, else as it is.

    A household or a server gets a /64 (RFC 6177): who has one has 2^64 addresses.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


def choose_address(peer: str, forwarded: Sequence[str], *, hops: int) -> str:
    """Return the client's address: `peer`, or as the outermost of `hops` proxies of ours saw it.

    `forwarded` are the values of X-Forwarded-For in their order. What stands further left is
    whatever a stranger wrote; a list that is too short or unreadable there counts for nothing.
    """
    if not hops:
        return peer
    said = [part.strip() for value in forwarded for part in value.split(",")]
    if len(said) < hops:
        return peer
    found = said[-hops]
    if bracketed := _WITH_PORT.fullmatch(found):
        found = bracketed[1] or bracketed[2]
    try:
        return str(ip_address(found))
    except ValueError:
        return peer


def source_of(request: web.Request) -> str:
    """Return what the client of `request` is counted as."""
    hops = request.app.get(PROXY_HOPS, 0)
    forwarded = request.headers.getall("X-Forwarded-For", ()) if hops else ()
    return group(choose_address(request.remote or "", forwarded, hops=hops))
