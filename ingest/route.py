"""Decide where an event goes: the topic and the key, from its type and the ids in its data.

The table is Clerk's catalogue. An event that belongs to a user is keyed by the clerk user id, so
that one partition has all of a user's events; `""` counts as missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from schema.kafka.clerk import MalformedEventError, Subject
from schema.kafka.topics import ORG_EVENTS, USER_EVENTS, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Field = Callable[[Subject], str | None]


class Route(NamedTuple):
    """Where an event goes."""

    topic: Topic
    key: str
    user_id: str | None
    """The clerk user the event belongs to."""


def _nobody(_subject: Subject) -> None:
    return None


def _id(subject: Subject) -> str | None:
    return subject.id


def _user_id(subject: Subject) -> str | None:
    return subject.user_id


def _member(subject: Subject) -> str | None:
    return subject.public_user_data.user_id if subject.public_user_data else None


def _paying_user(subject: Subject) -> str | None:
    return subject.payer.user_id if subject.payer else None


def _organization(subject: Subject) -> str | None:
    payer = subject.payer.organization_id if subject.payer else None
    return subject.organization_id or payer


USER_FIELD: Final[Mapping[str, Field]] = {
    "user": _id,
    "session": _user_id,
    "organizationMembership": _member,
    "organizationInvitation": _user_id,
    "organization": _nobody,
    "organizationDomain": _nobody,
    "email": _user_id,
    "sms": _user_id,
    "role": _nobody,
    "permission": _nobody,
    "waitlistEntry": _nobody,
    "subscription": _paying_user,
    "subscriptionItem": _paying_user,
    "paymentAttempt": _paying_user,
}
"""What stands before the dot of a type -> the field that names the user."""


def route(event_type: str, subject: Subject) -> Route:
    """Return where an event goes; a type that nobody knows goes by the ids it carries.

    Raises MalformedEventError when nothing in the data identifies it.
    """
    family = event_type.partition(".")[0]
    user_id = USER_FIELD.get(family, _user_id)(subject)
    if user_id:
        return Route(topic=USER_EVENTS, key=user_id, user_id=user_id)
    key = _organization(subject) or subject.id
    if not key:
        raise MalformedEventError("$.data", "nothing in it identifies whom the event is about")
    return Route(topic=ORG_EVENTS, key=key, user_id=None)
