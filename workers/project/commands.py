"""Project what signed-in users ask for: posts, and what they say of themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import msgspec
import pydantic

from schema.kafka.clerk import Envelope, MalformedEventError, read_data, read_ms
from schema.kafka.commands import (
    CHANGE_POST,
    CREATE_POST,
    DELETE_DATA,
    DELETE_POST,
    PUT_DATA,
    DataDeletion,
    DataPut,
    OwnKey,
    PostChange,
    PostCreation,
    PostDeletion,
)
from schema.postgres.ids import derive_id, is_author
from schema.postgres.user_data import USER_DATA, OnboardingStatus, Preferences
from workers.project.posts import FIELDS, DataRow, PostRow, Register
from workers.project.users import UserRow
from workers.reject import reject_nuls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schema.kafka.commands import Command
    from workers.project.row import Row

    Projection = Callable[[Envelope, int, str], tuple[Command, Row]]

CommandT = TypeVar("CommandT", bound="Command")

CREATION: Final = msgspec.json.Decoder(PostCreation)
CHANGE: Final = msgspec.json.Decoder(PostChange)
DELETION: Final = msgspec.json.Decoder(PostDeletion)
PUT: Final = msgspec.json.Decoder(DataPut)
UNSET: Final = msgspec.json.Decoder(DataDeletion)

_CHOICES: Final = {
    "$.data.status": "neither draft nor published",
    "$.data.key": f"none of {', '.join(get_args(OwnKey))}",
}
"""Where msgspec would quote what it has found instead."""

_SHOWN: Final = {*Preferences.model_fields, *OnboardingStatus.model_fields}
"""Names inside a value that may be told; others are the user's."""


class RefusedCommandError(Exception):
    """Its user may not ask for this: it changes nothing, now or later.

    The message names the field and the reason, and holds none of the payload.
    """


def project_command(envelope: Envelope, event_id: str, asker: str | None) -> tuple[Row, ...]:
    """Return the rows that a command asks for, whose user must be `asker`.

    Raises MalformedEventError naming the field that is bad, and RefusedCommandError where the
    user is not the post's author.
    """
    at = read_ms(envelope.timestamp or 0, "$.timestamp")
    if not at:
        raise MalformedEventError("$.timestamp", "not when it was accepted")
    command, row = COMMANDS[envelope.type](envelope, at, event_id)
    if command.user_id != asker:
        raise MalformedEventError(
            "$.data.user_id", "not the user whom the record's key and ce_subject name"
        )
    if isinstance(row, PostRow) and not is_author(row.id, command.user_id):
        raise RefusedCommandError("$.data.id: the post is somebody else's")
    # Named alone: what the user asks for here is no event of Clerk's, as last_event_at counts them.
    return UserRow(id=derive_id(command.user_id), clerk_id=command.user_id), row


def _creation(envelope: Envelope, at: int, event_id: str) -> tuple[Command, Row]:
    del event_id  # the post's own id is made from it
    command = _read(envelope, CREATION)
    fields = tuple(Register(value=getattr(command, name)) for name in FIELDS)
    return command, _post(command)._replace(created=at, fields=fields)


def _change(envelope: Envelope, at: int, event_id: str) -> tuple[Command, Row]:
    command = _read(envelope, CHANGE)
    values = [getattr(command, name) for name in FIELDS]
    if not any(value is not None for value in values):
        raise MalformedEventError("$.data", "changes no field")
    fields = (Register() if value is None else Register(at, event_id, value) for value in values)
    return command, _post(command)._replace(fields=tuple(fields))


def _deletion(envelope: Envelope, at: int, event_id: str) -> tuple[Command, Row]:
    del event_id  # a deletion is the same whoever asks for it first
    command = _read(envelope, DELETION)
    return command, _post(command)._replace(deleted=at)


def _put(envelope: Envelope, at: int, event_id: str) -> tuple[Command, Row]:
    command = _read(envelope, PUT)
    return command, _data(command, at, event_id, _read_value(command))


def _unset(envelope: Envelope, at: int, event_id: str) -> tuple[Command, Row]:
    command = _read(envelope, UNSET)
    return command, _data(command, at, event_id, None)


COMMANDS: Final[Mapping[str, Projection]] = {
    CREATE_POST: _creation,
    CHANGE_POST: _change,
    DELETE_POST: _deletion,
    PUT_DATA: _put,
    DELETE_DATA: _unset,
}
"""Type of a command -> what it asks for."""


def _read(envelope: Envelope, decoder: msgspec.json.Decoder[CommandT]) -> CommandT:
    try:
        command = read_data(envelope, decoder)
    except MalformedEventError as error:
        if error.field not in _CHOICES:
            raise
        raise MalformedEventError(error.field, _CHOICES[error.field]) from None
    reject_nuls(envelope.data, command)
    return command


def _post(command: PostCreation | PostChange | PostDeletion) -> PostRow:
    return PostRow(id=command.id, user_id=derive_id(command.user_id))


def _data(command: DataPut | DataDeletion, at: int, event_id: str, value: str | None) -> DataRow:
    return DataRow(
        user_id=derive_id(command.user_id),
        key=command.key,
        value=value,
        version=at,
        version_event_id=event_id,
    )


def _read_value(command: DataPut) -> str:
    """Return the value as PostgreSQL writes it, so that both order two values alike.

    https://www.postgresql.org/docs/18/datatype-json.html: keys by length, then by bytes; no shape
    lets a user say anything but ASCII.
    """
    shape = USER_DATA[command.key]
    try:
        value = shape.dump_python(shape.validate_json(bytes(command.value)), mode="json")
    except pydantic.ValidationError as error:
        raise _explain(error) from None
    ordered = dict(sorted(value.items(), key=lambda pair: (len(pair[0]), pair[0])))
    return json.dumps(ordered)


def _explain(error: pydantic.ValidationError) -> MalformedEventError:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return MalformedEventError("$.data.value" + "".join(_path(first["loc"])), first["msg"])


def _path(place: tuple[str | int, ...]) -> Iterator[str]:
    for each in place:
        yield f".{each}" if each in _SHOWN else ".*"
