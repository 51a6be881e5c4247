"""Say in Python's types what a column holds. Pure."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.contracts.catalog import Facts, Subject
from deploy.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PYTHON: Final[Mapping[str, str]] = {
    "bigint": "int",
    "boolean": "bool",
    "bytea": "bytes",
    "character varying": "str",
    "character": "str",
    "date": "date",
    "double precision": "float",
    "integer": "int",
    "interval": "timedelta",
    "json": "Json",
    "jsonb": "Json",
    "numeric": "Decimal",
    "real": "float",
    "smallint": "int",
    "text": "str",
    "timestamp with time zone": "datetime",
    "timestamp without time zone": "datetime",
    "uuid": "UUID",
}
"""PostgreSQL's types -> what asyncpg makes of them.

https://magicstack.github.io/asyncpg/current/usage.html#type-conversion
"""

_VALUE: Final = r"'(?:[^']|'')*'::[a-z ]+"
_ONE_OF: Final = re.compile(
    r'CHECK \(\(\(?"?\w+"?\)?(?:::text)? = '
    rf"(?:ANY \(\(?ARRAY\[)?(?P<values>{_VALUE}(?:, {_VALUE})*)(?:\](?:\)::text\[\])?\))?\)\)"
)
"""A CHECK of one column against listed strings, as PostgreSQL spells it."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column as a field of its row."""

    name: str
    annotation: str
    comment: str
    """Empty where the column has none."""
    values: Sequence[str]
    """What alone it may hold, where a CHECK lists that; the annotation then names an alias."""


def fields_by_table(facts: Facts) -> Mapping[str, Sequence[Field]]:
    """Return table -> its fields, in the order of the facts.

    Raises OperatorError for a column that Python has no type or no name for.
    """
    columns = dict.fromkeys((each.table, each.column) for each in facts)
    return {
        table: [_field(*each, facts) for each in columns if each[0] == table and each[1]]
        for table, _ in columns
    }


def camel(*names: str) -> str:
    """Return names of tables and columns as one name of a type: `users`, `role` -> UsersRole."""
    return "".join(part.capitalize() for name in names for part in name.split("_"))


def list_values(checks: Iterable[str]) -> Sequence[str]:
    """Return the strings that a CHECK among `checks` lists, nothing when none does."""
    for found in filter(None, map(_ONE_OF.fullmatch, checks)):
        quoted = re.findall(r"'((?:[^']|'')*)'::", found["values"])
        return [value.replace("''", "'") for value in quoted]
    return []


def _field(table: str, column: str, facts: Facts) -> Field:
    if not column.isidentifier() or keyword.iskeyword(column):
        raise OperatorError(f"{table}.{column}: Python takes no such name for a field.")
    values = list_values(facts[each] for each in facts if each[:2] == (table, column))
    kind = facts[Subject(table, column, "type")]
    plain = re.sub(r"\(.*?\)", "", kind)  # a varchar(10) is a string like any other
    base = plain.removesuffix("[]")
    if base not in _PYTHON:
        raise OperatorError(f"{table}.{column}: {__name__} knows no Python type for {kind}.")
    annotation = camel(table, column) if values else _PYTHON[base]
    if base != plain:
        annotation = f"list[{annotation}]"
    if facts[Subject(table, column, "nullability")] == "NULL":
        annotation += " | None"
    comment = facts.get(Subject(table, column, "comment"), "")
    return Field(name=column, annotation=annotation, comment=comment, values=values)
