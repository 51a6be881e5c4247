"""Random histories: lists of events that may arrive in any order, any number of times.

The same seed gives the same history; its ids hold the `tag`, so that cases share a database.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ingest.route import route
from schema.kafka.clerk import occurred_at, read_envelope, read_subject
from schema.kafka.commands import COMMAND_TYPES
from schema.kafka.headers import EventHeaders, read_headers, write_event_headers
from schema.kafka.snapshots import ABSENCE, SNAPSHOT, write_absence, write_snapshot
from tests.commands import raw_command
from tests.factories import make_record
from tests.integration.workers.order.facts import Told
from tests.integration.workers.order.speeches import speak
from tests.integration.workers.order.worlds import SAMPLES, Data, Scribe, World, make_world
from workers.decode import Event, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

LETTERS: Final = "aBcD_-09"
"""How svix-ids go on, so that bytes order them differently from any language."""

IGNORED: Final = ("email.created", "sms.created", "role.created", "organizationInvitation.created")
STATUSES: Final = (
    *("abandoned", "active", "ended", "expired"),
    *("pending", "removed", "replaced", "revoked"),
)
"""What Clerk's Backend API can say of a session."""

LATER_MS: Final = 4_102_444_800_000
"""2100: whatever an operator gives back now, somebody gone then is gone again."""

FOUND_OUT: Final = 0.4
"""How many of those who leave do so without a webhook."""

SESSIONS: Final = (
    *("session.created", "session.pending"),
    *("session.ended", "session.removed", "session.revoked"),
)


def seeded(seed: int) -> random.Random:
    """Return chance that is the same every time."""
    return random.Random(seed)  # noqa: S311  # nothing here is a secret


def make_history(
    chance: random.Random, tag: str, *, length: int, commands: float = 0, looks: bool = True
) -> list[Told]:
    """Return so many events of one world; so much of it are commands, and `looks` may be."""
    world = make_world(chance, tag)
    return [
        make_command(chance, world, number)
        if commands and chance.random() < commands
        else make_event(chance, world, number, looks=looks)
        for number in range(length)
    ]


def make_event(chance: random.Random, world: World, number: int, *, looks: bool = True) -> Told:
    """Return the `number`th event of a world, whose svix-id says nothing of when it was made.

    Unless `looks` are wanted, it is a webhook.
    """
    scribe = Scribe(chance, world)
    writers = _WRITERS | _LOOKERS if looks else _WRITERS
    kinds = list(writers)
    [family] = chance.choices(kinds, weights=[writers[kind][0] for kind in kinds])
    kind, data = writers[family][1](scribe)
    if kind.startswith((SNAPSHOT, ABSENCE)):
        return make_look(kind, data, at=chance.choice(world.moments))
    body = copy.deepcopy(SAMPLES["user.created"]) | {"type": kind, "data": data}
    body["timestamp"] = scribe.time()
    if scribe.often(0.1):
        del body["timestamp"]
    event_id = f"msg_{chance.choice(LETTERS)}{world.tag}_{number}"
    envelope = read_envelope(json.dumps(body).encode())
    subject = route(kind, read_subject(envelope)).user_id
    return Told(event_id=event_id, body=body, subject=subject)


def make_look(kind: str, data: Data, *, at: int) -> Told:
    """Return what somebody saw at Clerk, as it is put on Kafka: the same look has the same id."""
    known: Any = kind.rpartition(".")[2]
    text = json.dumps(data).encode()
    if kind.startswith(SNAPSHOT):
        record = write_snapshot(known, text, looker="reconcile", seen_ms=at)
    else:
        record = write_absence(known, text, looker="reconcile", clock_ms=at)
    headers, body = read_headers(record.headers), json.loads(record.value or b"")
    return Told(event_id=headers["ce_id"], body=body, subject=headers.get("ce_subject"))


def make_leaving(chance: random.Random, world: World, number: int) -> Told:
    """Return the end of somebody in a world: told, or found out, maybe long after all else."""
    user = chance.choice(world.users)
    if chance.random() < FOUND_OUT:
        at = chance.choice([*world.moments, LATER_MS, LATER_MS + 1])
        return make_look(f"{ABSENCE}user", {"id": user}, at=at)
    body = SAMPLES["user.deleted"] | {"timestamp": chance.choice(world.moments)}
    body["data"] = body["data"] | {"id": user}
    return Told(event_id=f"msg_{world.tag}_{number}", body=body, subject=user)


def make_command(chance: random.Random, world: World, number: int) -> Told:
    """Return what somebody in a world asks for."""
    scribe = Scribe(chance, world)
    kind, data = speak(scribe)
    body = {"type": kind, "timestamp": scribe.time(), "data": data}
    if scribe.often(0.02):
        del body["timestamp"]
    asker = data.get("user_id") if scribe.often(0.98) else world.users[0]
    event_id = f"cmd_{chance.choice(LETTERS)}{world.tag}_{number}"
    return Told(event_id=event_id, body=body, subject=asker)


def as_event(told: Told) -> Event:
    """Return the event as a worker reads it from Kafka."""
    text = json.dumps(told.body).encode()
    if told.body["type"] in COMMAND_TYPES:
        asker, kind = told.subject or "", told.body["type"]
        return decode(raw_command(text, asker=asker, kind=kind, command_id=told.event_id))
    headers = EventHeaders(
        event_id=told.event_id,
        event_type=told.body["type"],
        source="tests",
        occurred_at=occurred_at(read_envelope(text)),
        subject=told.subject,
        request_id="tests",
    )
    return decode(make_record(text, headers=write_event_headers(headers)))


def _user(scribe: Scribe) -> tuple[str, Data]:
    kind = scribe.chance.choice(["user.created", "user.updated"])
    return kind, scribe.user(scribe.chance.choice(scribe.world.users))


def _deleted_user(scribe: Scribe) -> tuple[str, Data]:
    user = scribe.chance.choice(scribe.world.users)
    return "user.deleted", SAMPLES["user.deleted"]["data"] | {"id": user}


def _session(scribe: Scribe) -> tuple[str, Data]:
    kind = scribe.chance.choice(SESSIONS)
    return kind, scribe.session(kind, scribe.chance.choice(scribe.world.sessions))


def _organization(scribe: Scribe) -> tuple[str, Data]:
    kind = scribe.chance.choice(["organization.created", "organization.updated"])
    return kind, scribe.organization(scribe.chance.choice(scribe.world.organizations))


def _deleted_organization(scribe: Scribe) -> tuple[str, Data]:
    organization = scribe.chance.choice(scribe.world.organizations)
    return "organization.deleted", SAMPLES["organization.deleted"]["data"] | {"id": organization}


def _membership(scribe: Scribe) -> tuple[str, Data]:
    verb = scribe.chance.choice(["created", "updated", "deleted"])
    membership = scribe.chance.choice(scribe.world.memberships)
    return f"organizationMembership.{verb}", scribe.membership(membership)


def _invitation(scribe: Scribe) -> tuple[str, Data]:
    invitation = scribe.chance.choice(scribe.world.invitations)
    return "organizationInvitation.accepted", scribe.invitation(invitation)


def _ignored(scribe: Scribe) -> tuple[str, Data]:
    user = scribe.chance.choice([*scribe.world.users, None])
    if scribe.often(0.3):
        kind = scribe.chance.choice(["user.renamed", "session.touched", "badge.given"])
        return kind, {"id": user or "badge_1", "user_id": user, "updated_at": "whenever"}
    kind = scribe.chance.choice(IGNORED)
    return kind, SAMPLES[kind]["data"] | {"user_id": user}


def _seen(scribe: Scribe) -> tuple[str, Data]:
    kind, data = scribe.chance.choice([_user, _user, _session, _organization, _membership])(scribe)
    family = kind.partition(".")[0]
    if family == "session":
        data.pop("user", None)
        data["status"] = scribe.chance.choice([*STATUSES, "new", None])
    return f"{SNAPSHOT}{family}", data


def _unseen(scribe: Scribe) -> tuple[str, Data]:
    kind, data = scribe.chance.choice(
        [_deleted_user, _deleted_organization, _membership, _session, _session]
    )(scribe)
    family = kind.partition(".")[0]
    if family == "session":
        known = ("id", "user_id", "updated_at", *(("created_at", "actor") * scribe.often(0.5)))
        data = {name: data[name] for name in known if name in data}
    return f"{ABSENCE}{family}", data


def _bad(scribe: Scribe) -> tuple[str, Data]:
    kind, data = scribe.chance.choice([_user, _session, _organization, _membership])(scribe)
    spoil = scribe.chance.choice(_SPOILS[kind.partition(".")[0]])
    spoil(data)
    return kind, data


def _badly_seen(scribe: Scribe) -> tuple[str, Data]:
    kind, data = scribe.chance.choice([_user, _session, _organization])(scribe)
    family = kind.partition(".")[0]
    scribe.chance.choice(_SPOILS[family])(data)
    return f"{SNAPSHOT}{family}", data


def _without_time(data: Data) -> None:
    data["updated_at"] = "yesterday"


def _without_end(data: Data) -> None:
    data["created_at"] = 10**18


def _name_with_nul(data: Data) -> None:
    data["first_name" if "first_name" in data else "name"] = "A\x00"


def _metadata_with_nul(data: Data) -> None:
    data["public_metadata"] = {"deep": [{"\x00": 1}]}


def _nested_stranger(data: Data) -> None:
    data["user"] = copy.deepcopy(SAMPLES["user.created"]["data"])


def _nested_nul(data: Data) -> None:
    data["user"] = SAMPLES["user.created"]["data"] | {"id": data["user_id"], "last_name": "\x00"}


def _device_with_nul(data: Data) -> None:
    data["latest_activity"] = {"browser_name": "\x00", "device_type": "iPhone"}


def _without_organization(data: Data) -> None:
    del data["organization"]


def _without_member(data: Data) -> None:
    data["public_user_data"] = None


_SPOILS: Final[Mapping[str, tuple[Callable[[Data], None], ...]]] = {
    "user": (_without_time, _without_end, _name_with_nul, _metadata_with_nul),
    "session": (_without_time, _nested_stranger, _nested_nul, _device_with_nul),
    "organization": (_without_time, _name_with_nul, _metadata_with_nul),
    "organizationMembership": (_without_organization, _without_member, _metadata_with_nul),
}

_Writers = dict[str, tuple[int, Callable[[Scribe], tuple[str, Data]]]]

_LOOKERS: Final[_Writers] = {
    "seen": (20, _seen),
    "unseen": (6, _unseen),
    "badly seen": (1, _badly_seen),
}

_WRITERS: Final[_Writers] = {
    "user": (28, _user),
    "user's end": (5, _deleted_user),
    "session": (28, _session),
    "organization": (7, _organization),
    "organization's end": (3, _deleted_organization),
    "membership": (14, _membership),
    "invitation": (7, _invitation),
    "ignored": (5, _ignored),
    "bad": (3, _bad),
}
