"""From one command to the facts it tells, written from the contract alone, plain and slow."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from schema.postgres.ids import is_author
from tests.commands import OWN_DATA
from tests.integration.workers.order.facts import (
    BadEventError,
    Data,
    DataSaid,
    Fact,
    PostChanged,
    PostCreated,
    PostDeleted,
    RefusedError,
    Told,
    UserNamed,
)
from tests.integration.workers.order.speeches import OTHER_DATA

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS: Final = ("title", "body", "status")


def hear(told: Told) -> list[Fact]:
    """Return everything that a command says. Raises BadEventError and RefusedError."""
    data, user = told.body["data"], told.body["data"].get("user_id")
    if not told.at or user is None or user != told.subject or len(user) > 128:
        raise BadEventError("nobody's, or of no time")
    fact = _HEARERS[told.body["type"]](told, data)
    if not isinstance(fact, DataSaid) and not is_author(uuid.UUID(fact.clerk_id), user):
        raise RefusedError
    return [UserNamed(clerk_id=user, version=(0, 0, b""), at=None), fact]


def _of_post(told: Told, data: Data) -> dict[str, Any]:
    try:
        uuid.UUID(data["id"])
    except ValueError:
        raise BadEventError("no post") from None
    title = data.get("title", "x")
    if not 1 <= len(title) <= 200 or "\x00" in title:
        raise BadEventError("no title")
    return {
        "clerk_id": data["id"],
        "user": data["user_id"],
        "version": (told.at or 0, 0, told.event_id.encode()),
        "row": {name: data[name] for name in FIELDS if name in data},
    }


def _created(told: Told, data: Data) -> Fact:
    return PostCreated(**_of_post(told, data))


def _changed(told: Told, data: Data) -> Fact:
    return PostChanged(**_of_post(told, data))


def _deleted(told: Told, data: Data) -> Fact:
    return PostDeleted(**_of_post(told, data))


def _said(told: Told, data: Data) -> Fact:
    key, value = data["key"], data.get("value")
    good = [values[key] for values in (OWN_DATA, OTHER_DATA) if key in values]
    if not good or ("value" in data and value not in good):
        raise BadEventError("nothing that users say")
    return DataSaid(
        clerk_id=data["user_id"],
        version=(told.at or 0, 0, told.event_id.encode()),
        key=key,
        row={"value": value},
    )


_HEARERS: Final[dict[str, Callable[[Told, Data], Fact]]] = {
    "clerkwork.post.create": _created,
    "clerkwork.post.change": _changed,
    "clerkwork.post.delete": _deleted,
    "clerkwork.user_data.put": _said,
    "clerkwork.user_data.delete": _said,
}
