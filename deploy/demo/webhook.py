"""A webhook of the demonstration: what is sent, and what has to become of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from deploy.samples import invent_id, write_event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from deploy.demo.people import Snapshot


class Fate(Enum):
    """What has to become of a webhook."""

    PROJECTED = "applied or stale"
    IGNORED = "ignored"
    DEAD = "dead"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One event, rightly signed unless its fate is to be refused."""

    event_id: str
    type: str
    body: bytes
    fate: Fate
    told_at: int
    """The event's own time in milliseconds."""
    user_id: str | None = None
    """Whom it names."""
    snapshot: Snapshot | None = None
    """What the user is like from then on, in the event or nested in it; None where it does not say.
    """
    code: str | None = None
    """The one-time code inside."""

    @property
    def deletes(self) -> bool:
        """Whether it ends a user."""
        return self.type == "user.deleted"

    @property
    def data(self) -> dict[str, Any]:
        """What the event says."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data


def wrap(
    random: Random,
    event: Mapping[str, Any],
    *,
    fate: Fate = Fate.PROJECTED,
    user_id: str | None = None,
    snapshot: Snapshot | None = None,
) -> Webhook:
    """Return the webhook that brings `event`, under an svix-id of its own."""
    return Webhook(
        event_id=invent_id("msg", random),
        type=event["type"],
        body=write_event(event),
        fate=fate,
        told_at=event["timestamp"],
        user_id=user_id,
        snapshot=snapshot,
    )
