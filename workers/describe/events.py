"""Tell Clerk's events as JSON Schema, as leniently as schema/kafka/clerk.py reads them.

JSON Schema of draft 7, which AsyncAPI's own is made from.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as kinds

from schema.kafka import clerk, commands
from workers.project import PROJECTIONS
from workers.project.organizations import (
    project_invitation,
    project_membership,
    project_organization,
    project_organization_deletion,
)
from workers.project.sessions import project_session
from workers.project.users import project_user, project_user_deletion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

    from workers.project import Projection

EVENT: Final = "clerk.Envelope"
"""The name of the schema of a whole event."""

DATA: Final[Mapping[Projection, type[msgspec.Struct]]] = {
    project_user: clerk.User,
    project_user_deletion: clerk.Deleted,
    project_session: clerk.Session,
    project_organization: clerk.Organization,
    project_organization_deletion: clerk.Deleted,
    project_membership: clerk.Membership,
    project_invitation: clerk.Invitation,
}
"""What a projection reads -> what the event's `data` must be for that."""

_PLAIN: Final = {kinds.BoolType: "boolean", kinds.IntType: "integer", kinds.NoneType: "null"}


def event_schemas() -> dict[str, Any]:
    """Return name -> schema of an event and of all that is read inside one.

    Names begin with `clerk.`; references are those of an AsyncAPI document.
    """
    schemas: dict[str, Any] = {}
    structs: list[type[msgspec.Struct]] = [clerk.Envelope, *DATA.values()]
    for struct in structs:
        schemas |= tell_structs(struct)
    envelope = schemas[EVENT]
    envelope["properties"]["type"] |= {"minLength": 1, "maxLength": clerk.MAX_TYPE_LENGTH}
    envelope["allOf"] = list(_data_by_type())
    return schemas


def tell_structs(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return name -> schema of a structure and of those inside."""
    return dict(_walk(kinds.type_info(struct)))


def reference(name: str) -> dict[str, str]:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _data_by_type() -> Iterator[dict[str, Any]]:
    """Yield what `data` is for each type that changes something here."""
    for struct in dict.fromkeys(DATA.values()):
        types = [each for each, projection in PROJECTIONS.items() if DATA[projection] is struct]
        yield tell_condition("type", types, "data", reference(name_struct(struct)))


def tell_condition(
    field: str, values: Sequence[str], other: str, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return that where `field` has one of the values, `other` is as the schema says."""
    return {
        "if": {"properties": {field: {"enum": list(values)}}, "required": [field]},
        "then": {"properties": {other: dict(schema)}},
    }


def name_struct(struct: type[Any]) -> str:
    """Return the name of its schema: that of its module, and its own."""
    return f"{struct.__module__.rpartition('.')[2]}.{struct.__name__}"


def _walk(kind: kinds.Type) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and schema of each structure inside, and of itself."""
    if isinstance(kind, kinds.UnionType):
        for each in kind.types:
            yield from _walk(each)
    elif isinstance(kind, kinds.ListType):
        yield from _walk(kind.item_type)
    elif isinstance(kind, kinds.StructType):
        for field in kind.fields:
            yield from _walk(field.type)
        yield name_struct(kind.cls), _tell_struct(kind)


def _tell_struct(kind: kinds.StructType) -> dict[str, Any]:
    said = _docstrings()
    properties = {}
    for field in kind.fields:
        text = said.get((kind.cls.__name__, field.name))
        properties[field.encode_name] = _tell(field.type) | ({"description": text} if text else {})
    required = [field.encode_name for field in kind.fields if field.required]
    return {
        "type": "object",
        "description": inspect.getdoc(kind.cls),
        "properties": properties,
    } | ({"required": required} if required else {})


def _tell(kind: kinds.Type) -> dict[str, Any]:
    """Return the schema of a type. Raises TypeError for one that no event has had so far."""
    if type(kind) in _PLAIN:
        return {"type": _PLAIN[type(kind)]}
    if isinstance(kind, kinds.AnyType | kinds.RawType):
        return {}
    if isinstance(kind, kinds.StructType):
        return reference(name_struct(kind.cls))
    if isinstance(kind, kinds.ListType):
        return {"type": "array", "items": _tell(kind.item_type)}
    if isinstance(kind, kinds.UnionType):
        return _tell_either([_tell(each) for each in kind.types])
    return _tell_text(kind)


def _tell_text(kind: kinds.Type) -> dict[str, Any]:
    if isinstance(kind, kinds.UUIDType):
        return {"type": "string", "format": "uuid"}
    if isinstance(kind, kinds.LiteralType):
        return {"enum": list(kind.values)}
    if isinstance(kind, kinds.StrType):
        bounds = {"minLength": kind.min_length, "maxLength": kind.max_length}
        # Python's end of the text is another in the dialect of JSON Schema (ECMA-262).
        pattern = {"pattern": kind.pattern.replace(r"\Z", "$")} if kind.pattern else {}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"type": "string", **given, **pattern}
    raise TypeError(f"{type(kind).__name__} cannot be told yet")


def _tell_either(options: list[dict[str, Any]]) -> dict[str, Any]:
    null = {"type": "null"}
    rest = [each for each in options if each != null]
    if len(rest) == 1 and null in options and "type" in rest[0]:
        return {**rest[0], "type": [rest[0]["type"], "null"]}
    return {"anyOf": options}


def _parse(module: ModuleType) -> list[ast.stmt]:
    return ast.parse(inspect.getsource(module)).body


@cache
def _docstrings() -> Mapping[tuple[str, str], str]:
    """Return (class, field) -> what stands below the field in the source."""
    found = {}
    nodes = [each for module in (clerk, commands) for each in _parse(module)]
    for node in nodes:
        body = node.body if isinstance(node, ast.ClassDef) else []
        for field, text in pairwise(body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(said))),
                ):
                    found[node.name, name] = " ".join(said.split())  # type: ignore[attr-defined]  # only classes have fields
    return found
