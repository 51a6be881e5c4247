"""Tell what a record of each change topic is: a state, or a tombstone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schema.kafka.changes import (
    CANARY,
    POST_CREATED,
    POST_DELETED,
    POST_UPDATED,
    SOURCE,
    USER_CREATED,
    USER_DELETED,
    USER_UPDATED,
)
from schema.kafka.headers import ChangeHeaders, read_headers, write_change_headers
from schema.kafka.topics import POST_CHANGES, USER_CHANGES, USER_EVENTS, Topic
from workers.describe.events import reference
from workers.describe.examples import post_state, user_state
from workers.describe.headers import TRACED, changed, tell_headers
from workers.describe.messages import SAMPLES, Message
from workers.describe.records import CONTRACTS, Contract, record_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schema.kafka.changes import PostState, UserState

KINDS: Final[Mapping[Topic, tuple[Sequence[str], Sequence[str]]]] = {
    USER_CHANGES: ((USER_CREATED, USER_UPDATED), (USER_DELETED, CANARY)),
    POST_CHANGES: ((POST_CREATED, POST_UPDATED), (POST_DELETED,)),
}
"""Topic -> the types of changes that leave a state, and of those that leave nothing."""


def change_messages() -> Iterator[Message]:
    """Yield a kind of record for each version of a state, and for each topic's tombstones."""
    for contract in CONTRACTS:
        yield _state(contract)
    for contract in {each.topic: each for each in CONTRACTS}.values():
        yield _tombstone(contract)


def change_schemas() -> dict[str, Any]:
    """Return name -> schema of the states, and of the headers that name them."""
    schemas: dict[str, Any] = {}
    for contract in CONTRACTS:
        # An AsyncAPI document is draft 7; all that these schemas say means the same there.
        schema = record_schema(contract)
        schemas[contract.name] = {key: each for key, each in schema.items() if key != "$schema"}
        schemas[_headers(contract)] = tell_headers(changed(contract.id), at_times=(TRACED,))
    return schemas


def _state(contract: Contract) -> Message:
    leaving, _ = KINDS[contract.topic]
    return Message(
        topic=contract.topic,
        name=f"state.{contract.version}",
        title="The state after the change, whole",
        summary=_list(leaving),
        headers=_headers(contract),
        payload=reference(contract.name),
        key=_key(contract),
        examples=[
            {
                "name": leaving[0],
                "headers": _example_headers(contract, leaving[0], schema=contract.id),
                "payload": _example(contract).model_dump(mode="json"),
            }
        ],
    )


def _tombstone(contract: Contract) -> Message:
    _, gone = KINDS[contract.topic]
    return Message(
        topic=contract.topic,
        name="tombstone",
        title="Nothing is left, and compaction forgets what was told before",
        summary=_list(gone),
        headers="headers.tombstone",
        payload={"type": "null", "description": "no value at all"},
        content_type=None,
        key=_key(contract),
        examples=[
            {"name": gone[0], "headers": _example_headers(contract, gone[0]), "payload": None}
        ],
    )


def _example(contract: Contract) -> UserState | PostState:
    user = user_state(SAMPLES[USER_EVENTS][0])
    return user if isinstance(user, contract.model) else post_state(user)


def _example_headers(contract: Contract, kind: str, schema: str | None = None) -> Any:
    state = _example(contract)
    headers = ChangeHeaders(
        position=state.sequence,
        change_type=kind,
        source=SOURCE,
        subject=str(getattr(state, contract.key)),
        schema=schema,
    )
    return dict(read_headers(write_change_headers(headers)))


def _key(contract: Contract) -> Mapping[str, Any]:
    """Return the schema of the record's key, which repeats a field."""
    schema: Mapping[str, Any] = record_schema(contract)["properties"][contract.key]
    return schema


def _headers(contract: Contract) -> str:
    return f"headers.{contract.name}"


def _list(types: Sequence[str]) -> str:
    return " or ".join(types)
