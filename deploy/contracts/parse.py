"""Read what a module of row contracts says, without importing it. Pure."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from deploy.contracts.catalog import Facts, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_rows(source: str) -> Facts:
    """Return the types and comments of `source`, which may be empty; aliases are spelt out."""
    module = ast.parse(source)
    assigned = {
        ast.unparse(each.target): each.value
        for each in module.body
        if isinstance(each, ast.AnnAssign) and each.value
    }
    tables = _read_registry(assigned.pop("ROWS", None))
    aliases = {name: ast.unparse(value) for name, value in assigned.items()}
    facts: dict[Subject, str] = {}
    for each in module.body:
        if isinstance(each, ast.ClassDef) and each.name in tables:
            facts |= _read_class(each, table=tables[each.name], aliases=aliases)
    return facts


def _read_registry(value: ast.expr | None) -> Mapping[str, str]:
    if not isinstance(value, ast.Dict):
        return {}
    return {
        ast.unparse(row): str(ast.literal_eval(table))
        for table, row in zip(value.keys, value.values, strict=True)
        if table
    }


def _read_class(
    definition: ast.ClassDef, *, table: str, aliases: Mapping[str, str]
) -> dict[Subject, str]:
    facts: dict[Subject, str] = {}
    column = ""
    for each in definition.body:
        if isinstance(each, ast.AnnAssign):
            column = ast.unparse(each.target)
            spelt = re.sub(
                r"\w+", lambda name: aliases.get(name[0], name[0]), ast.unparse(each.annotation)
            )
            facts[Subject(table, column, "type")] = spelt
        elif isinstance(each, ast.Expr):
            text = " ".join(str(ast.literal_eval(each.value)).split())
            facts[Subject(table, column, "comment")] = text
    return facts
