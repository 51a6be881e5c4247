"""Find what in a record's schema has changed so that a reader breaks. Pure.

A compacted topic holds records of all times, and its readers have the schema of any time. So both
must hold: who knows the published schema reads what is written now, and who knows the one of now
reads what was written before. What was promised stays as it is, in both directions; a field may
be added, where it may be missing, and words may change. Everything else is another version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema: TypeAlias = Mapping[str, Any]
    """A JSON Schema of dialect 2020-12 that is an object, and not true or false."""

WORDS: Final = frozenset(
    {
        *("$schema", "$comment", "title", "description", "default", "examples"),
        *("deprecated", "readOnly", "writeOnly"),
    }
)
"""The keywords that only tell: a reader breaks over none of them (JSON Schema 2020-12, 9)."""

_COMPARED: Final = frozenset(
    {"type", "const", "enum", "properties", "required", "items", "anyOf", "additionalProperties"}
)
_EARLIER: Final = "any more, as earlier records may"
_MISSING: Final = object()


class Break(NamedTuple):
    """A change that breaks readers."""

    field: str
    """A path such as `role` or `address.city`, empty where the whole record is meant."""
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def find_breaks(published: Schema, current: Schema, *, at: str = "") -> Iterator[Break]:
    """Yield how `current` breaks readers of `published`, or its own over earlier records.

    References are compared as they stand.
    """
    before, now = _branches(published), _branches(current)
    for form in sorted(before.keys() - now.keys()):
        yield Break(at, f"may not be {form} {_EARLIER}")
    for form in sorted(now.keys() - before.keys()):
        yield Break(at, f"may be {form}, was {' or '.join(sorted(before))} only")
    for form in sorted(before.keys() & now.keys()):
        yield from _compare(before[form], now[form], at)


def _branches(schema: Schema) -> dict[str, Schema]:
    """Return what a value may be, by its type: the branches of anyOf, or each of several types."""
    rest = {key: value for key, value in schema.items() if key not in WORDS | {"anyOf", "type"}}
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "anyOf" in schema:
        whole = {key: value for key, value in schema.items() if key != "anyOf"}
        found = [pair for each in schema["anyOf"] for pair in _branches(_both(whole, each)).items()]
    else:
        found = [(each, rest) for each in types] or [("anything", rest)]
    forms = [form for form, _ in found]
    return {
        form if forms.count(form) == 1 else f"{form} {_spell(branch)}": branch
        for form, branch in found
    }


def _both(one: Schema, other: Schema) -> Schema:
    """Return one schema for two that both hold; where they clash, that is kept as it stands."""
    clash = [one[key] for key in one.keys() & other.keys() - WORDS if one[key] != other[key]]
    return {**one, **other} | ({"besides": clash} if clash else {})


def _compare(published: Schema, current: Schema, at: str) -> Iterator[Break]:
    yield from _compare_values(published, current, at)
    yield from _compare_fields(published, current, at)
    yield from _compare_inner(published, current, keyword="items", at=_join(at, "[]"))
    yield from _compare_inner(published, current, keyword="additionalProperties", at=_join(at, "*"))
    for keyword in sorted((published.keys() | current.keys()) - _COMPARED):
        before, now = (schema.get(keyword, _MISSING) for schema in (published, current))
        if before != now:
            yield Break(at, f"{keyword} was {_spell(before)}, is {_spell(now)}")


def _compare_values(published: Schema, current: Schema, at: str) -> Iterator[Break]:
    before, now = _values(published), _values(current)
    if before is None or now is None:
        if before is not None:
            yield Break(at, f"may be anything, was {' or '.join(sorted(before))} only")
        if now is not None:
            yield Break(at, f"is limited to {' or '.join(sorted(now))}; earlier records are not")
        return
    for value in sorted(now - before):
        yield Break(at, f"may be {value}, for which no reader has a branch")
    for value in sorted(before - now):
        yield Break(at, f"may not be {value} {_EARLIER}")


def _compare_fields(published: Schema, current: Schema, at: str) -> Iterator[Break]:
    before, now = (schema.get("properties", {}) for schema in (published, current))
    yield from _compare_presence(published, current, at)
    for name in before:
        if name in now:
            yield from find_breaks(before[name], now[name], at=_join(at, name))
        else:
            yield Break(_join(at, name), "is removed")
    for name in sorted(now.keys() - before.keys()):
        if not before:
            yield Break(_join(at, name), "is described where fields had any name and value")
        elif published.get("additionalProperties", True) is not True:
            yield Break(_join(at, name), "is added where no such field was allowed")


def _compare_presence(published: Schema, current: Schema, at: str) -> Iterator[Break]:
    before, now = (schema.get("properties", {}) for schema in (published, current))
    always, needed = (set(schema.get("required", ())) for schema in (published, current))
    for name in sorted(always - needed):
        if name in now or name not in before:
            yield Break(_join(at, name), "may be missing, was always there")
    for name in sorted(needed - always):
        how = "is required" if name in before else "is added as required"
        yield Break(_join(at, name), f"{how}; earlier records may lack it")


def _compare_inner(published: Schema, current: Schema, *, keyword: str, at: str) -> Iterator[Break]:
    """Compare the schemas of elements, or of fields without a name; True allows everything."""
    before, now = (schema.get(keyword, True) for schema in (published, current))
    if isinstance(before, dict) and isinstance(now, dict):
        yield from find_breaks(before, now, at=at)
    elif before != now:
        yield Break(at, f"was {_spell(before)}, is {_spell(now)}")


def _values(schema: Schema) -> frozenset[str] | None:
    """Return the values it lists, as JSON, None where it lists none."""
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if listed is None else frozenset(map(_spell, listed))


def _spell(value: object) -> str:
    return "nothing" if value is _MISSING else json.dumps(value, sort_keys=True)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
