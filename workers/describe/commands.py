"""Tell commands as JSON Schema, from the structures in schema/kafka/commands.py, with examples."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from schema.kafka.commands import (
    TYPES,
    Command,
    DataDeletion,
    DataPut,
    OwnKey,
    PostChange,
    PostCreation,
    PostDeletion,
)
from schema.postgres.ids import derive_post_id
from schema.postgres.user_data import USER_DATA
from workers.describe.events import name_struct, reference, tell_condition, tell_structs

COMMAND: Final = "commands.Envelope"
"""The name of the schema of a whole command."""

COMMAND_ID: Final = "cmd_01KDVDNJ2E9W9Q0Q2T8ZB3M5R7"
_AUTHOR: Final = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"
_POST: Final = derive_post_id(_AUTHOR, COMMAND_ID)

EXAMPLES: Final[tuple[Command, ...]] = (
    PostCreation(
        id=_POST, user_id=_AUTHOR, title="Hello", body="This is my first post.", status="draft"
    ),
    PostChange(id=_POST, user_id=_AUTHOR, status="published"),
    PostDeletion(id=_POST, user_id=_AUTHOR),
    DataPut(user_id=_AUTHOR, key="feature_flags", value=msgspec.Raw(b'{"new-editor":true}')),
    DataDeletion(user_id=_AUTHOR, key="feature_flags"),
)
"""One of each type."""


def command_schemas() -> dict[str, Any]:
    """Return name -> schema of a command and of all that is inside one.

    Names begin with `commands.` and `user_data.`; references are those of an AsyncAPI document.
    """
    schemas: dict[str, Any] = {COMMAND: _envelope()}
    for struct in TYPES:
        schemas |= tell_structs(struct)
    put = schemas[name_struct(DataPut)]
    put["allOf"] = [
        tell_condition("key", [key], "value", reference(f"user_data.{key}"))
        for key in get_args(OwnKey)
    ]
    return schemas | {f"user_data.{key}": USER_DATA[key].json_schema() for key in get_args(OwnKey)}


def _envelope() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "What a signed-in user asks for.",
        "properties": {
            "type": {"enum": list(TYPES.values()), "description": "what is asked for"},
            "timestamp": {
                "type": "integer",
                "minimum": 1,
                "description": "when it was accepted, in milliseconds since 1970",
            },
            "data": {"type": "object"},
        },
        "required": ["type", "timestamp", "data"],
        "allOf": [
            tell_condition("type", [kind], "data", reference(name_struct(struct)))
            for struct, kind in TYPES.items()
        ],
    }
