"""Show a JSON Schema in words: what a value may be, and the fields it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schema.http.pages.markup import join, link, prose, table, tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schema.http.pages.markup import Markup, Node

    Schema = Mapping[str, Any]

_REFERENCE: Final = "#/components/schemas/"
_BOUNDS: Final = {
    "format": "{}",
    "pattern": "matching {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
}
"""Keywords that are shown behind the type, and how."""


def show_type(schema: Schema) -> Markup:
    """Return what a value may be; a schema that has a name is linked to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return link(f"#{name}", name)
    if "anyOf" in schema:
        return _either(map(show_type, schema["anyOf"]))
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if values:
        return _either(tag("code", _spell(value)) for value in values)
    if "items" in schema:
        return join("array of ", show_type(schema["items"]))
    types = schema.get("type", "anything")
    bounds = [form.format(schema[name]) for name, form in _BOUNDS.items() if name in schema]
    return join(", ".join([types if isinstance(types, str) else " or ".join(types), *bounds]))


def show_fields(schema: Schema) -> Markup:
    """Return a table of the fields, those of objects inside with their path; and conditions."""
    rows = list(_rows(schema, at=""))
    return join(
        table(("field", "type", "there", "meaning"), rows) if rows else "",
        [tag("p", each) for each in _conditions(schema)],
    )


def _rows(schema: Schema, *, at: str) -> Iterator[tuple[Node, ...]]:
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        there = "always" if name in required else "at times"
        meaning = prose(each.get("description", ""))
        yield tag("code", f"{at}{name}"), show_type(each), there, meaning
        yield from _rows(each, at=f"{at}{name}.")


def _conditions(schema: Schema) -> Iterator[Markup]:
    """Yield what holds for some values of a field: each condition of ours lists values."""
    for each in schema.get("allOf", ()):
        for field, condition in each["if"]["properties"].items():
            for name, then in each["then"]["properties"].items():
                yield join(
                    *("Where ", tag("code", field), " is ", show_type(condition), ", "),
                    *(tag("code", name), " is ", show_type(then), "."),
                )


def _either(options: Iterator[Markup]) -> Markup:
    first, *rest = options
    return join(first, [(" or ", each) for each in rest])


def _spell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
