"""Write commands in a world: few posts and few words, so that all collide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schema.kafka.commands import (
    CHANGE_POST,
    CREATE_POST,
    DELETE_DATA,
    DELETE_POST,
    PUT_DATA,
)
from tests.commands import OWN_DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.workers.order.worlds import Data, Scribe

FOREIGN: Final = 0.1
"""How often somebody asks for what is another's."""

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "title": ("Zebra", "apple", "Ångström"),
    "body": ("", "One.", "Two.\nThree."),
    "status": ("draft", "published", "published"),
}
OTHER_DATA: Final[dict[str, Any]] = {
    "preferences": OWN_DATA["preferences"] | {"theme": "light"},
    "feature_flags": {},
    "onboarding_status": {
        **OWN_DATA["onboarding_status"],
        "completed": True,
        "completed_at": "2026-02-01T00:00:00.000Z",
    },
}
BAD_DATA: Final[tuple[Any, ...]] = (None, 7, {"theme": "dark"}, {"UPPER": True}, "\x00")
"""No key has such a value."""


def speak(scribe: Scribe) -> tuple[str, Data]:
    """Return type and data of a command, at times of one that is bad."""
    [speech] = scribe.chance.choices(list(_SPEECHES), weights=list(_SPEECHES.values()))
    kind, data = speech(scribe)
    if scribe.often(0.04):
        scribe.chance.choice(_SPOILS)(data)
    return kind, data


def _post(scribe: Scribe) -> Data:
    post = scribe.chance.choice(scribe.world.posts)
    foreign = scribe.often(FOREIGN)
    return {
        "id": post.id,
        "user_id": scribe.chance.choice(scribe.world.users) if foreign else post.user,
    }


def _create(scribe: Scribe) -> tuple[str, Data]:
    fields = {name: scribe.chance.choice(words) for name, words in WORDS.items()}
    return CREATE_POST, _post(scribe) | fields


def _change(scribe: Scribe) -> tuple[str, Data]:
    names = scribe.chance.sample(list(WORDS), scribe.chance.randint(1, 3))
    fields = {name: scribe.chance.choice(WORDS[name]) for name in names}
    return CHANGE_POST, _post(scribe) | fields


def _delete(scribe: Scribe) -> tuple[str, Data]:
    return DELETE_POST, _post(scribe)


def _data(scribe: Scribe) -> Data:
    user = scribe.chance.choice(scribe.world.users)
    return {"user_id": user, "key": scribe.chance.choice(list(OWN_DATA))}


def _put(scribe: Scribe) -> tuple[str, Data]:
    data = _data(scribe)
    values = scribe.chance.choice([OWN_DATA, OTHER_DATA])
    return PUT_DATA, data | {"value": values[data["key"]]}


def _unset(scribe: Scribe) -> tuple[str, Data]:
    return DELETE_DATA, _data(scribe)


def _with_nul(data: Data) -> None:
    for name in ("title", "key", "id"):
        if name in data:
            data[name] = "\x00"
            return


def _too_long(data: Data) -> None:
    name = next(each for each in ("title", "key", "id") if each in data)
    data[name] = "x" * 201


def _without_user(data: Data) -> None:
    del data["user_id"]


def _derived_key(data: Data) -> None:
    data["key" if "key" in data else "id"] = "session_count"


_SPOILS: Final[tuple[Callable[[Data], None], ...]] = (
    *(_with_nul, _too_long, _without_user, _derived_key),
)

_SPEECHES: Final[dict[Callable[[Scribe], tuple[str, Data]], int]] = {
    _create: 30,
    _change: 40,
    _delete: 8,
    _put: 15,
    _unset: 7,
}
