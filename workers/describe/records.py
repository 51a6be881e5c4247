"""The contracts of the change topics as JSON Schema 2020-12, made from their models.

The records stay open: nobody who validates them may be broken by a field that is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from pydantic.json_schema import GenerateJsonSchema

from schema.kafka.changes import PostState, UserState, name_schema
from schema.kafka.topics import POST_CHANGES, USER_CHANGES, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Contract(NamedTuple):
    """What the values of a change topic promise."""

    topic: Topic
    model: type[BaseModel]
    key: str
    """The field that the record's key repeats."""

    @property
    def version(self) -> int:
        """The version that the record itself names."""
        version: int = get_args(self.model.model_fields["schema_version"].annotation)[0]
        return version

    @property
    def name(self) -> str:
        """Topic and version, such as `user.changes.1`."""
        return f"{self.topic.name}.{self.version}"

    @property
    def id(self) -> str:
        """What a record's `ce_dataschema` says."""
        return name_schema(self.topic.name, self.version)


CONTRACTS: Final = (
    Contract(USER_CHANGES, UserState, key="clerk_id"),
    Contract(POST_CHANGES, PostState, key="id"),
)
"""Every version of a record that is written, or that a topic may still hold."""


def record_schema(contract: Contract) -> dict[str, Any]:
    """Return the JSON Schema of a record's value, without references, so that it can be embedded.

    Raises ValueError for a model that holds itself.
    """
    body = contract.model.model_json_schema(schema_generator=_WithoutTitles)
    schema: dict[str, Any] = _inline(body, body.pop("$defs", {}))
    names = {"$schema": DIALECT, "$id": contract.id, "title": contract.name}
    return names | {key: each for key, each in schema.items() if key != "title"}


class _WithoutTitles(GenerateJsonSchema):
    """A title that only repeats the field's name tells nothing."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  # of none
        return False


def _inline(value: Any, definitions: Mapping[str, Any]) -> Any:
    """Return `value` with what it refers to in its place."""
    if isinstance(value, list):
        return [_inline(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" not in value:
        return {key: _inline(each, definitions) for key, each in value.items()}
    name = value["$ref"].removeprefix("#/$defs/")
    if name not in definitions:
        raise ValueError(f"{name} holds itself: a record cannot be told so")
    rest = {key: each for key, each in definitions.items() if key != name}
    return _inline(definitions[name], rest) | {k: v for k, v in value.items() if k != "$ref"}
