"""What Clerk tells of a change: webhooks, as it would send them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ATTRIBUTES: Final = {
    "http_request": {"client_ip": "203.0.113.24", "user_agent": "clerk/clerk-sdk-go@v3.0.0"}
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """One webhook, and those that come of the same change."""

    type: str
    """Such as user.updated."""
    id: str
    """Of what it is about: `data.id`."""
    event_id: str
    """Its svix-id."""
    timestamp: int
    """When Clerk wrote it, a little after the change, in ms of Clerk's clock."""
    body: bytes
    besides: tuple[Told, ...] = ()
    """What Clerk perhaps tells too: nobody promises that a deletion tells of all that goes."""

    def __iter__(self) -> Iterator[Told]:
        """Give it, and then those besides."""
        yield self
        yield from self.besides


def write_told(
    type_: str,
    data: Mapping[str, Any],
    *,
    event_id: str,
    timestamp: int,
    instance_id: str,
) -> Told:
    """Return the webhook about `data`, in the envelope that Clerk gives it."""
    envelope = {
        "data": data,
        "event_attributes": _ATTRIBUTES,
        "instance_id": instance_id,
        "object": "event",
        "timestamp": timestamp,
        "type": type_,
    }
    return Told(
        type=type_,
        id=data["id"],
        event_id=event_id,
        timestamp=timestamp,
        body=msgspec.json.encode(envelope),
    )
